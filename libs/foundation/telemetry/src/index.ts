export {
  bucketBoundsMs,
  BUCKET_COUNT,
  EMPTY_HISTOGRAM,
  Histogram,
  mergeHistograms,
  percentiles,
  type HistogramData,
} from './histogram.js';
export {
  Counter,
  LATENCY_BOUNDS_MS,
  MetricsRegistry,
  MethodSeries,
  OVERFLOW,
  type MetricSample,
  type SeriesLabels,
} from './metrics.js';
export {
  mergePages,
  pageOf,
  partsOf,
  SERIES_PER_SLICE,
  sumsOnly,
  type LatencyTotals,
  type MetricsPage,
  type NamedValues,
  type ProcessPage,
  type SeriesTotals,
} from './metrics-page.js';
export { inTurns, PROMETHEUS_CONTENT_TYPE, prometheusSlices, renderPage, renderPrometheus } from './prometheus.js';
export { watchProcess } from './process-metrics.js';
export {
  readTraceparent,
  writeAmznTrace,
  writeTraceparent,
  type FinishedSpan,
  type SpanParent,
  type TraceParent,
  type Tracing,
} from './tracing.js';
