import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { create } from '@bufbuild/protobuf';
import { ControlMessageSchema, grpcService, NodeLink } from '@gatehouse/contracts';
import { createNodeAdmin } from '@gatehouse/control-nodes';
import { InMemoryStore } from '@gatehouse/domain';
import { ManualClock, Secret, sha256Hex } from '@gatehouse/kernel';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  openNode,
  publishBlob,
  publishInline,
  startControlPlane,
  startNode,
  TENANT,
  testFolder,
  unpublish,
  type TestControlPlane,
} from './harness.js';
import { sampleRestApi } from '@gatehouse/domain/samples';

let store: InMemoryStore;
let control: TestControlPlane;
let dataDir: string;
let scope: Awaited<ReturnType<typeof testFolder>>;

beforeEach(async () => {
  scope = await testFolder();
  store = new InMemoryStore();
  control = await startControlPlane(store);
  scope.cleanUps.push(() => control.stop());
  dataDir = path.join(scope.folder, 'node');
});
afterEach(() => scope.close());

async function node(options: Parameters<typeof startNode>[2] = {}, folder = dataDir, port = control.port) {
  const started = await startNode(folder, port, options);
  scope.cleanUps.push(() => started.link.close());
  return started;
}
const eventually = (assertion: () => void | Promise<void>) => vi.waitFor(assertion, { timeout: 10_000, interval: 5 });
const recordOf = async (nodeId: string) => (await store.nodes.list()).find((record) => record.nodeId === nodeId);

async function blobFiles(): Promise<string[]> {
  const folders = await readdir(path.join(dataDir, 'blobs'));
  const files = await Promise.all(
    folders.map(async (name) =>
      (await readdir(path.join(dataDir, 'blobs', name))).map((file) => path.join(dataDir, 'blobs', name, file)),
    ),
  );
  return files.flat();
}

test('a new node gets the whole manifest with its blobs, then every change as it is committed', async () => {
  await publishBlob(store, 'a/dev', 'one');
  await publishInline(store, 'USAGE_PLAN', 'plan', '{"p":1}');
  const { link, world } = await node();
  await eventually(() => expect(world.content).toEqual({ 'STAGE a/dev': 'one', 'USAGE_PLAN plan': '{"p":1}' }));

  const revision = await publishBlob(store, 'a/dev', 'two');
  await eventually(() => expect(world.content['STAGE a/dev']).toBe('two'));
  await eventually(async () => expect((await recordOf(link.nodeId))?.ackedRevision).toBe(revision));
  expect(world.changeCount, 'the second manifest was a delta').toBe(2);
  expect(link.status).toMatchObject({ connected: true, complete: true, revision, refusedCount: 0 });
});

test('each role is sent its own kinds and acknowledges the revisions of the others all the same', async () => {
  await publishBlob(store, 'a/dev', 'stage');
  await publishBlob(store, '111122223333:f:1', 'zip', 'FUNCTION');
  const runner = await node({ role: 'FUNCTION_RUNNER' });
  await eventually(() => expect(runner.world.content).toEqual({ 'FUNCTION 111122223333:f:1': 'zip' }));
  const revision = await publishBlob(store, 'a/dev', 'stage 2');
  await eventually(async () => expect((await recordOf(runner.link.nodeId))?.ackedRevision).toBe(revision));
  expect(runner.world.changeCount).toBe(1);
});

test('an entry the node refuses does not stop the others, and its last good form is served, also after a restart', async () => {
  await publishBlob(store, 'a/dev', 'good');
  const first = await node();
  await eventually(() => expect(first.world.content).toEqual({ 'STAGE a/dev': 'good' }));
  const revision = await store.tenants.transact(TENANT, async (tx) => {
    const bad = new TextEncoder().encode('BAD bytes');
    await tx.manifest.put('STAGE', 'a/dev', { digest: await tx.blobs.put(bad), blobBytes: bad.length, inline: '' });
    return tx.manifest.put('USAGE_PLAN', 'plan', { digest: null, blobBytes: 0, inline: 'fine' });
  });
  await eventually(() => expect(first.link.status.revision).toBe(revision));
  expect(first.world.content).toEqual({ 'STAGE a/dev': 'good', 'USAGE_PLAN plan': 'fine' });
  await eventually(async () =>
    expect(await store.nodes.refusals()).toMatchObject([{ kind: 'STAGE', entryId: 'a/dev', reason: 'BAD bytes' }]),
  );
  await first.link.close();

  const again = await openNode(dataDir, 1);
  scope.cleanUps.push(() => again.link.close());
  expect(again.world.content).toEqual({ 'STAGE a/dev': 'good', 'USAGE_PLAN plan': 'fine' });
  expect(again.link.status.refusedCount).toBe(1);
});

test('a refusal is over when the node takes the next revision of the entry', async () => {
  await publishBlob(store, 'a/dev', 'BAD');
  const { link, world } = await node();
  await eventually(async () => expect(await store.nodes.refusals()).toHaveLength(1));
  await publishBlob(store, 'a/dev', 'better');
  await eventually(() => expect(world.content).toEqual({ 'STAGE a/dev': 'better' }));
  await eventually(async () => expect(await store.nodes.refusals()).toEqual([]));
  expect(link.status.refusedCount).toBe(0);
});

test('an apply that throws refuses its entries and the stream lives on', async () => {
  const { link, world } = await node({
    apply: (change, getBlob) => {
      if (change.entries.some(({ inline }) => inline === 'boom')) throw new Error('bug');
      return world.apply(change, getBlob);
    },
  });
  await publishInline(store, 'API_KEY', 'k1', 'boom');
  await eventually(async () => expect(await store.nodes.refusals()).toMatchObject([{ reason: 'internal error: bug' }]));
  await publishInline(store, 'API_KEY', 'k2', 'fine');
  await eventually(() => expect(world.content).toEqual({ 'API_KEY k2': 'fine' }));
  expect(link.status.connected).toBe(true);
});

test('a removed entry goes away, also when the node was not connected at the time', async () => {
  await publishBlob(store, 'a/dev', 'one');
  await publishBlob(store, 'b/dev', 'two');
  await publishBlob(store, 'c/dev', 'three');
  const first = await node();
  await eventually(() => expect(first.world.texts.size).toBe(3));
  await unpublish(store, 'STAGE', 'a/dev');
  await eventually(() => expect(Object.keys(first.world.content)).toEqual(['STAGE b/dev', 'STAGE c/dev']));
  await first.link.close();
  await unpublish(store, 'STAGE', 'b/dev');
  const again = await node();
  await eventually(() => expect(again.world.content).toEqual({ 'STAGE c/dev': 'three' }));
});

test('a node that was away for longer than removals are kept gets the whole manifest', async () => {
  await publishBlob(store, 'a/dev', 'one');
  await publishBlob(store, 'b/dev', 'two');
  const first = await node();
  await eventually(() => expect(first.world.texts.size).toBe(2));
  await first.link.close();
  await unpublish(store, 'STAGE', 'a/dev');
  expect(await store.manifest.clean(Date.now() + 1)).toMatchObject({ removals: 1 });
  const again = await node();
  expect(again.world.texts.size, 'from disk, before the connection').toBe(2);
  await eventually(() => expect(again.world.content).toEqual({ 'STAGE b/dev': 'two' }));
});

test('a node whose revision the control plane never reached (a restored database) takes the whole manifest back', async () => {
  for (const text of ['1', '2', '3']) await publishBlob(store, 'a/dev', text);
  const first = await node();
  await eventually(() => expect(first.link.status.revision).toBe(3));
  await first.link.close();
  const restored = new InMemoryStore();
  await publishBlob(restored, 'z/dev', 'restored');
  const other = await startControlPlane(restored);
  scope.cleanUps.push(() => other.stop());
  const again = await node({}, dataDir, other.port);
  await eventually(() => expect(again.world.content).toEqual({ 'STAGE z/dev': 'restored' }));
  expect(again.link.status.revision).toBe(1);
});

test('the control plane restarts: the node serves on, connects again and gets what it missed as a delta', async () => {
  await publishBlob(store, 'a/dev', 'one');
  const { link, world } = await node();
  await eventually(() => expect(world.content).toEqual({ 'STAGE a/dev': 'one' }));
  const { port } = control;
  await control.stop();
  await eventually(() => expect(link.status.connected).toBe(false));
  expect((await recordOf(link.nodeId))?.connected).toBe(false);
  expect(world.content).toEqual({ 'STAGE a/dev': 'one' });
  await publishBlob(store, 'b/dev', 'two');
  control = await startControlPlane(store, { port });
  await eventually(() => expect(world.content).toEqual({ 'STAGE a/dev': 'one', 'STAGE b/dev': 'two' }));
  expect(world.changeCount).toBe(2);
});

test('a node restarts without a control plane and serves what it last knew, under the same name and a newer epoch', async () => {
  await publishBlob(store, 'a/dev', 'one');
  const first = await node();
  await eventually(() => expect(first.link.status.revision).toBe(1));
  await first.link.close();
  await control.stop();
  const again = await node();
  expect(again.world.content).toEqual({ 'STAGE a/dev': 'one' });
  expect(again.link.status).toMatchObject({ complete: true, connected: false, revision: 1 });
  expect(again.link.nodeId).toBe(first.link.nodeId);
  expect(again.link.epoch).toBeGreaterThan(first.link.epoch);
  control = await startControlPlane(store);
});

test('a wrong token is refused and nothing is sent', async () => {
  await publishBlob(store, 'a/dev', 'one');
  const reasons: unknown[] = [];
  const log = { info: () => {}, error: () => {}, warn: (fields: object) => reasons.push(fields) };
  const { link, world } = await node({ token: new Secret('guess'), log });
  await eventually(() => expect(JSON.stringify(reasons)).toContain('UNAUTHENTICATED'));
  expect(link.status).toMatchObject({ connected: false, complete: false });
  expect(world.content).toEqual({});
  expect(await store.nodes.list()).toEqual([]);
  expect(
    await Promise.race([link.report({ epoch: 1, sequence: 1, metrics: [], usage: [] }), Promise.resolve('no receipt')]),
  ).toBe('no receipt');
});

for (const [damage, harm] of [
  ['other bytes of the same length', (file: string) => writeFile(file, 'uno')],
  ['a truncated file', (file: string) => truncate(file, 1)],
] as const) {
  test(`damage on disk is found by the digest, never served, and repaired from the control plane: ${damage}`, async () => {
    await publishBlob(store, 'a/dev', 'one');
    const first = await node();
    await eventually(() => expect(first.link.status.revision).toBe(1));
    await first.link.close();
    const [file] = await blobFiles();
    await harm(file!);

    const again = await openNode(dataDir, control.port);
    scope.cleanUps.push(() => again.link.close());
    expect(again.world.content, 'not served').toEqual({});
    expect(again.link.status.refusedCount).toBe(1);
    again.link.connect();
    await eventually(() => expect(again.world.content).toEqual({ 'STAGE a/dev': 'one' }));
    await eventually(() => expect(again.link.status.refusedCount).toBe(0));
    expect(await readFile(file!, 'utf8')).toBe('one');
  });
}

test('a blob that is damaged while the node runs is fetched again when it is needed', async () => {
  await publishBlob(store, 'a/dev', 'one');
  const { world } = await node();
  await eventually(() => expect(world.content).toEqual({ 'STAGE a/dev': 'one' }));
  const [file] = await blobFiles();
  await writeFile(file!, 'uno');
  expect(new TextDecoder().decode((await world.getBlob(sha256Hex('one')))!)).toBe('one');
});

test('a damaged manifest file is as good as none: everything comes from the control plane again', async () => {
  await publishBlob(store, 'a/dev', 'one');
  const first = await node();
  await eventually(() => expect(first.link.status.revision).toBe(1));
  await first.link.close();
  const file = path.join(dataDir, 'manifest.log');
  await writeFile(file, (await readFile(file, 'utf8')).replace('a/dev', 'x/dev'));
  const again = await openNode(dataDir, control.port);
  scope.cleanUps.push(() => again.link.close());
  expect(again.link.status.complete).toBe(false);
  again.link.connect();
  await eventually(() => expect(again.world.content).toEqual({ 'STAGE a/dev': 'one' }));
});

test('an entry whose blob the control plane has lost is refused and the rest moves on', async () => {
  await publishInline(store, 'API_KEY', 'k', 'here');
  await store.tenants.transact(TENANT, (tx) =>
    tx.manifest.put('STAGE', 'a/dev', { digest: sha256Hex('gone'), blobBytes: 4, inline: '' }),
  );
  const { world } = await node();
  await eventually(() => expect(world.content).toEqual({ 'API_KEY k': 'here' }));
  await eventually(async () =>
    expect(await store.nodes.refusals()).toMatchObject([
      { entryId: 'a/dev', reason: expect.stringContaining('is not available') },
    ]),
  );
});

test('a blob of many megabytes arrives whole', async () => {
  const text = Array.from({ length: 400_000 }, (_, index) => sha256Hex(String(index)).slice(0, 20)).join('');
  await publishBlob(store, 'a/dev', text);
  const { world } = await node();
  await eventually(() => expect(world.content['STAGE a/dev']?.length).toBe(text.length));
  expect(world.content['STAGE a/dev']).toBe(text);
});

test('a stream on which nothing is heard is given up and opened again', async () => {
  let sessionCount = 0;
  const mute = new Server();
  mute.addService(grpcService(NodeLink), {
    session: (call: { on: (event: string, listener: () => void) => void; write: (message: unknown) => void }) => {
      sessionCount++;
      call.on('data', () => {});
      call.on('error', () => {});
      if (sessionCount === 1) call.write(create(ControlMessageSchema, { kind: { case: 'heartbeat', value: { revision: 0n } } }));
    },
    report: () => {},
  });
  const port = await new Promise<number>((resolve) =>
    mute.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound)),
  );
  scope.cleanUps.push(() => mute.forceShutdown());
  await node({ silenceMs: 100 }, dataDir, port);
  await eventually(() => expect(sessionCount).toBeGreaterThanOrEqual(3));
});

test('a node that links another snapshot format is told so and gets nothing, and both sides show it', async () => {
  const { link } = await node({ snapshotFormats: [99] });
  await eventually(() => expect(link.status.refusal).toBe('this control plane writes snapshot format 1; the node links 99'));
  expect(link.status).toMatchObject({ connected: false, complete: false });
  expect(control.server.counts.refusedNodes).toBeGreaterThan(0);
});

test('the newer of two processes that call themselves the same node wins', async () => {
  const older = await node();
  await eventually(() => expect(older.link.status.connected).toBe(true));
  await writeFile(path.join(dataDir, 'other.txt'), '');
  const newer = await node();
  await eventually(async () => expect((await recordOf(newer.link.nodeId))?.epoch).toBe(newer.link.epoch));
  await eventually(() => expect(newer.link.status.connected).toBe(true));
  expect(control.server.sessionOf(newer.link.nodeId)).not.toBeNull();
});

test('waiting for a revision ends when every connected node acknowledged it, and names those that have not', async () => {
  let letGo = () => {};
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  const quick = await node({}, path.join(scope.folder, 'quick'));
  const slow = await node({
    apply: async (change, getBlob) => {
      if (change.revision > 0) await gate;
      return quick.world.apply(change, getBlob);
    },
  });
  await eventually(async () => expect((await store.nodes.list()).filter((record) => record.connected)).toHaveLength(2));
  const revision = await publishInline(store, 'API_KEY', 'k', 'x');
  const onlySlow = { live: false, waitingFor: [slow.link.nodeId] };
  await eventually(async () => expect(await control.server.waitUntilLive(revision, 100)).toEqual(onlySlow));
  const waiting = control.server.waitUntilLive(revision, 10_000);
  letGo();
  expect(await waiting).toEqual({ live: true, waitingFor: [] });
});

test.each([3_600_000, -3_600_000])(
  'a control plane whose clock is set by %i ms knows its nodes, and tells them of changes, as ever',
  async (stepMs) => {
    const clock = new ManualClock(Date.now());
    await control.stop();
    control = await startControlPlane(store, { clock, heartbeatMs: 60_000 });
    const { stop } = control;
    scope.cleanUps.push(stop);
    const admin = createNodeAdmin({ tenants: store.tenants, nodes: store.nodes, server: control.server });
    const { link, world } = await node();
    await eventually(async () => expect(await admin.listNodes()).toMatchObject([{ nodeId: link.nodeId, connected: true }]));
    clock.advance(stepMs);
    expect(await admin.listNodes()).toMatchObject([{ nodeId: link.nodeId, connected: true }]);
    const revision = await publishBlob(store, 'a/dev', 'text');
    expect(await control.server.waitUntilLive(revision, 10_000)).toEqual({ live: true, waitingFor: [] });
    expect(world.content, 'it was waited for').toEqual({ 'STAGE a/dev': 'text' });
    await link.close();
    await eventually(async () => expect(await admin.listNodes()).toMatchObject([{ nodeId: link.nodeId, connected: false }]));
  },
);

test('waiting for a revision that a node refuses ends at once and names the node', async () => {
  const { link } = await node();
  await eventually(() => expect(link.status.connected).toBe(true));
  const revision = await publishBlob(store, 'a/dev', 'BAD');
  expect(await control.server.waitUntilLive(revision, 10_000)).toEqual({ live: false, waitingFor: [link.nodeId] });
});

test('a rollout shows per node when it went live or why it did not', async () => {
  const admin = createNodeAdmin({ tenants: store.tenants, nodes: store.nodes, server: control.server });
  const good = await node({}, path.join(scope.folder, 'good'));
  const picky = await node({
    apply: (change) => change.entries.map(({ kind, id }) => ({ kind, id, reason: 'route /x does not link' })),
  });
  await eventually(async () => expect((await store.nodes.list()).filter((record) => record.connected)).toHaveLength(2));
  const rollout = { deploymentId: 'd1', apiId: 'a', stageName: 'dev', publishedAtMs: Date.now() };
  const revision = await store.tenants.transact(TENANT, async (tx) => {
    await tx.restApis.insert(sampleRestApi({ id: 'a', name: 'a' }));
    const digest = await tx.blobs.put(new TextEncoder().encode('text'));
    return tx.manifest.put('STAGE', 'a/dev', { digest, blobBytes: 4, inline: '' }, { rollout });
  });
  await control.server.waitUntilLive(revision, 10_000);
  const report = await admin.rolloutOf(TENANT, 'd1');
  expect(report?.stages).toMatchObject([{ apiId: 'a', stageName: 'dev', revision }]);
  const nodes = Object.fromEntries(report!.stages[0]!.nodes.map((progress) => [progress.nodeId, progress]));
  expect(nodes[good.link.nodeId]).toEqual({
    nodeId: good.link.nodeId,
    connected: true,
    revision,
    acknowledged: true,
    timeToLiveMs: expect.any(Number),
    refusal: null,
  });
  expect(nodes[picky.link.nodeId]).toMatchObject({ acknowledged: false, refusal: 'route /x does not link', timeToLiveMs: null });
  expect(await admin.rolloutOf(TENANT, 'unknown')).toBeNull();
});

test('a batch counts once however often it is sent, across restarts of both sides', async () => {
  const usage = [{ tenant: TENANT as string, usagePlanId: 'plan', apiKeyId: 'key', day: '2026-01-01', count: 7n }];
  const used = () => store.metering.usedInPeriod(TENANT, 'plan', 'key', '2026-01-01', '2026-01-01');
  const first = await node();
  const { epoch } = first.link;
  expect(await first.link.report({ epoch, sequence: 1, usage })).toBe(true);
  expect(await first.link.report({ epoch, sequence: 1, usage })).toBe(true);
  expect(await used()).toBe(7);

  const { port } = control;
  await control.stop();
  const pending = first.link.report({ epoch, sequence: 2, usage });
  control = await startControlPlane(store, { port });
  expect(await pending, 'sent again on the new stream').toBe(true);
  expect(await used()).toBe(14);
  await first.link.close();
  expect(await first.link.report({ epoch, sequence: 3, usage })).toBe(false);

  const again = await node();
  expect(await again.link.report({ epoch, sequence: 2, usage }), 'spooled by the earlier process').toBe(true);
  expect(await again.link.report({ epoch: again.link.epoch, sequence: 1, usage })).toBe(true);
  expect(await used()).toBe(21);
});

test('a batch the database could not take is sent until it could', async () => {
  const apply = store.metering.apply.bind(store.metering);
  let failures = 2;
  store.metering.apply = async (report) => {
    if (failures-- > 0) throw new Error('database is away');
    return apply(report);
  };
  const { link } = await node();
  const usage = [{ tenant: TENANT as string, usagePlanId: 'plan', apiKeyId: 'key', day: '2026-01-01', count: 1n }];
  const reports = [1, 2, 3].map((sequence) => link.report({ epoch: link.epoch, sequence, usage }));
  expect(await Promise.all(reports)).toEqual([true, true, true]);
  expect(await store.metering.usedInPeriod(TENANT, 'plan', 'key', '2026-01-01', '2026-01-01')).toBe(3);
});

test('a quota question is answered on the stream it came by', async () => {
  await store.tenants.transact(TENANT, (tx) =>
    tx.usagePlans.insert({
      id: 'plan',
      name: 'p',
      description: null,
      apiStages: [],
      throttle: null,
      quota: { limit: 5, offset: 0, period: 'DAY' },
      productCode: null,
      createdAtMs: 0,
      tags: {},
    }),
  );
  const grants: object[] = [];
  const periodStart = new Date().toISOString().slice(0, 10);
  const question = { usagePlanId: 'plan', apiKeyId: 'key', periodStart, wanted: 10, counted: 1, held: 0, reported: 0 };
  const { link } = await node({ onQuotaGrant: (grant) => grants.push(grant) });
  await eventually(() => expect(link.requestQuota(question) && grants.length > 0).toBe(true));
  expect(grants[0]).toMatchObject({ usagePlanId: 'plan', apiKeyId: 'key', periodStart, allowedTotal: 5, exhausted: false });
});
