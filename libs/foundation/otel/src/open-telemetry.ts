/**
 * OpenTelemetry, off unless the standard variables ask for it. The SDK is imported only then: without them it costs neither start
 * time nor memory, and nobody on a request path finds a Tracing to ask.
 *
 *   OTEL_EXPORTER_OTLP_ENDPOINT                          traces and metrics
 *   OTEL_EXPORTER_OTLP_{TRACES,METRICS}_ENDPOINT          the one
 *   OTEL_{TRACES,METRICS}_EXPORTER=otlp|console|none      the one, or not
 *   OTEL_SDK_DISABLED=true                                 nothing at all
 */
import type { MetricsRegistry, Tracing } from '@gatehouse/telemetry';

export interface TelemetryOptions {
  /** `OTEL_SERVICE_NAME` replaces it. */
  readonly serviceName: string;
  /** Pushed as it is, and told what is dropped. */
  readonly registry: MetricsRegistry;
  readonly environment: NodeJS.ProcessEnv;
}

export interface OpenedTelemetry {
  /** `null` when spans are not asked for. */
  readonly tracing: Tracing | null;
  /** Sends what waits, for a second at most; a sink that is down holds up no exit. */
  close(): Promise<void>;
}

export interface Signals {
  readonly traces: Exporter | null;
  readonly metrics: Exporter | null;
}
export type Exporter = 'otlp' | 'console';

const OFF: OpenedTelemetry = { tracing: null, close: () => Promise.resolve() };

/** Rejects for a variable that names what does not exist. */
export async function openTelemetry(options: TelemetryOptions): Promise<OpenedTelemetry> {
  const signals = signalsOf(options.environment);
  if (signals.traces === null && signals.metrics === null) return OFF;
  const { startSdk } = await import('./sdk.js');
  return startSdk(options, signals);
}

/** Exported for tests of the table above. */
export function signalsOf(environment: NodeJS.ProcessEnv): Signals {
  if (environment['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true') return { traces: null, metrics: null };
  return { traces: exporterOf('TRACES', environment), metrics: exporterOf('METRICS', environment) };
}

function exporterOf(signal: 'TRACES' | 'METRICS', environment: NodeJS.ProcessEnv): Exporter | null {
  const variable = `OTEL_${signal}_EXPORTER`;
  const named = environment[variable]?.trim();
  if (named === undefined || named === '') {
    return environment['OTEL_EXPORTER_OTLP_ENDPOINT'] || environment[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`] ? 'otlp' : null;
  }
  if (named === 'none') return null;
  // Prometheus text is always there, on the admin port.
  if (signal === 'METRICS' && named === 'prometheus') return null;
  if (named === 'otlp' || named === 'console') return named;
  throw new Error(`${variable}: expected otlp, console or none, got "${named}"`);
}
