/**
 * A node in one process. Order matters at both ends of its life:
 *
 *   start   admin port (not ready) -> world from disk -> listeners -> control stream -> ready
 *   stop    not ready -> each answer ends its connection, for a while -> listeners drain -> last report and its receipt -> control stream closes
 */
import { serveSnapshots, type ControlLink, type ExplainQuestion } from '@gatehouse/engine-control-link';
import { BucketRegistry, QuotaLedger, RateLeases, UsageJournal } from '@gatehouse/engine-limits';
import { steadyClock, type Clock } from '@gatehouse/kernel';
import { openTelemetry } from '@gatehouse/otel';
import { inTurns, MetricsRegistry, prometheusSlices, watchProcess } from '@gatehouse/telemetry';
import type { Logger } from 'pino';
import { startAdminServer } from './admin-server.js';
import type { Config } from './config.js';
import { fallbackCounters, isDrained, onPort, openLink, refusalDetails, usageFolder, watchNode } from './control-half.js';
import { Reporter } from './reporter.js';
import { openSharedResponses } from './response-cache.js';
import { BUCKETS_MAX, LAST_REPORT_MS, LAST_WORDS_MS, LEASE_TICK_MS, SERVICE_NAME, Serving } from './serving.js';
import { WorkerFolders } from './worker-folders.js';

export interface DataPlane {
  readonly port: number;
  readonly adminPort: number;
  /** Serves what is under way, reports what was counted, then closes everything. */
  close(): Promise<void>;
  /** Before the process ends at once: leaves nothing running that it started. */
  abandon(): void;
}

export async function startDataPlane(
  config: Config,
  dependencies: { readonly clock: Clock; readonly log: Logger },
): Promise<DataPlane> {
  const { clock, log } = dependencies;
  const metrics = new MetricsRegistry();
  const stopWatching = watchProcess(metrics);
  const telemetry = await openTelemetry({ serviceName: SERVICE_NAME, registry: metrics, environment: process.env });
  /** Neither is there before the world is read from disk. */
  let link: ControlLink | null = null;
  let serving: Serving | null = null;
  let isStopping = false;
  const notReady = () => [
    ...(link?.status.complete ? [] : ['manifest']),
    ...(serving?.isOpen ? [] : ['listener']),
    ...(isStopping ? ['stopping'] : []),
  ];
  const admin = await onPort('GATEHOUSE_NODE_ADMIN_PORT', () =>
    startAdminServer({
      bind: config.bind,
      port: config.adminPort,
      metrics: () => inTurns(prometheusSlices(metrics)),
      notReady,
      details: () => refusalDetails(link),
      snapshot: serveSnapshots(() => link?.snapshot() ?? null, config.nodeToken, log),
    }),
  );

  const onFallback = fallbackCounters(metrics);
  const quotas = new QuotaLedger({ requestMore: (question) => void link?.requestQuota(question), onFallback });
  const rates = new RateLeases({ request: (questions) => void link?.requestRates(questions), onFallback });
  const buckets = new BucketRegistry(BUCKETS_MAX);
  const opening = new Serving({
    config,
    adminPort: admin.port,
    sharesPort: false,
    quotas,
    rates,
    buckets,
    metrics,
    tracing: telemetry.tracing,
    sharedResponses: await openSharedResponses(config, log),
    clock,
    log,
  });
  serving = opening;
  const opened = await openLink(config, admin.port, {
    apply: (change, getBlob) => opening.adopt(change, getBlob),
    testInvoke: (request) => opening.testInvoke(request),
    ...(config.explainMebibytes > 0 && { explain: async (question: ExplainQuestion) => opening.explain(question) }),
    onQuotaGrant: (grant) => quotas.granted(grant),
    onRateLeases: (leases) => rates.granted(leases, steadyClock.nowMs()),
    onLeaseBookState: (state) => {
      quotas.bookState(state);
      rates.bookState(state);
    },
    onConnected: () => {
      quotas.connected();
      rates.connected();
    },
    onDisconnected: () => {
      quotas.disconnected();
      rates.disconnected();
    },
    clock,
    log,
  });
  link = opened;
  const journal = new UsageJournal(usageFolder(config), opened.epoch);
  watchNode(metrics, opened, journal);
  const port = await onPort('GATEHOUSE_PORT', () => opening.open(journal, config.port));
  opened.connect();
  const reporter = new Reporter({ link: opened, journal, quotas, metrics, epoch: opened.epoch, clock: steadyClock });
  reporter.start();
  // The node may have had workers before.
  const folders = new WorkerFolders({ folder: usageFolder(config), journal, log });
  folders.watch((batch) => void reporter.relay(batch, []));
  const leaseTimer = setInterval(() => {
    quotas.tick(clock.nowMs());
    rates.tick(steadyClock.nowMs());
    // Said again and again: it is cheap, and whoever kept the book may have lost it.
    if (isDrained(journal, folders)) opened.journalDrained();
  }, LEASE_TICK_MS);

  return {
    port,
    adminPort: admin.port,
    close: async () => {
      isStopping = true;
      folders.close();
      await opening.drain();
      // What has no receipt by then stays in the journal and is sent by the next start.
      await Promise.race([reporter.flush(), new Promise((resolve) => setTimeout(resolve, LAST_REPORT_MS).unref())]);
      clearInterval(leaseTimer);
      quotas.close();
      if (opened.status.connected) await new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS)); // the stream is cancelled, not ended
      await opened.close();
      await Promise.all([opening.close(), admin.close()]);
      stopWatching();
      await telemetry.close();
    },
    abandon: () => undefined,
  };
}
