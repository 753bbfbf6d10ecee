/**
 * A log group behind a URL of its tenant: batches of JSON lines by POST, called as a backend is, so that the addresses a tenant's
 * integrations may not reach are not reached from here either.
 */
import { Readable } from 'node:stream';
import type { CallerPresence, Connector } from '@gatehouse/engine-exchange';
import { jsonLine, type LogGroupName } from './log-group-name.js';
import type { LogEvent, LogSink, Outcome } from './log-group.js';

const TIMEOUT_MS = 10_000;
const ALWAYS_THERE: CallerPresence = { isCallerGone: false, onCallerLeft: null, signal: new AbortController().signal };

export class HttpSink implements LogSink {
  constructor(
    private readonly connector: Connector,
    private readonly tenant: string,
    private readonly group: LogGroupName,
    private readonly url: string,
  ) {}

  async append(events: readonly LogEvent[]): Promise<Outcome> {
    const body = Buffer.from(events.map((event) => `${jsonLine(this.group, event)}\n`).join(''), 'utf8');
    const answer = await this.connector.call(
      {
        httpMethod: 'POST',
        url: this.url,
        tenant: this.tenant,
        traceId: '',
        block: null,
        headers: ['Content-Type', 'application/x-ndjson', 'Content-Length', String(body.length)],
        body,
        timeoutMs: TIMEOUT_MS,
      },
      { ...ALWAYS_THERE },
    );
    if ('failure' in answer) return 'FAILED';
    if (answer.body instanceof Readable) answer.body.on('error', () => undefined).resume(); // nobody reads it; it ends in time
    return outcomeOf(answer.status);
  }
}

/** What is wrong with the lines themselves will be wrong again; everything else may pass. */
function outcomeOf(status: number): Outcome {
  if (status >= 200 && status < 300) return 'TAKEN';
  return status === 400 || status === 413 || status === 415 || status === 422 ? 'REFUSED' : 'FAILED';
}
