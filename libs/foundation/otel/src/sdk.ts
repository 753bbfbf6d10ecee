/** Imported only when the variables ask for it: everything of OpenTelemetry hangs below this file. */
import { context, metrics as metricsApi, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { ConsoleMetricExporter, PeriodicExportingMetricReader, type PushMetricExporter } from '@opentelemetry/sdk-metrics';
import { ConsoleSpanExporter, type SpanExporter } from '@opentelemetry/sdk-trace';
import { OTLPMetricExporter as GrpcMetrics } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as JsonMetrics } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import type { Exporter, OpenedTelemetry, Signals, TelemetryOptions } from './open-telemetry.js';
import { RegistryProducer } from './registry-producer.js';
import { CountedSpans, type QueueSettings } from './counted-spans.js';
import { SlicedMetrics } from './sliced-metrics.js';
import { GivenIds, samplerOf, SdkTracing } from './sdk-tracing.js';

/** Beyond this a stopping process does not wait for its sinks. */
const LAST_EXPORT_MS = 1_000;
/** The specification's defaults. */
const METRICS_INTERVAL_MS = 60_000;
const METRICS_TIMEOUT_MS = 30_000;

type Protocol = 'grpc' | 'http/json' | 'http/protobuf';

const SPAN_EXPORTERS: Readonly<Record<Protocol, new () => SpanExporter>> = {
  grpc: GrpcTraces,
  'http/json': JsonTraces,
  'http/protobuf': ProtoTraces,
};
const METRIC_EXPORTERS: Readonly<Record<Protocol, new () => PushMetricExporter>> = {
  grpc: GrpcMetrics,
  'http/json': JsonMetrics,
  'http/protobuf': ProtoMetrics,
};

export function startSdk(options: TelemetryOptions, { traces, metrics }: Signals): OpenedTelemetry {
  const { environment, registry, serviceName } = options;
  const ids = new GivenIds();
  const sampler = samplerOf(environment);
  const spans =
    traces === null ? null : new CountedSpans(spanExporter(traces, environment), queueSettings(environment), registry);
  const sdk = new NodeSDK({
    serviceName: environment['OTEL_SERVICE_NAME'] || serviceName,
    idGenerator: ids,
    sampler,
    instrumentations: [],
    textMapPropagator: null,
    logRecordProcessors: [],
    spanProcessors: spans === null ? [] : [spans],
    metricReaders: metrics === null ? [] : [metricReader(metrics, options)],
  });
  sdk.start();
  return {
    tracing: spans === null ? null : new SdkTracing(ids, sampler),
    close: async () => {
      const late = new Promise<void>((resolve) => setTimeout(resolve, LAST_EXPORT_MS).unref());
      for (const api of [trace, metricsApi, context]) api.disable(); // another may be opened
      await Promise.race([sdk.shutdown().catch(() => undefined), late]); // a sink that refuses is counted, not reported
    },
  };
}

function spanExporter(exporter: Exporter, environment: NodeJS.ProcessEnv): SpanExporter {
  return exporter === 'console' ? new ConsoleSpanExporter() : new SPAN_EXPORTERS[protocolOf('TRACES', environment)]();
}

function metricReader(exporter: Exporter, { environment, registry }: TelemetryOptions): PeriodicExportingMetricReader {
  const intervalMs = positive(environment, 'OTEL_METRIC_EXPORT_INTERVAL', METRICS_INTERVAL_MS);
  return new PeriodicExportingMetricReader({
    exporter:
      exporter === 'console'
        ? new ConsoleMetricExporter()
        : new SlicedMetrics(new METRIC_EXPORTERS[protocolOf('METRICS', environment)]()),
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(intervalMs, positive(environment, 'OTEL_METRIC_EXPORT_TIMEOUT', METRICS_TIMEOUT_MS)),
    metricProducers: [new RegistryProducer(registry)],
  });
}

function protocolOf(signal: 'TRACES' | 'METRICS', environment: NodeJS.ProcessEnv): Protocol {
  const named =
    environment[`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`] || environment['OTEL_EXPORTER_OTLP_PROTOCOL'] || 'http/protobuf';
  if (named === 'grpc' || named === 'http/json' || named === 'http/protobuf') return named;
  throw new Error(`OTEL_EXPORTER_OTLP_PROTOCOL: expected grpc, http/json or http/protobuf, got "${named}"`);
}

function queueSettings(environment: NodeJS.ProcessEnv): QueueSettings {
  const maxQueueSize = positive(environment, 'OTEL_BSP_MAX_QUEUE_SIZE', 2_048);
  return {
    maxQueueSize,
    maxExportBatchSize: Math.min(maxQueueSize, positive(environment, 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512)),
    scheduledDelayMillis: positive(environment, 'OTEL_BSP_SCHEDULE_DELAY', 5_000),
    exportTimeoutMillis: positive(environment, 'OTEL_BSP_EXPORT_TIMEOUT', 30_000),
  };
}

function positive(environment: NodeJS.ProcessEnv, variable: string, fallback: number): number {
  const text = environment[variable];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${variable}: expected a whole number above 0, got "${text}"`);
}
