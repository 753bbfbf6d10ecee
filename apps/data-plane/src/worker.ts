/** A worker process: serves the port together with its siblings, and leaves everything else to the supervisor. */
import { readStoredBlob, type Report } from '@gatehouse/engine-control-link';
import { BucketRegistry, provisionalPart, QuotaLedger, RateLeases, SplitBuckets, UsageJournal } from '@gatehouse/engine-limits';
import { steadyClock, systemClock as clock } from '@gatehouse/kernel';
import { openTelemetry } from '@gatehouse/otel';
import { inTurns, MetricsRegistry, partsOf, watchProcess } from '@gatehouse/telemetry';
import { readDataPlaneConfig } from './config.js';
import { fallbackCounters, linkFolder } from './control-half.js';
import type { FromWorker, ToWorker } from './ipc.js';
import { openNodeLog } from './node-log.js';
import { Reporter } from './reporter.js';
import { openSharedResponses } from './response-cache.js';
import { BUCKETS_MAX, LAST_REPORT_MS, LEASE_TICK_MS, SERVICE_NAME, Serving } from './serving.js';

const [slot, workerCount, adminPort] = process.argv.slice(2).map(Number) as [number, number, number];
const config = readDataPlaneConfig(process.env);
const log = openNodeLog(config, { worker: slot });

const say = (message: FromWorker): void => {
  if (process.connected) process.send!(message, () => undefined); // a supervisor that is gone is told nothing
};

const metrics = new MetricsRegistry();
watchProcess(metrics);
const telemetry = await openTelemetry({ serviceName: SERVICE_NAME, registry: metrics, environment: process.env });
const onFallback = fallbackCounters(metrics);
const quotas = new QuotaLedger({
  requestMore: (question) => say({ kind: 'question', question }),
  provisional: (limit) => provisionalPart(limit, workerCount),
  onFallback,
});
const rates = new RateLeases({
  request: (questions) => say({ kind: 'rateQuestions', questions }),
  processCount: workerCount,
  onFallback,
});
// Throttles of a stage's method are each node's own.
const buckets = new SplitBuckets(new BucketRegistry(BUCKETS_MAX), workerCount);
const serving = new Serving({
  config,
  adminPort,
  sharesPort: true,
  slot,
  quotas,
  rates,
  buckets,
  metrics,
  tracing: telemetry.tracing,
  sharedResponses: await openSharedResponses(config, log),
  clock,
  log,
});

const wantedBlobs = new Map<string, PromiseWithResolvers<boolean>>();
const getBlob = async (digest: string): Promise<Uint8Array | null> => {
  const bytes = await readStoredBlob(linkFolder(config), digest);
  if (bytes !== null || !process.connected) return bytes;
  let wanted = wantedBlobs.get(digest);
  if (wanted === undefined) {
    wantedBlobs.set(digest, (wanted = Promise.withResolvers<boolean>()));
    say({ kind: 'wantBlob', digest });
  }
  return (await wanted.promise) ? readStoredBlob(linkFolder(config), digest) : null;
};

const receipts = new Map<number, PromiseWithResolvers<boolean>>();
let isControlPlaneReached = false;
const link = {
  get status() {
    return { connected: isControlPlaneReached && process.connected };
  },
  report: (report: Report): Promise<boolean> => {
    const receipt = Promise.withResolvers<boolean>();
    receipts.set(report.sequence, receipt);
    say({ kind: 'report', report });
    return receipt.promise;
  },
};

function setConnected(isConnected: boolean): void {
  isControlPlaneReached = isConnected;
  for (const leases of [quotas, rates]) {
    if (isConnected) leases.connected();
    else leases.disconnected();
  }
}

const leaseTimer = setInterval(() => {
  quotas.tick(clock.nowMs());
  rates.tick(steadyClock.nowMs());
}, LEASE_TICK_MS);

let reporter: Reporter | null = null;
async function serve({ port, epoch, folder }: Extract<ToWorker, { kind: 'serve' }>): Promise<void> {
  const journal = new UsageJournal(folder, epoch);
  await serving.open(journal, port);
  // What was reported is the supervisor's to know: it speaks for all workers.
  reporter = new Reporter({ link, journal, quotas: { reported: () => undefined }, metrics, epoch, clock: steadyClock });
  reporter.start();
  say({ kind: 'serving' });
}

/** In parts, with requests between them; the empty one is the last. */
async function sendPage(id: number): Promise<void> {
  for await (const part of inTurns(partsOf(metrics))) say({ kind: 'page', id, part });
  say({ kind: 'page', id, part: null });
}

async function fail(cause: unknown): Promise<void> {
  const reason = (cause as Error).message;
  log.error({ err: cause }, 'worker failed');
  await new Promise<void>((resolve) => {
    if (!process.send?.({ kind: 'failed', reason } satisfies FromWorker, () => resolve())) resolve();
  });
  process.exit(1);
}

let isStopping = false;
async function stop(reason: string): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  log.info({ reason }, 'worker stops');
  await serving.drain();
  clearInterval(leaseTimer); // what is left is given back by the supervisor, which knows what was counted
  const flushed = reporter?.flush() ?? Promise.resolve();
  await Promise.race([flushed, new Promise((resolve) => setTimeout(resolve, LAST_REPORT_MS))]);
  await serving.close();
  await telemetry.close();
  process.exit(0);
}

function told(message: ToWorker): void {
  switch (message.kind) {
    case 'change':
      void serving
        .adopt(message.change, getBlob)
        .then((refusals) => say({ kind: 'applied', id: message.id, refusals }))
        .catch(fail);
      return;
    case 'serve':
      void serve(message).catch(fail);
      return;
    case 'connected':
      setConnected(message.isConnected);
      return;
    case 'books':
      quotas.bookState(message.state);
      rates.bookState(message.state);
      return;
    case 'blob':
      wantedBlobs.get(message.digest)?.resolve(message.isOnDisk);
      wantedBlobs.delete(message.digest);
      return;
    case 'grant':
      quotas.granted(message.answer);
      return;
    case 'rates':
      rates.granted(message.answers, steadyClock.nowMs());
      return;
    case 'recall': {
      const { usagePlanId, apiKeyId, periodStart, quota } = message.recall;
      const { limits } = quota;
      const left = quotas.recall({ usagePlanId, quota, ...(limits && { limits }) }, apiKeyId, periodStart, clock.nowMs());
      say({ kind: 'recalled', recall: message.recall, left });
      return;
    }
    case 'receipt':
      receipts.get(message.sequence)?.resolve(true);
      receipts.delete(message.sequence);
      return;
    case 'page':
      void sendPage(message.id).catch(fail);
      return;
    case 'test':
      void serving.testInvoke(message.request).then(
        (answer) => say({ kind: 'tested', id: message.id, answer, failure: '' }),
        (cause: unknown) => say({ kind: 'tested', id: message.id, answer: null, failure: (cause as Error).message }),
      );
      return;
    case 'explain':
      say({ kind: 'explained', id: message.id, reply: serving.explain(message.question) });
      return;
    case 'ping':
      say({ kind: 'pong' });
      return;
    case 'stop':
      void stop('told by the supervisor').catch(fail);
  }
}

process.on('message', (message) => told(message as ToWorker));
process.on('disconnect', () => {
  setConnected(false);
  for (const { resolve } of [...wantedBlobs.values(), ...receipts.values()]) resolve(false);
  void stop('supervisor is gone').catch(fail);
});
// Meant for the node, and sent to the whole group by a terminal or a service manager: the supervisor decides.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
say({ kind: 'hello' });
