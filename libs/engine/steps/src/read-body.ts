import {
  BodyTooLarge,
  CONTINUE,
  readAll,
  type BodyMode,
  type Exchange,
  type Step,
  type Verdict,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { isCorruptCoding } from './decode-body.js';

const EMPTY = Buffer.alloc(0);

/** Holds the body in memory for the steps behind it; `null` for a program that streams. */
export function readBody(mode: BodyMode): Step | null {
  return mode.type === 'stream' ? null : hold;
}

const hold: Step = (x) => {
  const { requestBody } = x;
  if (requestBody !== null && requestBody.atHand === null) return read(x);
  x.bufferedBody = requestBody === null ? EMPTY : requestBody.atHand;
  return CONTINUE;
};

async function read(x: Exchange): Promise<Verdict> {
  try {
    x.bufferedBody = await readAll(x.requestBody!.open(x.bodyLimitBytes), x.bodyLimitBytes);
    x.journal?.note({ type: 'BODY_READ', body: x.bufferedBody });
    return CONTINUE;
  } catch (cause) {
    if (isCorruptCoding(cause)) return x.fail(FAULTS.UNSUPPORTED_MEDIA_TYPE, cause, 'decoding the body');
    return x.fail(cause instanceof BodyTooLarge ? FAULTS.REQUEST_TOO_LARGE : FAULTS.CALLER_LEFT, cause, 'reading the body');
  }
}
