import { randomBytes } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import { readTraceparent, writeAmznTrace, writeTraceparent, type SpanParent, type Tracing } from '@gatehouse/telemetry';

export interface ServerSpan {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/**
 * One span for each request of a server, told when its answer is over. The request goes on with the span's own trace headers, so that
 * whatever it starts hangs below. `describe` says what to call it; `null` for requests that are nobody's trace.
 */
export function traceServer(server: Server, tracing: Tracing, describe: (request: IncomingMessage) => ServerSpan | null): void {
  server.prependListener('request', (request, response) => {
    const described = describe(request);
    if (described === null) return;
    const startedAtMs = performance.now();
    const startMs = performance.timeOrigin + startedAtMs;
    const caller = readTraceparent((request.headers['traceparent'] as string | undefined) ?? null);
    const traceId = caller?.traceId ?? randomBytes(16).toString('hex');
    const parent: SpanParent | null = caller === null ? null : { ...caller, isRemote: true };
    const isSampled = tracing.isSampled(traceId, parent);
    const spanId = randomBytes(8).toString('hex');
    request.headers['traceparent'] = writeTraceparent({ traceId, spanId, isSampled });
    request.headers['x-amzn-trace-id'] = writeAmznTrace({ traceId, spanId, isSampled });
    if (!isSampled) return;
    response.once('close', () =>
      tracing.record({
        name: described.name,
        kind: 'SERVER',
        traceId,
        spanId,
        parent,
        startMs,
        endMs: startMs + performance.now() - startedAtMs,
        attributes: {
          ...described.attributes,
          'http.request.method': request.method ?? '',
          'http.response.status_code': response.statusCode,
        },
        isError: response.statusCode >= 500,
      }),
    );
  });
}
