/**
 * What is kept of a finished request: its metrics, one line of the node's access log and what the stage's owner wants to have written.
 * Called exactly once per request, in `finally`.
 */
import { performance } from 'node:perf_hooks';
import type { Exchange } from '@gatehouse/engine-exchange';
import type { Clock } from '@gatehouse/kernel';
import { accessLine } from './access-line.js';

export interface Recorder {
  record(x: Exchange): void;
}

export interface RequestRecorderOptions {
  readonly clock: Clock;
  /** `null` writes no access log. */
  readonly accessLog: { write(line: string): void } | null;
  /** Told of every request when it is over; `null` when nobody remembers them. */
  readonly keep?: ((x: Exchange, latencyMs: number) => void) | null;
  /** Told of every bug: a step that threw. */
  readonly onBug?: (x: Exchange) => void;
}

export class RequestRecorder implements Recorder {
  constructor(private readonly options: RequestRecorderOptions) {}

  record(x: Exchange): void {
    const latencyMs = performance.now() - x.startedAtMs;
    // A request that belongs to no stage is nobody's metric.
    const metrics = x.route?.metrics ?? x.stage?.metrics;
    metrics?.record(x.status, latencyMs, x.integrationLatencyMs, x.receivedAtMs + latencyMs);
    this.options.keep?.(x, latencyMs);
    if (x.fault?.name === 'BUG') this.options.onBug?.(x);
    this.options.accessLog?.write(accessLine(x, latencyMs));
    x.stage?.accessLog?.(x, latencyMs);
    x.route?.executionLog?.(x, latencyMs);
  }
}
