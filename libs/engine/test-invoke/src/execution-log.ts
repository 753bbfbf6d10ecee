/**
 * What happened to one request, in the lines of API Gateway's execution log (data-plane reference §10.5):
 *
 *   Execution log for request {id}
 *   Sat Nov 21 18:00:41 UTC 2026 : Starting execution for request: {id}
 *   ...
 */
import type { JournalEvent, RequestJournal } from '@gatehouse/engine-exchange';
import type { Clock } from '@gatehouse/kernel';

type EventOf<T extends JournalEvent['type']> = Extract<JournalEvent, { type: T }>;

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const HEADER_CHARS_MAX = 998;
/** Ours: a body may have 10 MB, and nobody reads that in a log. */
const BODY_CHARS_MAX = 64 * 1024;
/** Their values are shown by their last characters alone. */
const SECRETS = new Set(['authorization', 'proxy-authorization', 'x-api-key', 'x-amz-security-token', 'cookie', 'set-cookie']);
const SHOWN_CHARS = 6;

export class ExecutionLog {
  private readonly lines: string[];
  private readonly hidden = new Map<string, string>();

  /** `what`: `execution`, or which authorizer. */
  constructor(
    requestId: string,
    private readonly clock: Clock,
    what = 'execution',
  ) {
    this.lines = [`Execution log for request ${requestId}`];
    this.add(`Starting ${what} for request: ${requestId}`);
  }

  add(text: string, atMs = this.clock.nowMs()): void {
    this.lines.push(`${dateText(new Date(atMs))} : ${text}`);
  }

  /** What a journal tells of calls; `shownUri` gives an address as AWS shows it. */
  addCalls(journal: RequestJournal, shownUri: (url: string) => string): void {
    for (const { atMs, event } of journal.entries) {
      if (event.type === 'CALLED') this.addCall(event, shownUri(event.url), atMs);
      else if (event.type === 'ANSWERED') this.addAnswer(event, atMs);
    }
  }

  private addCall({ headers, body }: EventOf<'CALLED'>, uri: string, atMs: number): void {
    this.add(`Endpoint request URI: ${uri}`, atMs);
    this.add(`Endpoint request headers: ${headersText(headers)}`, atMs);
    this.addBody('Endpoint request body after transformations', body, atMs);
    this.add(`Sending request to ${uri}`, atMs);
  }

  private addAnswer({ target, status, latencyMs, headers, body }: EventOf<'ANSWERED'>, atMs: number): void {
    if (target === 'authorizer') return this.addBody('Authorizer result body before parsing', body, atMs);
    this.add(`Received response. Status: ${status}, Integration latency: ${Math.round(latencyMs)} ms`, atMs);
    this.add(`Endpoint response headers: ${headersText(headers)}`, atMs);
    this.addBody('Endpoint response body before transformations', body, atMs);
  }

  /** What a caller shows as its own: from here on, bodies that are JSON have it masked. */
  hide(secrets: readonly string[]): void {
    for (const secret of secrets) this.hidden.set(JSON.stringify(secret), JSON.stringify(masked(secret)));
  }

  addBody(what: string, body: Uint8Array | null, atMs = this.clock.nowMs()): void {
    let text = body === null ? '' : Buffer.from(body).toString('utf8');
    for (const [secret, shown] of this.hidden) text = text.replaceAll(secret, () => shown);
    this.add(`${what}: ${cut(text, BODY_CHARS_MAX)}`, atMs);
  }

  /** Ends with the end of a line. */
  get text(): string {
    return `${this.lines.join('\n')}\n`;
  }
}

function dateText(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':');
  return `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${two(date.getUTCDate())} ${time} UTC ${date.getUTCFullYear()}`;
}

/** `{a=b, c=d}`. `pairs`: name, value, name, value, ...; values of one name stand together. */
export function mapText(pairs: readonly string[]): string {
  const values = new Map<string, string[]>();
  for (let i = 0; i < pairs.length; i += 2) {
    const of = values.get(pairs[i]!);
    if (of === undefined) values.set(pairs[i]!, [pairs[i + 1]!]);
    else of.push(pairs[i + 1]!);
  }
  return `{${[...values].map(([name, list]) => `${name}=${list.join(',')}`).join(', ')}}`;
}

export function headersText(headers: readonly string[]): string {
  const shown = headers.map((text, i) => (i % 2 === 1 && SECRETS.has(headers[i - 1]!.toLowerCase()) ? masked(text) : text));
  return cut(mapText(shown), HEADER_CHARS_MAX);
}

/** Values of headers that are nobody else's business. */
export const secretsIn = (headers: readonly string[]): string[] =>
  headers.filter((_, i) => i % 2 === 1 && SECRETS.has(headers[i - 1]!.toLowerCase()));

/** A short value would be shown whole by its last characters: then none are. */
export const masked = (value: string): string =>
  value.length <= 2 * SHOWN_CHARS
    ? '*'.repeat(value.length)
    : `${'*'.repeat(value.length - SHOWN_CHARS)}${value.slice(-SHOWN_CHARS)}`;

const cut = (text: string, chars: number): string => (text.length <= chars ? text : `${text.slice(0, chars)} [TRUNCATED]`);
