/**
 * What is kept of a finished request: its metrics and one line of access log. Called exactly once per request, in `finally`.
 * Of the caller's text only path and User-Agent are in the line, cut and as JSON; never headers, query, bodies or key values.
 */
import type { Exchange } from '@gatehouse/engine-exchange';
import type { Clock } from '@gatehouse/kernel';

export interface Recorder {
  record(x: Exchange): void;
}

export interface RequestRecorderOptions {
  readonly clock: Clock;
  /** `null` writes no access log. */
  readonly accessLog: { write(line: string): void } | null;
  /** Told of every bug: a step that threw. */
  readonly onBug?: (x: Exchange) => void;
}

const TEXT_LENGTH_MAX = 1_024;

export class RequestRecorder implements Recorder {
  constructor(private readonly options: RequestRecorderOptions) {}

  record(x: Exchange): void {
    const latencyMs = performance.now() - x.startedAtMs;
    // A request that belongs to no stage is nobody's metric.
    const metrics = x.route?.metrics ?? x.stage?.metrics;
    metrics?.record(x.status, latencyMs, x.integrationLatencyMs, x.receivedAtMs + latencyMs);
    if (x.fault?.name === 'BUG') this.options.onBug?.(x);
    this.options.accessLog?.write(accessLine(x, latencyMs));
  }
}

function accessLine(x: Exchange, latencyMs: number): string {
  const stage = x.stage?.snapshot;
  return printable({
    time: new Date(x.receivedAtMs).toISOString(),
    requestId: x.requestId,
    tenant: stage?.tenant ?? null,
    api: stage?.apiId ?? null,
    stage: stage?.stage ?? null,
    resource: x.route?.settings.path ?? null,
    httpMethod: x.httpMethod,
    path: x.path.slice(0, TEXT_LENGTH_MAX),
    status: x.status,
    latencyMs: rounded(latencyMs),
    integrationLatencyMs: x.integrationLatencyMs < 0 ? null : rounded(x.integrationLatencyMs),
    sourceIp: x.sourceIp,
    userAgent: x.userAgent.slice(0, TEXT_LENGTH_MAX),
    apiKeyId: x.apiKey?.apiKeyId ?? null,
    bytes: x.deliveredBytes,
    ...(x.fault === null ? null : { fault: x.fault.name, doing: x.faultDoing, cause: causeText(x.faultCause) }),
  });
}

// DEL, C1 and the two line separators: JSON leaves them as they are, terminals and line readers do not.
const UNPRINTABLE = /[\x7f-\x9f\u2028\u2029]/g;

function printable(fields: object): string {
  return JSON.stringify(fields).replace(UNPRINTABLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Microseconds are noise. */
function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}

function causeText(cause: unknown): string | null {
  if (cause === null || cause === undefined) return null;
  return (cause instanceof Error ? cause.message : String(cause)).slice(0, TEXT_LENGTH_MAX);
}
