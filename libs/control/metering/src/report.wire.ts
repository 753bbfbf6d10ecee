import type { Histogram, ReportBatch } from '@gatehouse/contracts';
import { dayStartMs, type HistogramData, type NodeReport } from '@gatehouse/domain';

/**
 * The batch as the port takes it. Lines that can never be stored (a day that is none, numbers past 2^53) are left out
 * and counted: a batch that was refused for one of them would be sent for ever.
 */
export function reportFromWire(batch: ReportBatch): { report: NodeReport; droppedCount: number } {
  const usage = [];
  for (const { tenant, usagePlanId, apiKeyId, day, count } of batch.usage) {
    if (dayStartMs(day) === null || !isCount(count)) continue;
    usage.push({ tenant, usagePlanId, apiKeyId, day, count: Number(count) });
  }
  const metrics = [];
  for (const sample of batch.metrics) {
    const latency = histogramFromWire(sample.latency);
    const integrationLatency = histogramFromWire(sample.integrationLatency);
    if (latency === null || integrationLatency === null) continue;
    const { minute, count, errors4xx, errors5xx, cacheHits, cacheMisses } = sample;
    if (![minute, count, errors4xx, errors5xx, cacheHits, cacheMisses].every(isCount)) continue;
    const { tenant, apiId, stage, resource, httpMethod } = sample;
    metrics.push({
      tenant,
      apiId,
      stage,
      resource,
      httpMethod,
      startSeconds: Number(minute),
      count: Number(count),
      errors4xx: Number(errors4xx),
      errors5xx: Number(errors5xx),
      cacheHits: Number(cacheHits),
      cacheMisses: Number(cacheMisses),
      latency,
      integrationLatency,
    });
  }
  return {
    report: { nodeId: batch.nodeId, epoch: Number(batch.epoch), sequence: Number(batch.sequence), usage, metrics },
    droppedCount: batch.usage.length - usage.length + batch.metrics.length - metrics.length,
  };
}

const isCount = (value: bigint): boolean => value <= BigInt(Number.MAX_SAFE_INTEGER);

function histogramFromWire(histogram: Histogram | undefined): HistogramData | null {
  if (histogram === undefined) return { buckets: {}, count: 0, sumMs: 0, maxMs: 0 };
  const { bucketIndexes, bucketCounts, count, sumMs, maxMs } = histogram;
  if (bucketIndexes.length !== bucketCounts.length || ![count, ...bucketCounts].every(isCount)) return null;
  if (!Number.isFinite(sumMs) || !Number.isFinite(maxMs)) return null;
  const buckets: Record<number, number> = {};
  bucketIndexes.forEach((bucket, index) => (buckets[bucket] = (buckets[bucket] ?? 0) + Number(bucketCounts[index])));
  return { buckets, count: Number(count), sumMs, maxMs };
}
