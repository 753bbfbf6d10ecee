/**
 * Everything the codec refuses, in one table. `status` is what a caller is answered; a fault in an upstream's message is
 * always a 502. After any refusal the connection carries no further message: where the next one starts is unknown.
 */
export const REFUSALS = {
  BROKEN_LINE: { status: 400, meaning: 'bare CR, bare LF, NUL or another control byte in a head, a chunk line or a trailer' },
  MALFORMED_START_LINE: { status: 400, meaning: 'not `method SP target SP version`, or not `version SP status SP reason`' },
  MALFORMED_METHOD: { status: 400, meaning: 'method is no token' },
  MALFORMED_TARGET: { status: 400, meaning: 'bytes outside visible ASCII, `#`, or a form the method does not allow' },
  CONNECT: { status: 501, meaning: 'CONNECT: a gateway is no tunnel' },
  UNSUPPORTED_VERSION: { status: 505, meaning: 'well-formed version other than HTTP/1.0 and HTTP/1.1' },
  MALFORMED_STATUS: { status: 400, meaning: 'status is not three digits from 100 to 599' },
  START_LINE_TOO_LONG: { status: 414, meaning: 'request or status line over `startLineBytesMax`' },
  HEAD_TOO_LARGE: { status: 431, meaning: 'head over `headBytesMax`' },
  TOO_MANY_HEADERS: { status: 431, meaning: 'more lines than `headerCountMax`' },
  FOLDED_LINE: { status: 400, meaning: 'header line starts with a space or tab' },
  SPACE_BEFORE_COLON: { status: 400, meaning: 'space or tab between header name and colon' },
  EMPTY_HEADER_NAME: { status: 400, meaning: 'header line starts with a colon' },
  MISSING_COLON: { status: 400, meaning: 'header line without a colon' },
  MALFORMED_HEADER_NAME: { status: 400, meaning: 'header name is no token' },
  MISSING_HOST: { status: 400, meaning: 'no Host, in HTTP/1.0 too: it names the API' },
  SEVERAL_HOSTS: { status: 400, meaning: 'more than one Host line' },
  MALFORMED_HOST: { status: 400, meaning: 'Host is no name or address with an optional port' },
  HOST_DISAGREES: { status: 400, meaning: 'absolute target names another authority than Host' },
  MALFORMED_CONTENT_LENGTH: { status: 400, meaning: 'anything but up to 15 digits without a leading zero' },
  SEVERAL_CONTENT_LENGTHS: { status: 400, meaning: 'more than one Content-Length line, equal or not' },
  LENGTH_AND_CODING: { status: 400, meaning: 'Content-Length beside Transfer-Encoding' },
  MALFORMED_TRANSFER_ENCODING: { status: 400, meaning: 'a list, a second line, or no token' },
  UNKNOWN_TRANSFER_CODING: { status: 501, meaning: 'one coding other than `chunked`' },
  CODING_IN_HTTP_1_0: { status: 400, meaning: 'Transfer-Encoding in an HTTP/1.0 message' },
  UNEXPECTED_BODY: { status: 400, meaning: 'body announced in an interim answer (1xx)' },
  MALFORMED_CONNECTION: { status: 400, meaning: 'Connection names something that is no token' },
  UNKNOWN_EXPECTATION: { status: 417, meaning: 'Expect is not `100-continue`' },
  MALFORMED_CHUNK_SIZE: { status: 400, meaning: 'chunk size is not 1 to 13 hex digits' },
  MALFORMED_CHUNK_EXTENSION: { status: 400, meaning: 'extension outside the grammar' },
  CHUNK_EXTENSIONS_TOO_LARGE: { status: 413, meaning: 'extensions of one body over `chunkExtensionBytesMax`' },
  MALFORMED_CHUNK_END: { status: 400, meaning: 'chunk data not followed by CRLF' },
  FORBIDDEN_TRAILER: { status: 400, meaning: 'trailer that frames, routes or authenticates' },
  UNSAFE_HEAD: { status: 500, meaning: 'our own head would carry a line break or control byte: nothing is written' },
} as const satisfies Record<string, { readonly status: number; readonly meaning: string }>;

export type RefusalReason = keyof typeof REFUSALS;

export class Refusal {
  readonly status: number;
  readonly reason: RefusalReason;

  constructor(status: number, reason: RefusalReason) {
    this.status = status;
    this.reason = reason;
  }
}

/** Who sent the refused message. */
export type Peer = 'caller' | 'upstream';

const reasons = Object.keys(REFUSALS) as RefusalReason[];
const OF_CALLER = new Map(reasons.map((reason) => [reason, Object.freeze(new Refusal(REFUSALS[reason].status, reason))]));
const OF_UPSTREAM = new Map(reasons.map((reason) => [reason, Object.freeze(new Refusal(502, reason))]));

/** Shared objects: a flood of bad messages allocates nothing here. */
export function refuse(peer: Peer, reason: RefusalReason): Refusal {
  return (peer === 'caller' ? OF_CALLER : OF_UPSTREAM).get(reason)!;
}
