/**
 * Spans on their way to the sink: a bounded queue in the SDK's batches. The SDK drops silently; here every span that reaches no
 * sink is counted, whether there was no room for it or its batch failed.
 */
import { ExportResultCode } from '@opentelemetry/core';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace';
import type { Counter, MetricsRegistry } from '@gatehouse/telemetry';

/** OTEL_BSP_*, with the specification's defaults. */
export interface QueueSettings {
  readonly maxQueueSize: number;
  readonly maxExportBatchSize: number;
  readonly scheduledDelayMillis: number;
  readonly exportTimeoutMillis: number;
}

export class CountedSpans implements SpanProcessor {
  private readonly batches: BatchSpanProcessor;
  private readonly dropped: Counter;
  /** Ended and not with the sink yet: queued, or in the batch under way. */
  private waiting = 0;
  private onEmpty: (() => void) | null = null;

  constructor(
    exporter: SpanExporter,
    private readonly settings: QueueSettings,
    registry: MetricsRegistry,
  ) {
    this.dropped = registry.counter(
      'gatehouse_telemetry_dropped_spans_total',
      'Spans that reached no sink: it was too slow, down, or refused them',
    );
    registry.gauge('gatehouse_telemetry_waiting_spans', 'Spans on their way to the sink', () => this.waiting);
    this.batches = new BatchSpanProcessor({ ...settings, exporter: this.counting(exporter) });
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.waiting >= this.settings.maxQueueSize) return this.dropped.add(1);
    this.waiting++;
    this.batches.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.batches.forceFlush();
  }

  /** The SDK's own does not wait for the batch that is under way. */
  async shutdown(): Promise<void> {
    await this.batches.forceFlush().catch(() => undefined); // counted
    if (this.waiting > 0) await new Promise<void>((resolve) => (this.onEmpty = resolve));
    await this.batches.shutdown();
  }

  private counting(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans, done) =>
        exporter.export(spans, (result) => {
          this.waiting -= spans.length;
          if (this.waiting === 0) this.onEmpty?.();
          if (result.code !== ExportResultCode.SUCCESS) this.dropped.add(spans.length);
          done(result);
        }),
      forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
      shutdown: () => exporter.shutdown(),
    };
  }
}
