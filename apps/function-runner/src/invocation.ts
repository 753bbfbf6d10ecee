/** One call of a function, and how it can end. Error types and texts are Lambda's. */
import { INVOKE_PAYLOAD_BYTES_MAX } from '@gatehouse/contracts';

export interface Invocation {
  /** UUID; also names the call in logs. */
  readonly requestId: string;
  /** With the qualifier the caller used. */
  readonly functionArn: string;
  /** JSON. */
  readonly event: Buffer;
  /** The caller's client context, decoded; `null` for none. */
  readonly clientContext: string | null;
  readonly traceId: string | null;
  /** Takes the payload as it comes; absent or `null`: it is wanted whole. */
  readonly sink?: PayloadSink | null;
}

/**
 * Where a streamed payload goes. What it took is not in the outcome; an outcome that is an error then says that the payload ended too early.
 * A program that does not stream leaves it untouched.
 */
export interface PayloadSink {
  /** False: enough for now; `onRoom` is called when there is room, or nobody is left to take anything. */
  write(chunk: Buffer): boolean;
  onRoom: (() => void) | null;
}

/** What came of it: the function's payload, or the JSON that describes its error. */
export type Outcome =
  | { readonly isError: false; readonly payload: Buffer; readonly contentType: string }
  | { readonly isError: true; readonly payload: Buffer };

export function failure(errorType: string, errorMessage: string): Outcome {
  return { isError: true, payload: Buffer.from(JSON.stringify({ errorType, errorMessage })) };
}

export const timedOut = (requestId: string, timeoutMs: number): Outcome =>
  failure('Sandbox.Timedout', `RequestId: ${requestId} Error: Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`);

export const outOfMemory = (requestId: string): Outcome =>
  failure('Runtime.OutOfMemory', `RequestId: ${requestId} Error: Runtime exited with error: signal: killed`);

export const responseTooLarge = (): Outcome =>
  failure(
    'Function.ResponseSizeTooLarge',
    `Response payload size exceeded maximum allowed payload size (${INVOKE_PAYLOAD_BYTES_MAX} bytes).`,
  );

/** How a process ended, in the words of Go's os/exec, which Lambda shows. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const SIGNAL_WORDS: Partial<Record<NodeJS.Signals, string>> = {
  SIGABRT: 'aborted',
  SIGBUS: 'bus error',
  SIGFPE: 'floating point exception',
  SIGILL: 'illegal instruction',
  SIGKILL: 'killed',
  SIGSEGV: 'segmentation fault',
  SIGTERM: 'terminated',
  SIGTRAP: 'trace/breakpoint trap',
  SIGXFSZ: 'file size limit exceeded',
};

export function exited(requestId: string, { code, signal }: Exit): Outcome {
  let how = 'Runtime exited without providing a reason';
  if (signal !== null) how = `Runtime exited with error: signal: ${SIGNAL_WORDS[signal] ?? signal}`;
  else if (code !== 0) how = `Runtime exited with error: exit status ${code}`;
  return failure('Runtime.ExitError', `RequestId: ${requestId} Error: ${how}`);
}
