/**
 * Composition root of a node. Order matters at both ends of its life:
 *
 *   start   admin port (not ready) -> world from disk -> listener -> control stream -> ready
 *   stop    not ready -> listener drains -> last report and its receipt -> control stream closes
 */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { SNAPSHOT_FORMAT } from '@gatehouse/contracts';
import { ControlLink } from '@gatehouse/engine-control-link';
import { BucketRegistry, QuotaLedger, UsageJournal } from '@gatehouse/engine-limits';
import { WorldKeeper } from '@gatehouse/engine-link';
import { AccessLog, RequestRecorder } from '@gatehouse/engine-record';
import type { Clock } from '@gatehouse/kernel';
import { MetricsRegistry, watchProcess } from '@gatehouse/telemetry';
import type { Logger } from 'pino';
import { startAdminServer } from './admin-server.js';
import type { Config } from './config.js';
import { closeConnectors, openConnectors } from './connectors.js';
import { openListeners, type Listeners } from './listeners.js';
import { Reporter } from './reporter.js';

const SOFTWARE_VERSION = '0.1.0';
/** Token buckets kept; see BucketRegistry for what happens beyond. */
const BUCKETS_MAX = 200_000;
/** For requests under way when the node stops; the longest integration timeout is 29 s. */
const DRAIN_MS = 30_000;
const LAST_REPORT_MS = 3_000;

export interface DataPlane {
  readonly port: number;
  readonly adminPort: number;
  /** Serves what is under way, reports what was counted, then closes everything. */
  close(): Promise<void>;
}

export async function startDataPlane(
  config: Config,
  dependencies: { readonly clock: Clock; readonly log: Logger },
): Promise<DataPlane> {
  const { clock, log } = dependencies;
  const metrics = new MetricsRegistry();
  const stopWatching = watchProcess(metrics);
  /** Neither is there before the world is read from disk. */
  let link: ControlLink | null = null;
  let listeners: Listeners | null = null;
  let isStopping = false;
  const notReady = () => [
    ...(link?.status.complete ? [] : ['manifest']),
    ...(listeners === null ? ['listener'] : []),
    ...(isStopping ? ['stopping'] : []),
  ];
  const admin = await onPort('GATEHOUSE_NODE_ADMIN_PORT', () =>
    startAdminServer({ bind: config.bind, port: config.adminPort, metrics, notReady }),
  );

  const connectors = openConnectors(config, admin.port);
  const quotas = new QuotaLedger({ requestMore: (question) => void link?.requestQuota(question) });
  // Programs are linked before the journal is open, and first run when the listener is.
  let journal: UsageJournal | null = null;
  const limits = {
    buckets: new BucketRegistry(BUCKETS_MAX),
    quotas,
    usage: {
      count: (tenant: string, planId: string, keyId: string, nowMs: number) => journal!.count(tenant, planId, keyId, nowMs),
    },
    clock,
  };
  const keeper = new WorldKeeper({
    bindings: { ...connectors, limits, metrics },
    onRefusal: (stage, reason) => log.error({ ...stage, reason }, 'stage could not be linked'),
    onRefusedRoute: (stage, route, reason) => log.warn({ ...stage, route, reason }, 'route answers 500: it could not be linked'),
  });
  link = await ControlLink.open({
    address: config.controlAddress,
    token: config.nodeToken,
    role: 'DATA_PLANE',
    dataDir: path.join(config.dataDir, 'link'),
    snapshotFormats: [SNAPSHOT_FORMAT],
    softwareVersion: SOFTWARE_VERSION,
    adminUrl: `http://${config.bind}:${admin.port}`,
    apply: (change, getBlob) => keeper.adopt(change, getBlob),
    onQuotaGrant: (grant) => quotas.granted(grant),
    onConnected: () => quotas.connected(),
    onDisconnected: () => quotas.disconnected(),
    clock,
    log,
  });
  journal = new UsageJournal(path.join(config.dataDir, 'usage'), link.epoch);
  for (const problem of journal.problems) log.error({ problem }, 'usage journal');
  watchNode(metrics, link, keeper, journal);

  const accessLog = new AccessLog(await openLog(config.accessLog), {
    dropped: metrics.counter(
      'gatehouse_record_dropped_lines_total',
      'Access log lines thrown away because their sink was too slow',
    ),
  });
  const bugs = metrics.counter('gatehouse_engine_bugs_total', 'Requests that ended in a bug of the node');
  const noteBug = (bug: unknown, doing: string) => {
    bugs.add(1);
    log.error({ err: bug, doing }, 'bug');
  };
  const recorder = new RequestRecorder({ clock, accessLog, onBug: (x) => noteBug(x.faultCause, x.faultDoing) });
  const onBug = (bug: unknown) => log.error({ err: bug }, 'a request could not be served');
  const opened = await onPort('GATEHOUSE_PORT', () => openListeners(config, { worlds: keeper, recorder, clock, onBug }));
  listeners = opened;
  link.connect();
  const reporter = new Reporter({ link, journal, quotas, metrics, epoch: link.epoch, clock });
  reporter.start();

  return {
    port: opened.port,
    adminPort: admin.port,
    close: async () => {
      isStopping = true;
      await opened.close({ deadlineMs: DRAIN_MS });
      // What has no receipt by then stays in the journal and is sent by the next start.
      await Promise.race([reporter.flush(), new Promise((resolve) => setTimeout(resolve, LAST_REPORT_MS).unref())]);
      await link.close();
      journal.close();
      await accessLog.flush();
      await Promise.all([closeConnectors(connectors), admin.close()]);
      stopWatching();
    },
  };
}

function watchNode(metrics: MetricsRegistry, link: ControlLink, keeper: WorldKeeper, journal: UsageJournal): void {
  metrics.gauge('gatehouse_node_connected', '1 while the control plane is reached', () => Number(link.status.connected));
  metrics.gauge('gatehouse_node_revision', 'Revision of the manifest that is served', () => link.status.revision);
  metrics.gauge(
    'gatehouse_node_refused_entries',
    'Manifest entries served in their last good form',
    () => link.status.refusedCount,
  );
  metrics.gauge('gatehouse_node_linked_stages', 'Stages whose programs are in memory', () => keeper.linkedCount);
  metrics.gauge('gatehouse_node_unreported_batches', 'Usage batches without a receipt', () => journal.pending().length);
}

/** The file is opened before the first request, so that a path that cannot be written is an error at the start. */
async function openLog(file: string): Promise<Writable> {
  if (file === '-') return process.stdout;
  await mkdir(path.dirname(file), { recursive: true });
  const stream = createWriteStream(file, { flags: 'a', mode: 0o600 });
  await once(stream, 'open');
  return stream;
}

async function onPort<T>(variable: string, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new Error(`Port ${(cause as { port?: number }).port} is in use. Set ${variable} to another one.`, { cause });
  }
}
