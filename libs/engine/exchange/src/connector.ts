import type { Readable } from 'node:stream';
import type { HeaderBlock } from './header-block.js';
import type { RawHeaders } from './headers.js';

/** How connections of some calls differ from those of others to the same URL: they are never shared. Made once per route. */
export interface UpstreamWay {
  /** Equal for calls that may share connections. Without blanks at its ends. */
  readonly key: string;
  /** Of the tenant; `null`: what the operator shows. */
  readonly clientCertificateId: string | null;
  /** In place of the addresses of the URL's host, at least one; `null`: those. */
  readonly targets: readonly { readonly host: string; readonly port: number }[] | null;
  /** In place of the URL's host, for TLS; `null`: that. */
  readonly tlsName: string | null;
  /** Which addresses are open is the operator's word, not the tenant's. */
  readonly isOperators: boolean;
}

export interface UpstreamRequest {
  readonly httpMethod: string;
  /** Absolute, or whatever names the target to this connector (a function's ARN). */
  readonly url: string;
  /** Whose call it is: decides which addresses may be reached. */
  readonly tenant: string;
  /** Absent or `null` for most: by the URL, sharing connections with all the tenant's calls. */
  readonly way?: UpstreamWay | null;
  /** Completed trace header, well-formed; goes out as `X-Amzn-Trace-Id`. */
  readonly traceId: string;
  /** Goes out first; `null` for none. */
  readonly block: HeaderBlock | null;
  /** Behind those of the block. */
  readonly headers: RawHeaders;
  readonly body: Buffer | Readable | null;
  /** Of a function: its payload is wanted as it comes. */
  readonly isStreamed?: boolean;
  /** From the call to the last byte of the answer, milliseconds. */
  readonly timeoutMs: number;
}

export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  /** The same headers, from a connector that knows when they come again. */
  readonly block?: HeaderBlock | null;
  /** Names came in lower case, whatever their owner calls them. */
  readonly isHttp2?: boolean;
  /** Read as fast as the reader takes it; destroying it ends the call. `null` when the answer has no body by its nature. */
  readonly body: Readable | Buffer | null;
}

/** Why there is no answer. A value, not an Error: an upstream that is down must stay cheap. */
export type FailureReason =
  /** Not in time: connection, head or (buffered) body. */
  | 'TIMEOUT'
  /** Refused, reset, closed early, TLS failure, unintelligible answer, name not found for now. */
  | 'NETWORK'
  /** The URL does not name anything one could connect to. */
  | 'ADDRESS'
  /** This node must not connect there. */
  | 'FORBIDDEN_ADDRESS'
  /** Not tried: the upstream failed too often lately, or too many calls wait for it already. See `retryAfterMs`. */
  | 'UNAVAILABLE'
  /** The signal was raised: the caller left, or the request body ended early. */
  | 'ABORTED'
  /** The function's resource policy does not let the gateway invoke it. */
  | 'PERMISSION'
  /** The target does not exist or refuses for another reason that only its owner can mend. */
  | 'REFUSED'
  /** The request is larger than the target takes. */
  | 'REQUEST_TOO_LARGE'
  /** The target was reached and says that its own code failed. */
  | 'FUNCTION_ERROR';

export interface UpstreamFailure {
  readonly failure: FailureReason;
  readonly cause: unknown;
  /** With UNAVAILABLE: when another attempt makes sense. */
  readonly retryAfterMs?: number;
}

/** The cause of a FUNCTION_ERROR: what the function's code threw. Its text is the owner's, and in no message of ours. */
export class FunctionError extends Error {
  constructor(
    /** `Unhandled`, `Handled`. */
    readonly kind: string,
    readonly payload: Buffer,
  ) {
    super(`${kind} function error`);
    this.name = 'FunctionError';
  }

  /** `null` when the payload is not what Lambda's runtimes answer. */
  get errorMessage(): string | null {
    try {
      const { errorMessage } = JSON.parse(this.payload.toString('utf8')) as { errorMessage?: unknown };
      return typeof errorMessage === 'string' ? errorMessage : null;
    } catch {
      return null;
    }
  }
}

/** Whether the caller is still there, for whoever works for it. One listener at a time: the one who waits. */
export interface CallerPresence {
  readonly isCallerGone: boolean;
  /** Called once when the caller leaves; to be set back to `null` by who set it. */
  onCallerLeft: (() => void) | null;
  /** The same as an AbortSignal, for libraries that want one: made on first use. */
  readonly signal: AbortSignal;
}

/** Calls one kind of backend. Never rejects for what the outside causes. */
export interface Connector {
  call(request: UpstreamRequest, caller: CallerPresence): Promise<UpstreamAnswer | UpstreamFailure>;
  /**
   * The same without a promise, where a connector is on the hot path: `done` is called once, never before this has returned.
   * `nowMs` on the clock of `performance.now()`.
   */
  start?<C extends CallerPresence>(
    request: UpstreamRequest,
    caller: C,
    nowMs: number,
    done: (outcome: UpstreamAnswer | UpstreamFailure, caller: C) => void,
  ): void;
}
