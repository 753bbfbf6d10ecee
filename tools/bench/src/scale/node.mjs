// One node of `npm run bench -- scale`, in a process of its own: `node.mjs <percent> <parts> <holds>` prints one line of JSON.
//
//   parts   stages, keys, or both: what is in its manifest
//   holds   world: as a node; table: only the manifest, nothing of it served
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { apiIdOf, entriesOf, keyDigestOf, sizeOf, tenantOfKey } from './data.mjs';

const ROOT = path.resolve(import.meta.dirname, '../../../..');
const built = (project, file = 'index.js') => import(pathToFileURL(path.join(ROOT, 'libs', project, 'dist', file)).href);
const [{ ControlLink }, { DiskStore }, { DiskFiles }, { WorldKeeper }, limits, telemetry, kernel, { Exchange }] =
  await Promise.all([
    built('engine/control-link'),
    built('engine/control-link', 'disk-store.js'),
    built('engine/control-link', 'files.js'),
    built('engine/link'),
    built('engine/limits'),
    built('foundation/telemetry'),
    built('foundation/kernel'),
    built('engine/exchange'),
  ]);

/** Linked in one go at most: as many routes as a node keeps (WorldKeeper.routesMax). */
const LINKED_STAGES_MAX = 4_000;
const LOOKUPS = 200_000;
const LOOKUP_ROUNDS = 5;
const paths = Array.from({ length: 10 }, (_, i) => [`/things${i}`, `/things${i}/77`, `/things${i}/77/parts/3`]).flat();

const [percent, parts, holds] = [Number(process.argv[2]), process.argv[3].split(','), process.argv[4]];
const size = sizeOf(percent);
const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-scale-'));
try {
  const manifestBytes = await writeDisk();
  const noBackend = { call: () => Promise.resolve({ failure: 'NETWORK', cause: null }) };
  const keeper = new WorldKeeper({
    eagerLinksMax: 0,
    bindings: {
      limits: {
        buckets: new limits.BucketRegistry(100_000),
        quotas: new limits.QuotaLedger({ requestMore: () => undefined }),
        usage: { count: () => undefined },
        clock: kernel.systemClock,
      },
      http: noBackend,
      insecureHttp: noBackend,
      functions: noBackend,
      metrics: new telemetry.MetricsRegistry(),
    },
  });
  const refusals = [];
  const emptyBytes = usedBytes();
  const startedMs = performance.now();
  const link = await ControlLink.open({
    address: '127.0.0.1:1',
    token: new kernel.Secret('scale'),
    role: 'DATA_PLANE',
    dataDir: folder,
    snapshotFormats: [1],
    softwareVersion: '0.0.0',
    apply: async (change, getBlob) => {
      if (holds !== 'world') return [];
      const refused = await keeper.adopt(change, getBlob);
      refusals.push(...refused);
      return refused;
    },
    clock: kernel.systemClock,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  const startMs = performance.now() - startedMs;
  const residentBytes = process.memoryUsage().rss;
  if (!link.status.complete || refusals.length > 0)
    throw new Error(`The node refused ${refusals.length} entries: ${refusals[0]?.reason}`);
  const heldBytes = usedBytes() - emptyBytes;
  const result = { percent, parts, holds, entryCount: link.status.entryCount, manifestBytes, startMs, residentBytes, heldBytes };
  if (holds === 'world' && parts.length > 1) Object.assign(result, await useStages(keeper), timeKeys(keeper));
  await link.close();
  process.stdout.write(`${JSON.stringify(result)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** What an earlier run of the node would have left on its disk. */
async function writeDisk() {
  const store = await DiskStore.open(await DiskFiles.open(folder));
  const made = new Set();
  const entries = entriesOf(size, parts, (digest, bytes) => {
    const shard = path.join(folder, 'blobs', digest.slice(0, 2));
    if (!made.has(shard)) mkdirSync(shard, { recursive: true });
    made.add(shard);
    writeFileSync(path.join(shard, digest), bytes);
  });
  await store.changes.rewrite({ revision: 10_000_000, entries, lastGood: [], seal: null });
  await store.close();
  return statSync(path.join(folder, 'manifest.log')).size;
}

/** Bytes that are alive; garbage is collected first. */
function usedBytes() {
  for (let i = 0; i < 3; i++) globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function useStages(keeper) {
  const stageCount = Math.min(size.apis, LINKED_STAGES_MAX);
  const before = usedBytes();
  const startedMs = performance.now();
  const stages = [];
  for (let index = 0; index < stageCount; index++) stages.push(await keeper.stage(keeper.current, apiIdOf(index), 'prod'));
  const linkStageMs = (performance.now() - startedMs) / stageCount;
  const linkedRoutes = stages.reduce((sum, stage) => sum + stage.snapshot.routes.length, 0);
  stages.length = 0;
  const linkedBytesPerRoute = (usedBytes() - before) / linkedRoutes;
  const x = new Exchange();
  x.httpMethod = 'GET';
  const apiIds = Array.from({ length: stageCount }, (_, index) => apiIdOf((index * 7_919) % stageCount));
  const routeLookupNs = fastestNs((i) => {
    const stage = keeper.stage(keeper.current, apiIds[i % apiIds.length], 'prod');
    x.params.length = 0;
    x.resourcePath = paths[i % paths.length];
    if (stage.match(x) === null) throw new Error(`No route for ${x.resourcePath}`);
  });
  return { linkedRoutes, linkedBytesPerRoute, linkStageMs, routeLookupNs };
}

function timeKeys(keeper) {
  const known = Array.from({ length: Math.min(size.keys, LOOKUPS) }, (_, i) => (i * 7_919) % size.keys);
  const asked = known.map((index) => [tenantOfKey(index), keyDigestOf(index)]);
  const keyLookupNs = fastestNs((i) => {
    const [tenant, digest] = asked[i % asked.length];
    if (keeper.current.apiKey(tenant, digest) === null) throw new Error('A key is missing');
  });
  return { keyLookupNs };
}

/** Of five rounds: what others do to the machine only makes a round slower. */
function fastestNs(lookUp) {
  let fastest = Infinity;
  for (let round = 0; round < LOOKUP_ROUNDS; round++) {
    const startedMs = performance.now();
    for (let i = 0; i < LOOKUPS; i++) lookUp(i);
    fastest = Math.min(fastest, ((performance.now() - startedMs) * 1e6) / LOOKUPS);
  }
  return fastest;
}
