/** What a connection answers when there is no Exchange to do it: the codec's refusals, and the listener's own. */
import { REFUSALS, type RefusalReason } from '../refusals.js';

const OWN = {
  /** Head or body did not come in time. */
  TOO_SLOW: { status: 408, meaning: 'head or body did not come in time' },
  /** Memory is short: see `MemoryWatch`. */
  OVERLOADED: { status: 503, meaning: 'the node sheds load' },
  /** Over `connectionsMax` or `connectionsPerAddressMax`. */
  TOO_MANY_CONNECTIONS: { status: 503, meaning: 'more connections than allowed' },
} as const;

export type ConnectionRefusal = RefusalReason | keyof typeof OWN;

const TABLE: Readonly<Record<string, { readonly status: number }>> = { ...REFUSALS, ...OWN };

/** Name of the class of AWS's error, and the reason phrase, by status. */
const TEXTS: Readonly<Record<number, readonly [reason: string, errorType: string]>> = {
  400: ['Bad Request', 'BadRequestException'],
  408: ['Request Timeout', 'BadRequestException'],
  413: ['Payload Too Large', 'RequestTooLargeException'],
  414: ['URI Too Long', 'BadRequestException'],
  417: ['Expectation Failed', 'BadRequestException'],
  431: ['Request Header Fields Too Large', 'BadRequestException'],
  500: ['Internal Server Error', 'InternalServerErrorException'],
  501: ['Not Implemented', 'BadRequestException'],
  503: ['Service Unavailable', 'ServiceUnavailableException'],
  505: ['HTTP Version Not Supported', 'BadRequestException'],
};

/** Made once: a flood of bad requests costs one write each. */
const ANSWERS: ReadonlyMap<string, string> = new Map(Object.entries(TABLE).map(([name, { status }]) => [name, answer(status)]));

/** A whole answer, to be written as latin1; the connection ends behind it. */
export function refusalAnswer(refusal: ConnectionRefusal): string {
  return ANSWERS.get(refusal)!;
}

function answer(status: number): string {
  const [reason, errorType] = TEXTS[status]!;
  const body = JSON.stringify({ message: reason });
  const retry = status === 503 ? 'Retry-After: 1\r\n' : '';
  return (
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/json\r\nx-amzn-ErrorType: ${errorType}\r\n${retry}` +
    `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
  );
}
