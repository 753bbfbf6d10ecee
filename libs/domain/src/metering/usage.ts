/** Requests of one key under one plan on one UTC day. */
export interface UsageCount {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  /** `YYYY-MM-DD`, UTC. */
  readonly day: string;
  readonly count: number;
}

export type UsageKey = Pick<UsageCount, 'usagePlanId' | 'apiKeyId' | 'day'>;

/** Granted by UpdateUsage: what remains of the quota in the current period is set to this from then on. */
export interface QuotaExtension {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  /** First UTC day of the period it holds for. */
  readonly periodStart: string;
  /** Added to the plan's limit for this key in this period; may be negative. */
  readonly extra: number;
}

export interface MetricKey {
  readonly apiId: string;
  readonly stage: string;
  readonly resource: string;
  readonly httpMethod: string;
  /** Start of the interval, seconds since the Unix epoch. */
  readonly startSeconds: number;
}

export interface MetricSample extends MetricKey {
  readonly count: number;
  readonly errors4xx: number;
  readonly errors5xx: number;
  /** Of requests of a method that has a cache. */
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly latency: HistogramData;
  readonly integrationLatency: HistogramData;
}

/** Sparse log-linear histogram of milliseconds; bucket layout: foundation/telemetry. */
export interface HistogramData {
  readonly buckets: Readonly<Record<number, number>>;
  readonly count: number;
  readonly sumMs: number;
  readonly maxMs: number;
}

/** One batch of a node, applied once however often it arrives. */
export interface NodeReport {
  readonly nodeId: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly usage: readonly (UsageCount & { readonly tenant: string })[];
  readonly metrics: readonly (MetricSample & { readonly tenant: string })[];
}

export type MetricPeriod = 'MINUTE' | 'HOUR' | 'DAY';
