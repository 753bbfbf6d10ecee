export { SplitBuckets, throttlePart } from './split-buckets.js';
export { BucketRegistry, TokenBucket } from './token-bucket.js';
export { quotaPeriod, utcDay, type PeriodBounds, type QuotaPeriod } from './quota-period.js';
export {
  provisionalAllowance,
  QuotaLedger,
  type QuotaAnswer,
  type QuotaLedgerOptions,
  type QuotaQuestion,
  type QuotaVerdict,
} from './quota-ledger.js';
export { provisionalPart, QuotaShares, type PlanQuota, type QuotaRecall } from './quota-shares.js';
export { UsageJournal, type CountedUsage, type UsageBatch } from './usage-journal.js';
