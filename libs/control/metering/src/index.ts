export { LeaseOffice, type LeaseOfficeOptions, type LeaseOfficeState, type RateLeaseFields } from './lease-office.js';
export type { MeteringLogger } from './log.js';
export {
  MAINTENANCE_QUEUE,
  startMaintenance,
  type FinishedJob,
  type JobName,
  type Maintenance,
  type MaintenanceOptions,
  type QueueConnection,
  type QueueRedis,
  type Retention,
} from './maintenance.js';
export { metricStatistics, type Datapoint, type MetricStatistics, type StatisticsQuestion } from './metric-statistics.js';
export {
  queryMetrics,
  type LatencyStatistics,
  type MetricPoint,
  type MetricSeries,
  type MetricsQuestion,
} from './query-metrics.js';
export { queryUsage, type UsagePage, type UsageQuestion } from './query-usage.js';
export { QuotaGrants, type QuotaGrantFields, type QuotaGrantsOptions } from './quota-grants.js';
export { createReportSink } from './report-sink.js';
export { LeaseBookLost, WatchedLeaseBook, type WatchedLeaseBookOptions } from './watched-lease-book.js';
