/** A call for the operator, who shows a token instead of signing. */
import type { Secret } from '@gatehouse/kernel';

export interface OperatorAccess {
  /** `http://host:port`. */
  readonly endpoint: string;
  readonly operatorToken: Secret;
}

const TIMEOUT_MS = 60_000;

/** Throws with what the control plane answered, or why it did not. */
export async function operatorCall(access: OperatorAccess, method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(new URL(path, access.endpoint), {
    method,
    headers: { authorization: `Bearer ${access.operatorToken.reveal()}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((cause: Error) => {
    const reason = (cause.cause ?? cause) as Error;
    throw new Error(`No answer from the control plane at ${access.endpoint}: ${reason.message}`, { cause });
  });
  const text = await response.text();
  if (response.status !== 200)
    throw new Error(`The control plane at ${access.endpoint} answers ${response.status}: ${text.slice(0, 500)}`);
  return JSON.parse(text) as unknown;
}
