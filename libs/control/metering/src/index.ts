export type { MeteringLogger } from './log.js';
export {
  MAINTENANCE_QUEUE,
  startMaintenance,
  type JobName,
  type Maintenance,
  type MaintenanceOptions,
  type Retention,
} from './maintenance.js';
export {
  queryMetrics,
  type LatencyStatistics,
  type MetricPoint,
  type MetricSeries,
  type MetricsQuestion,
} from './query-metrics.js';
export { QuotaGrants, type QuotaGrantsOptions } from './quota-grants.js';
export { createReportSink } from './report-sink.js';
