/**
 * The spans of a request, told when it is over, from the times its Exchange holds anyway: one for the request and, when a backend
 * was called, one for that. There is no such recorder on a node that does not trace.
 */
import type { Exchange, RequestTrace } from '@gatehouse/engine-exchange';
import type { FinishedSpan, Tracing } from '@gatehouse/telemetry';
import type { Recorder } from './recorder.js';

const TEXT_LENGTH_MAX = 1_024;

export class TracingRecorder implements Recorder {
  constructor(
    private readonly inner: Recorder,
    private readonly tracing: Tracing,
  ) {}

  record(x: Exchange): void {
    const endedAtMs = performance.now();
    this.inner.record(x);
    const { trace } = x;
    if (trace === null || !trace.isSampled) return;
    if (x.integrationLatencyMs >= 0) this.tracing.record(upstreamSpan(x, trace));
    this.tracing.record(requestSpan(x, trace, endedAtMs));
  }
}

type Attributes = Record<string, string | number | boolean>;

/** Names: OpenTelemetry semantic conventions for HTTP. Never a header but User-Agent, never the query. */
function requestSpan(x: Exchange, trace: RequestTrace, endedAtMs: number): FinishedSpan {
  const path = x.route?.settings.path;
  const stage = x.stage?.snapshot;
  const attributes: Attributes = {
    'http.request.method': x.httpMethod,
    'url.path': x.path.slice(0, TEXT_LENGTH_MAX),
    'http.response.status_code': x.status,
    'client.address': x.sourceIp,
    'user_agent.original': x.userAgent.slice(0, TEXT_LENGTH_MAX),
    'gatehouse.request_id': x.requestId,
  };
  if (path !== undefined) attributes['http.route'] = path;
  if (stage !== undefined) {
    attributes['gatehouse.tenant'] = stage.tenant;
    attributes['gatehouse.api'] = stage.apiId;
    attributes['gatehouse.stage'] = stage.stage;
  }
  if (x.fault !== null) attributes['error.type'] = x.fault.name;
  return {
    // A caller's own text never names a span: names are grouped by.
    name: path === undefined ? 'HTTP' : `${x.route!.settings.httpMethod} ${path}`,
    kind: 'SERVER',
    traceId: trace.traceId,
    spanId: trace.spanId,
    parent: trace.parent,
    startMs: x.receivedAtMs,
    endMs: x.receivedAtMs + (endedAtMs - x.startedAtMs),
    attributes,
    isError: x.status >= 500,
  };
}

function upstreamSpan(x: Exchange, trace: RequestTrace): FinishedSpan {
  const startMs = x.receivedAtMs + (x.integrationStartedAtMs - x.startedAtMs);
  const attributes: Attributes = {};
  const request = x.upstreamRequest;
  if (request !== null) {
    attributes['http.request.method'] = request.httpMethod;
    if (request.url.startsWith('arn:')) attributes['faas.invoked_name'] = request.url;
    else attributes['server.address'] = hostOf(request.url);
  }
  if (x.upstreamAnswer !== null) attributes['http.response.status_code'] = x.upstreamAnswer.status;
  else if (x.fault !== null) attributes['error.type'] = x.fault.name;
  return {
    name: 'integration',
    kind: 'CLIENT',
    traceId: trace.traceId,
    spanId: trace.upstreamSpanId,
    parent: { spanId: trace.spanId, isSampled: true, isRemote: false },
    startMs,
    endMs: startMs + x.integrationLatencyMs,
    attributes,
    isError: x.upstreamAnswer === null || x.upstreamAnswer.status >= 500,
  };
}

/** Paths and queries of backends may hold what is nobody else's business. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '';
}
