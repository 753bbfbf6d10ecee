export {
  bucketBoundsMs,
  BUCKET_COUNT,
  EMPTY_HISTOGRAM,
  Histogram,
  mergeHistograms,
  percentiles,
  type HistogramData,
} from './histogram.js';
export { Counter, MetricsRegistry, MethodSeries, OVERFLOW, type MetricSample, type SeriesLabels } from './metrics.js';
export { PROMETHEUS_CONTENT_TYPE, renderPrometheus } from './prometheus.js';
export { watchProcess } from './process-metrics.js';
