/** What every node has once, however many processes serve for it: who it is to the control plane, and what it tells operators. */
import path from 'node:path';
import { LINKED_SNAPSHOT_FORMATS } from '@gatehouse/contracts';
import { ControlLink, type ControlLinkOptions } from '@gatehouse/engine-control-link';
import type { OnFallback, UsageJournal } from '@gatehouse/engine-limits';
import type { MetricsRegistry } from '@gatehouse/telemetry';
import type { Config } from './config.js';
import type { WorkerFolders } from './worker-folders.js';

const SOFTWARE_VERSION = '0.1.0';
/** Less than half of what a control plane gathers changes for (GATHER_MS in control/nodes), so that none waits for the next. */
const SPREAD_MS = 20;

export const linkFolder = (config: Config): string => path.join(config.dataDir, 'link');
export const usageFolder = (config: Config): string => path.join(config.dataDir, 'usage');

/** Resolves when what is on disk is served; connects to nobody yet. */
export function openLink(
  config: Config,
  adminPort: number,
  options: Pick<
    ControlLinkOptions,
    | 'isDiskShared'
    | 'apply'
    | 'onQuotaGrant'
    | 'onRateLeases'
    | 'onLeaseBookState'
    | 'onConnected'
    | 'onDisconnected'
    | 'testInvoke'
    | 'explain'
    | 'clock'
    | 'log'
  >,
): Promise<ControlLink> {
  return ControlLink.open({
    address: config.controlAddress,
    token: config.nodeToken,
    role: 'DATA_PLANE',
    dataDir: linkFolder(config),
    snapshotFormats: LINKED_SNAPSHOT_FORMATS,
    softwareVersion: SOFTWARE_VERSION,
    adminUrl: `http://${config.bind}:${adminPort}`,
    labels: config.labels,
    siblings: config.siblings,
    spreadMs: SPREAD_MS,
    ...(config.snapshotKey !== null && { snapshotKey: config.snapshotKey }),
    ...options,
  });
}

export function watchNode(metrics: MetricsRegistry, link: ControlLink, journal: UsageJournal): void {
  metrics.gauge('gatehouse_node_connected', '1 while the control plane is reached', () => Number(link.status.connected));
  metrics.gauge('gatehouse_node_revision', 'Revision of the manifest that is served', () => link.status.revision);
  metrics.gauge(
    'gatehouse_node_refused_entries',
    'Manifest entries served in their last good form',
    () => link.status.refusedCount,
  );
  metrics.gauge(
    'gatehouse_node_manifest_mismatches',
    'How often the manifest was not what the control plane says, since the start',
    () => link.status.mismatchCount,
  );
  metrics.gauge(
    'gatehouse_node_control_failovers',
    'Moves to another control plane, since the start',
    () => link.status.failoverCount,
  );
  metrics.gauge('gatehouse_node_unreported_batches', 'Usage batches without a receipt', () => journal.pending().length);
}

/** Decisions that no lease covered, because none could be had. */
export function fallbackCounters(metrics: MetricsRegistry): OnFallback {
  const text = 'Requests decided by the fallback of their plan because no lease could be had';
  const open = metrics.counter('gatehouse_limits_fallback_open_total', text);
  const closed = metrics.counter('gatehouse_limits_fallback_closed_total', text);
  return (fallback) => (fallback === 'OPEN' ? open : closed).add(1);
}

/**
 * Everything that earlier processes of this node counted has its receipt. Not while a worker of one of them may still count, nor when
 * something of theirs cannot be read.
 */
export function isDrained(journal: UsageJournal, folders: WorkerFolders): boolean {
  if (journal.problems.length > 0 || !folders.isEarlierTakenOver) return false;
  return journal.pending().every(({ epoch }) => epoch === journal.epoch);
}

/** For `/readyz`: a node may be ready, and on its own because the control plane refuses it. */
export const refusalDetails = (link: ControlLink | null): { controlPlaneRefusal?: string } =>
  link === null || link.status.refusal === null ? {} : { controlPlaneRefusal: link.status.refusal };

/** Says which variable to set when a port is taken. */
export async function onPort<T>(variable: string, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new Error(`Port ${(cause as { port?: number }).port} is in use. Set ${variable} to another one.`, { cause });
  }
}
