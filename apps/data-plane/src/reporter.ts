/**
 * Sends what the node counted to the control plane: usage every second, metrics every five. While nobody is connected
 * both wait where they are counted: usage in the journal's file, metrics in the registry's minutes.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ControlLink, LinkStatus, Report } from '@gatehouse/engine-control-link';
import type { QuotaLedger, UsageBatch, UsageJournal } from '@gatehouse/engine-limits';
import type { Clock } from '@gatehouse/kernel';
import type { HistogramData, MetricSample, MetricsRegistry } from '@gatehouse/telemetry';

const USAGE_EVERY_MS = 1_000;
const METRICS_EVERY_MS = 5_000;
/**
 * Packed in one turn of the event loop: about 5 ms. 20,000 in one go would hold up requests for 200 ms. Each has a batch of its own, which
 * is encoded in one go, too.
 */
const SERIES_PER_TURN = 500;
/** A series that nobody took for an hour has sixty of them. */
const SAMPLES_PER_BATCH_MAX = 2_000;

export interface ReporterOptions {
  readonly link: Pick<ControlLink, 'report'> & { readonly status: Pick<LinkStatus, 'connected'> };
  readonly journal: Pick<UsageJournal, 'rotate' | 'isDue' | 'pending' | 'acknowledge'>;
  readonly quotas: Pick<QuotaLedger, 'reported'>;
  readonly metrics: Pick<MetricsRegistry, 'takeSamples' | 'activeCount'>;
  /** This process's epoch: what it counted is told to the quotas, what an earlier one left is not. */
  readonly epoch: number;
  /** For durations. */
  readonly clock: Clock;
}

export class Reporter {
  private timer: NodeJS.Timeout | null = null;
  private metricsSentAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: ReporterOptions) {}

  /** Sends first what an earlier process left behind. */
  start(): void {
    for (const batch of this.options.journal.pending()) void this.send(batch, []);
    this.timer = setInterval(() => this.tick(), USAGE_EVERY_MS);
  }

  /** Sends everything now; resolves when it has its receipts, or the link closed. */
  async flush(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    await this.sendAll(true);
  }

  tick(): void {
    void this.sendAll(this.options.clock.nowMs() - this.metricsSentAtMs >= METRICS_EVERY_MS);
  }

  /** Sends what another process of the node counted and packed, under the name it was given here. False: it has no receipt. */
  async relay(batch: UsageBatch, metrics: Report['metrics']): Promise<boolean> {
    return this.deliver(batch, { ...reportOf(batch, []), metrics: metrics ?? [] });
  }

  private async sendAll(withMetrics: boolean): Promise<void> {
    const { link, journal, metrics, clock } = this.options;
    if (!link.status.connected) return;
    if (withMetrics) this.metricsSentAtMs = clock.nowMs();
    const sent: Promise<void>[] = [];
    // Those that are recorded into meanwhile wait for the next time.
    for (let left = withMetrics ? metrics.activeCount : 0; ; left -= SERIES_PER_TURN) {
      const samples = left > 0 ? metrics.takeSamples(Math.min(left, SERIES_PER_TURN)) : [];
      let from = 0;
      while (journal.isDue || from < samples.length) {
        sent.push(this.send(journal.rotate(), samples.slice(from, from + SAMPLES_PER_BATCH_MAX)));
        from += SAMPLES_PER_BATCH_MAX;
      }
      if (left <= SERIES_PER_TURN) break;
      await nextTurn();
    }
    await Promise.all(sent);
  }

  private async send(batch: UsageBatch, samples: readonly MetricSample[]): Promise<void> {
    await this.deliver(batch, reportOf(batch, samples));
  }

  private async deliver(batch: UsageBatch, report: Report): Promise<boolean> {
    const { link, journal, quotas, epoch } = this.options;
    if (!(await link.report(report))) return false; // the journal keeps the usage for the next start
    const acknowledged = journal.acknowledge(batch.epoch, batch.sequence);
    if (acknowledged !== null && batch.epoch === epoch) for (const count of acknowledged.counts) quotas.reported(count);
    return true;
  }
}

function reportOf({ epoch, sequence, counts }: UsageBatch, samples: readonly MetricSample[]): Report {
  return {
    epoch,
    sequence,
    usage: counts.map((usage) => ({ ...usage, count: BigInt(usage.count) })),
    metrics: samples.map(
      ({ startSeconds, count, errors4xx, errors5xx, cacheHits, cacheMisses, latency, integrationLatency, ...labels }) => ({
        ...labels,
        minute: BigInt(startSeconds),
        count: BigInt(count),
        errors4xx: BigInt(errors4xx),
        errors5xx: BigInt(errors5xx),
        cacheHits: BigInt(cacheHits),
        cacheMisses: BigInt(cacheMisses),
        latency: histogramOf(latency),
        integrationLatency: histogramOf(integrationLatency),
      }),
    ),
  };
}

function histogramOf({ buckets, count, sumMs, maxMs }: HistogramData) {
  return {
    bucketIndexes: Object.keys(buckets).map(Number),
    bucketCounts: Object.values(buckets).map(BigInt),
    count: BigInt(count),
    sumMs,
    maxMs,
  };
}
