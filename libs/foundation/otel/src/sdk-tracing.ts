/** Finished spans become the SDK's: it is told ids and times, and neither makes nor measures any. */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags, type Context, type HrTime } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  RandomIdGenerator,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  type IdGenerator,
  type Sampler,
} from '@opentelemetry/sdk-trace';
import type { FinishedSpan, SpanParent, Tracing } from '@gatehouse/telemetry';

/** Hands the ids of the next span to the SDK; whoever starts spans of its own gets random ones. */
export class GivenIds implements IdGenerator {
  next: FinishedSpan | null = null;
  private readonly random = new RandomIdGenerator();

  generateTraceId = (): string => this.next?.traceId ?? this.random.generateTraceId();
  generateSpanId = (): string => this.next?.spanId ?? this.random.generateSpanId();
}

export class SdkTracing implements Tracing {
  private readonly tracer = trace.getTracer('gatehouse');

  constructor(
    private readonly ids: GivenIds,
    private readonly sampler: Sampler,
  ) {}

  isSampled(traceId: string, parent: SpanParent | null): boolean {
    const { decision } = this.sampler.shouldSample(contextOf(traceId, parent), traceId, '', SpanKind.SERVER, {}, []);
    return decision === SamplingDecision.RECORD_AND_SAMPLED;
  }

  record(finished: FinishedSpan): void {
    const { name, kind, startMs, endMs, attributes, isError, traceId, parent } = finished;
    this.ids.next = finished;
    try {
      const span = this.tracer.startSpan(
        name,
        { kind: SpanKind[kind], startTime: timeOf(startMs), attributes },
        contextOf(traceId, parent),
      );
      if (isError) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end(timeOf(endMs));
    } finally {
      this.ids.next = null;
    }
  }
}

/** Told as a pair: a plain number may be taken for one of `performance.now()`. */
function timeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
}

function contextOf(traceId: string, parent: SpanParent | null): Context {
  if (parent === null) return ROOT_CONTEXT;
  const traceFlags = parent.isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: parent.spanId, traceFlags, isRemote: parent.isRemote });
}

/** OTEL_TRACES_SAMPLER and its argument: ours, because what is propagated must be known before a span is told. */
export function samplerOf(environment: NodeJS.ProcessEnv): Sampler {
  const named = environment['OTEL_TRACES_SAMPLER'] || 'parentbased_always_on';
  const [, isParentBased, root] = /^(parentbased_)?(always_on|always_off|traceidratio)$/.exec(named) ?? [];
  if (root === undefined) throw new Error(`OTEL_TRACES_SAMPLER: unknown sampler "${named}"`);
  const sampler = rootSampler(root, environment);
  return isParentBased === undefined ? sampler : new ParentBasedSampler({ root: sampler });
}

function rootSampler(name: string, environment: NodeJS.ProcessEnv): Sampler {
  if (name === 'always_on') return new AlwaysOnSampler();
  if (name === 'always_off') return new AlwaysOffSampler();
  const ratio = Number(environment['OTEL_TRACES_SAMPLER_ARG'] || '1');
  if (ratio >= 0 && ratio <= 1) return new TraceIdRatioBasedSampler(ratio);
  throw new Error(`OTEL_TRACES_SAMPLER_ARG: expected a number from 0 to 1, got "${environment['OTEL_TRACES_SAMPLER_ARG']}"`);
}
