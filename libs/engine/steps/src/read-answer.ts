import { BodyTooLarge, readAll, type Exchange } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { BODY_BYTES_MAX } from './limit-body.js';

/** The backend's whole body; `null` when it cannot be had, which is the exchange's fault then. */
export async function readAnswer(x: Exchange): Promise<Buffer | null> {
  const { body } = x.upstreamAnswer!;
  if (body === null) return Buffer.alloc(0);
  if (Buffer.isBuffer(body)) return body;
  try {
    return await readAll(body, BODY_BYTES_MAX);
  } catch (cause) {
    body.destroy();
    x.fail(
      cause instanceof BodyTooLarge ? FAULTS.RESPONSE_TOO_LARGE : FAULTS.INTEGRATION_FAILURE,
      cause,
      "reading the backend's body",
    );
    return null;
  }
}
