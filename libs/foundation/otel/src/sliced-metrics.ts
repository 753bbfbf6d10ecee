/**
 * Pushes metrics in messages of a bounded size. A node with 20,000 methods has 100,000 points: in one message they hold the thread that
 * serves requests for 150 ms while they are encoded, and at 17 MB no collector takes them (gRPC's default limit is 4 MB).
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import type { MetricData, PushMetricExporter, ResourceMetrics, ScopeMetrics } from '@opentelemetry/sdk-metrics';

/** About 3 ms of encoding, and below half a megabyte. */
export const POINTS_PER_MESSAGE = 2_000;

export class SlicedMetrics implements PushMetricExporter {
  readonly selectAggregationTemporality?: PushMetricExporter['selectAggregationTemporality'];
  readonly selectAggregation?: PushMetricExporter['selectAggregation'];

  constructor(private readonly exporter: PushMetricExporter) {
    this.selectAggregationTemporality = exporter.selectAggregationTemporality?.bind(exporter);
    this.selectAggregation = exporter.selectAggregation?.bind(exporter);
  }

  /** One message after the other; the first that fails ends it, and the next push has all numbers again: they are sums. */
  export(metrics: ResourceMetrics, done: (result: ExportResult) => void): void {
    void this.exportAll(metrics).then(done);
  }

  forceFlush(): Promise<void> {
    return this.exporter.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.exporter.shutdown();
  }

  private async exportAll({ resource, scopeMetrics }: ResourceMetrics): Promise<ExportResult> {
    let result: ExportResult = { code: ExportResultCode.SUCCESS };
    for (const slice of slices(scopeMetrics)) {
      result = await new Promise<ExportResult>((resolve) => this.exporter.export({ resource, scopeMetrics: slice }, resolve));
      if (result.code !== ExportResultCode.SUCCESS) return result;
      await nextTurn();
    }
    return result;
  }
}

/** Points keep their order, and a metric that is cut in two is in both messages. */
function* slices(scopes: readonly ScopeMetrics[]): Generator<ScopeMetrics[]> {
  let slice: ScopeMetrics[] = [];
  let left = POINTS_PER_MESSAGE;
  for (const { scope, metrics } of scopes) {
    let some: MetricData[] = [];
    slice.push({ scope, metrics: some });
    for (const metric of metrics) {
      for (let from = 0; from < metric.dataPoints.length;) {
        if (left === 0) {
          yield slice;
          slice = [{ scope, metrics: (some = []) }];
          left = POINTS_PER_MESSAGE;
        }
        const dataPoints = metric.dataPoints.slice(from, from + left);
        some.push({ ...metric, dataPoints } as MetricData);
        from += dataPoints.length;
        left -= dataPoints.length;
      }
    }
  }
  if (left < POINTS_PER_MESSAGE) yield slice;
}
