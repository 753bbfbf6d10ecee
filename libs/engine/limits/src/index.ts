export {
  BOTH_AVAILABLE,
  FAST_OPEN,
  LEASE_WAIT_MS,
  type LeaseBookState,
  type LeaseVerdict,
  type OnFallback,
} from './lease-mode.js';
export { SplitBuckets, throttlePart } from './split-buckets.js';
export { BucketRegistry, TokenBucket } from './token-bucket.js';
export { quotaPeriod, utcDay, type PeriodBounds, type QuotaPeriod } from './quota-period.js';
export {
  provisionalAllowance,
  QuotaLedger,
  type QuotaAnswer,
  type QuotaLedgerOptions,
  type QuotaPlan,
  type QuotaQuestion,
  type QuotaVerdict,
} from './quota-ledger.js';
export { provisionalPart, QuotaShares, type PlanQuota, type QuotaRecall } from './quota-shares.js';
export { UsageJournal, type CountedUsage, type UsageBatch } from './usage-journal.js';
export { RateShares, shareByDemand, type RateSharesOptions } from './rate-shares.js';
export { RateLeases, type RateAnswer, type RateLeasesOptions, type RateQuestion } from './rate-leases.js';
