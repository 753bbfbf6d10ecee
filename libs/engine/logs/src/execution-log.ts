/**
 * What happened to one request, in the texts of API Gateway's execution log (data-plane reference §10.5). Stages have them as
 * `({request id}) {text}` (stage-logs.ts), test runs under one another with the date (engine/test-invoke).
 */
import { Buffer } from 'node:buffer';
import type { StageSnapshot } from '@gatehouse/contracts';
import { lastHeader, type CallTarget, type Exchange, type JournalEvent, type RequestJournal } from '@gatehouse/engine-exchange';
import { Redaction, SecretNames } from '@gatehouse/kernel';
import { failureText } from './failure-text.js';
import { masked } from './masked.js';

type EventOf<T extends JournalEvent['type']> = Extract<JournalEvent, { type: T }>;

const HEADER_CHARS_MAX = 998;
/** Ours: a body may have 10 MB, and nobody reads that in a log. */
const BODY_BYTES_MAX = 64 * 1024;
const TRUNCATED = ' [TRUNCATED]';
const EMPTY = Buffer.alloc(0);
const NAMES = new SecretNames();

export interface ExecutionLogOptions {
  /** Milliseconds since the Unix epoch. */
  write(text: string, atMs: number): void;
  nowMs(): number;
  /** Whether bodies are shown. */
  readonly hasBodies: boolean;
  /** Ours alone, where nobody names others. */
  readonly secretNames?: SecretNames;
}

export class ExecutionLog {
  private readonly redaction: Redaction;

  constructor(private readonly options: ExecutionLogOptions) {
    this.redaction = new Redaction(options.secretNames ?? NAMES, masked);
  }

  add(text: string, atMs = this.options.nowMs()): void {
    this.options.write(text, atMs);
  }

  /** What came in. `pathParameters` and `query`: name, value, name, value, ... */
  addRequest(
    request: {
      readonly pathParameters: readonly string[];
      readonly query: readonly string[];
      readonly headers: readonly string[];
    },
    body: Uint8Array | null,
    atMs = this.options.nowMs(),
  ): void {
    this.add(`Method request path: ${mapText(request.pathParameters)}`, atMs);
    this.add(`Method request query string: ${mapText(this.redaction.query(request.query))}`, atMs);
    this.add(`Method request headers: ${this.headersText(request.headers)}`, atMs);
    this.addBody('Method request body before transformations', body, atMs);
  }

  /** What became of it. */
  addEnd(x: Exchange, body: Uint8Array | null): void {
    this.addOutcome(x, body);
    this.addStatus(x);
  }

  protected addOutcome(x: Exchange, body: Uint8Array | null): void {
    if (x.fault === null) {
      const headers = [...(x.responseBlock?.fields ?? []), ...x.responseHeaders];
      this.addCoded('Method response body after transformations', body, headers);
      this.add(`Method response headers: ${this.headersText(headers)}`);
      this.add('Successfully completed execution');
    } else this.add(failureText(x, x.fault));
  }

  protected addStatus({ status }: Exchange): void {
    this.add(`Method completed with status: ${status}`);
  }

  /** What a journal tells of calls, of one kind or all; `shownUri` gives an address as AWS shows it. */
  addCalls(journal: RequestJournal, shownUri: (url: string) => string, target?: CallTarget): void {
    for (const { atMs, event } of journal.entries) {
      if (target !== undefined && 'target' in event && event.target !== target) continue;
      if (event.type === 'CALLED') this.addCall(event, shownUri(event.url), atMs);
      else if (event.type === 'ANSWERED') this.addAnswer(event, atMs);
    }
  }

  protected addCall({ headers, body }: EventOf<'CALLED'>, url: string, atMs: number): void {
    const uri = this.redaction.url(url);
    this.add(`Endpoint request URI: ${uri}`, atMs);
    this.add(`Endpoint request headers: ${this.headersText(headers)}`, atMs);
    this.addBody('Endpoint request body after transformations', body, atMs);
    this.add(`Sending request to ${uri}`, atMs);
  }

  protected addAnswer({ target, status, latencyMs, headers, body }: EventOf<'ANSWERED'>, atMs: number): void {
    if (target === 'authorizer') return this.addBody('Authorizer result body before parsing', body, atMs);
    this.add(`Received response. Status: ${status}, Integration latency: ${Math.round(latencyMs)} ms`, atMs);
    this.add(`Endpoint response headers: ${this.headersText(headers)}`, atMs);
    this.addCoded('Endpoint response body before transformations', body, headers, atMs);
  }

  /** What a caller shows as its own: from here on it is masked wherever it stands. To be told before anything is shown. */
  learn({ requestHeaders, query }: Pick<Exchange, 'requestHeaders' | 'query'>): void {
    this.redaction.learn(requestHeaders, query);
  }

  hide(secrets: readonly string[]): void {
    for (const secret of secrets) this.redaction.hide(secret);
  }

  protected headersText(headers: readonly string[]): string {
    const text = mapText(this.redaction.headers(headers));
    return text.length <= HEADER_CHARS_MAX ? text : `${text.slice(0, HEADER_CHARS_MAX)}${TRUNCATED}`;
  }

  /** A compressed body says nothing to a reader. */
  private addCoded(what: string, body: Uint8Array | null, headers: readonly string[], atMs?: number): void {
    const coding = lastHeader(headers, 'content-encoding');
    const isPlain = body === null || body.length === 0 || coding === null || coding === 'identity';
    this.addBody(what, isPlain ? body : Buffer.from(`[${body.length} bytes, ${coding}]`), atMs);
  }

  addBody(what: string, body: Uint8Array | null, atMs = this.options.nowMs()): void {
    if (!this.options.hasBodies) return;
    const bytes = Buffer.from(body ?? EMPTY);
    const text = this.redaction.shown(bytes, BODY_BYTES_MAX);
    this.add(`${what}: ${text}${bytes.length > BODY_BYTES_MAX ? TRUNCATED : ''}`, atMs);
  }
}

/** Functions are called by their ARN; AWS shows the address that its Lambda has. */
export function shownUriOf({ region }: StageSnapshot): (url: string) => string {
  return (url) =>
    url.startsWith('arn:') ? `https://lambda.${region}.amazonaws.com/2015-03-31/functions/${url}/invocations` : url;
}

/** `{a=b, c=d}`. `pairs`: name, value, name, value, ...; values of one name stand together. */
function mapText(pairs: readonly string[]): string {
  const values = new Map<string, string[]>();
  for (let i = 0; i < pairs.length; i += 2) {
    const of = values.get(pairs[i]!);
    if (of === undefined) values.set(pairs[i]!, [pairs[i + 1]!]);
    else of.push(pairs[i + 1]!);
  }
  return `{${[...values].map(([name, list]) => `${name}=${list.join(',')}`).join(', ')}}`;
}
