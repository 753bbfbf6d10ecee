/** Both ends of the node protocol over real sockets, with a store in memory and a world that is a map. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ProtocolRange } from '@gatehouse/contracts';
import { createReportSink, LeaseOffice } from '@gatehouse/control-metering';
import { NodeLinkServer, type NodesLog, type SealSigner } from '@gatehouse/control-nodes';
import { InMemoryStore, tenantId, type EntryKind, type LeaseBook, type TenantId } from '@gatehouse/domain';
import {
  ControlLink,
  type ControlLinkOptions,
  type EntryName,
  type GetBlob,
  type ManifestChange,
  type Refusal,
} from '@gatehouse/engine-control-link';
import { Secret, systemClock, type Clock } from '@gatehouse/kernel';

export const TENANT: TenantId = tenantId('111122223333');
export const TOKEN = new Secret('node-token-for-tests');

export const quiet: NodesLog = { info: () => {}, warn: () => {}, error: () => {} };

export interface TestControlPlane {
  readonly port: number;
  readonly server: NodeLinkServer;
  readonly leases: LeaseOffice;
  stop(): Promise<void>;
}

export async function startControlPlane(
  store: InMemoryStore,
  options: {
    port?: number;
    heartbeatMs?: number;
    pollMs?: number;
    log?: NodesLog;
    fastBook?: LeaseBook;
    signer?: SealSigner;
    protocol?: ProtocolRange;
    clock?: Clock;
  } = {},
): Promise<TestControlPlane> {
  const log = options.log ?? quiet;
  const { metering, nodes, leases: strict } = store;
  const leases = new LeaseOffice({
    fast: options.fastBook ?? strict,
    strict,
    metering,
    nodes,
    clock: options.clock ?? systemClock,
    log,
    settleMs: 0,
    probeMs: 20,
  });
  const server = new NodeLinkServer({
    manifest: store.manifest,
    nodes: store.nodes,
    token: TOKEN,
    leases,
    signer: options.signer ?? null,
    applyReport: createReportSink({ metering: store.metering, log }),
    clock: options.clock ?? systemClock,
    log,
    ...(options.protocol !== undefined && { protocol: options.protocol }),
    heartbeatMs: options.heartbeatMs ?? 50,
    pollMs: options.pollMs ?? 200,
  });
  const port = await server.listen('127.0.0.1', options.port ?? 0);
  return { port, server, leases, stop: () => server.close() };
}

/** A world that holds texts and refuses those that begin with `BAD`. */
export class TextWorld {
  readonly texts = new Map<string, string>();
  changeCount = 0;
  getBlob: GetBlob = async () => null;

  readonly apply = async (change: ManifestChange, getBlob: GetBlob): Promise<Refusal[]> => {
    this.getBlob = getBlob;
    this.changeCount++;
    const refusals: Refusal[] = [];
    for (const { kind, id, digest, inline } of change.entries) {
      const bytes = digest === null ? null : await getBlob(digest);
      const text = digest === null ? inline : bytes === null ? null : new TextDecoder().decode(bytes);
      if (text === null) refusals.push({ kind, id, reason: 'no blob' });
      else if (text.startsWith('BAD')) refusals.push({ kind, id, reason: text });
      else this.texts.set(keyOf({ kind, id }), text);
    }
    for (const name of change.removed) this.texts.delete(keyOf(name));
    return refusals;
  };

  get content(): Record<string, string> {
    return Object.fromEntries([...this.texts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

const keyOf = ({ kind, id }: EntryName): string => `${kind} ${id}`;

export interface TestNode {
  readonly link: ControlLink;
  readonly world: TextWorld;
}

export async function openNode(
  dataDir: string,
  port: number,
  options: Partial<ControlLinkOptions> & { world?: TextWorld } = {},
): Promise<TestNode> {
  const { world = new TextWorld(), ...rest } = options;
  const link = await ControlLink.open({
    address: `127.0.0.1:${port}`,
    token: TOKEN,
    role: 'DATA_PLANE',
    dataDir,
    snapshotFormats: [1],
    softwareVersion: 'test',
    apply: world.apply,
    clock: systemClock,
    log: quiet,
    silenceMs: 2_000,
    backOff: { minMs: 5, maxMs: 50 },
    ...rest,
  });
  return { link, world };
}

export async function startNode(...settings: Parameters<typeof openNode>): Promise<TestNode> {
  const node = await openNode(...settings);
  node.link.connect();
  return node;
}

export function publishBlob(
  store: InMemoryStore,
  id: string,
  text: string,
  kind: EntryKind = 'STAGE',
  pools?: readonly string[],
): Promise<number> {
  return store.tenants.transact(TENANT, async (tx) => {
    const bytes = new TextEncoder().encode(text);
    return tx.manifest.put(kind, id, {
      digest: await tx.blobs.put(bytes),
      blobBytes: bytes.length,
      inline: '',
      ...(pools && { pools }),
    });
  });
}

export function publishInline(
  store: InMemoryStore,
  kind: EntryKind,
  id: string,
  text: string,
  pools?: readonly string[],
): Promise<number> {
  const content = { digest: null, blobBytes: 0, inline: text, ...(pools !== undefined && { pools }) };
  return store.tenants.transact(TENANT, (tx) => tx.manifest.put(kind, id, content));
}

export function unpublish(store: InMemoryStore, kind: EntryKind, id: string): Promise<number> {
  return store.tenants.transact(TENANT, (tx) => tx.manifest.remove(kind, id));
}

/** A folder for one test's disk stores, and what undoes everything, newest first. */
export async function testFolder(): Promise<{
  folder: string;
  cleanUps: (() => Promise<unknown> | unknown)[];
  close(): Promise<void>;
}> {
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-node-link-'));
  const cleanUps: (() => Promise<unknown> | unknown)[] = [];
  return {
    folder,
    cleanUps,
    close: async () => {
      for (const cleanUp of cleanUps.reverse()) await cleanUp();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
