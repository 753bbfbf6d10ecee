// A fleet of several releases, as it is while it is upgraded: everybody is served with what he can take, or told why not (fault 50).
import path from 'node:path';
import { PROTOCOL, type ProtocolRange } from '@gatehouse/contracts';
import { readRelease, releaseNames } from '@gatehouse/contracts/testing';
import { SealSigner, type NodesLog } from '@gatehouse/control-nodes';
import { InMemoryStore } from '@gatehouse/domain';
import { Secret } from '@gatehouse/kernel';
import { ReleaseFilter } from '@gatehouse/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  publishBlob,
  publishInline,
  startControlPlane,
  startNode,
  TENANT,
  testFolder,
  unpublish,
  type TestControlPlane,
} from './harness.js';

let store: InMemoryStore;
let control: TestControlPlane;
let scope: Awaited<ReturnType<typeof testFolder>>;
let warnings: object[];

const log: NodesLog = { info: () => {}, warn: (fields) => warnings.push(fields), error: () => {} };
const signer = new SealSigner(new Secret('0f'.repeat(32)));

beforeEach(async () => {
  warnings = [];
  scope = await testFolder();
  store = new InMemoryStore();
  await startControl();
});
afterEach(() => scope.close());

async function startControl(protocol: ProtocolRange = PROTOCOL, port = 0): Promise<void> {
  control = await startControlPlane(store, { protocol, port, log, signer });
  const { stop } = control;
  scope.cleanUps.push(stop);
}

/** As `control`, seen from an earlier release. */
async function seenFrom(name: string): Promise<ReleaseFilter> {
  const filter = await ReleaseFilter.open(readRelease(name), control.port);
  scope.cleanUps.push(() => filter.close());
  return filter;
}

async function node(name: string, options: Parameters<typeof startNode>[2] = {}, port = control.port) {
  const started = await startNode(path.join(scope.folder, name), port, { checkMs: 50, ...options });
  scope.cleanUps.push(() => started.link.close());
  return started;
}

function publishInFormat(id: string, text: string, snapshotFormat: number): Promise<number> {
  return store.tenants.transact(TENANT, async (tx) => {
    const bytes = new TextEncoder().encode(text);
    const content = { digest: await tx.blobs.put(bytes), blobBytes: bytes.length, inline: '', snapshotFormat };
    return tx.manifest.put('STAGE', id, content);
  });
}

const eventually = (assertion: () => void | Promise<void>) => vi.waitFor(assertion, { timeout: 10_000, interval: 5 });
const recordOf = async (nodeId: string) => (await store.nodes.list()).find((record) => record.nodeId === nodeId);

describe.each(releaseNames())('beside release %s', (name) => {
  test('manifest, changes, removals, blobs, refusals, checks and usage go as ever', async () => {
    await publishBlob(store, 'a/dev', 'one');
    await publishInline(store, 'API_KEY', 'k', 'key');
    const { port } = await seenFrom(name);
    const { link, world } = await node('old', {}, port);
    await eventually(() => expect(world.content).toEqual({ 'API_KEY k': 'key', 'STAGE a/dev': 'one' }));
    await publishBlob(store, 'b/dev', 'BAD');
    await unpublish(store, 'API_KEY', 'k');
    const revision = await publishBlob(store, 'a/dev', 'two');
    await eventually(() => expect(world.content).toEqual({ 'STAGE a/dev': 'two' }));
    await eventually(async () => expect(await recordOf(link.nodeId)).toMatchObject({ ackedRevision: revision, connected: true }));
    expect(await store.nodes.refusals()).toMatchObject([{ entryId: 'b/dev', reason: 'BAD' }]);
    const usage = [{ tenant: TENANT as string, usagePlanId: 'plan', apiKeyId: 'key', day: '2026-01-01', count: 7n }];
    expect(await link.report({ epoch: link.epoch, sequence: 1, usage })).toBe(true);
    expect(await store.metering.usedInPeriod(TENANT, 'plan', 'key', '2026-01-01', '2026-01-01')).toBe(7);
    await eventually(() => expect(link.snapshot(), 'signed, so a sibling may join from it').not.toBeNull());
    expect([link.status.mismatchCount, link.status.refusal]).toEqual([0, null]);
  });

  test('drafts and authorizers are run by a node that says it can, and by no older one', async () => {
    const testInvoke = async () => ({ status: 0, headers: [], body: new Uint8Array(), latencyMs: 1, log: 'run' });
    const draft = {
      pool: 'default',
      snapshot: new Uint8Array(),
      httpMethod: 'GET',
      pathWithQuery: '/',
      headers: [],
      body: new Uint8Array(),
    };
    const outcomes = () =>
      Promise.all([null, 'a1'].map((authorizerId) => control.server.testInvoke({ ...draft, authorizerId }, 5_000)));
    const { port } = await seenFrom(name);
    const old = await node('old', { testInvoke }, port);
    await eventually(async () => expect(await recordOf(old.link.nodeId)).toMatchObject({ connected: true }));
    expect(await outcomes()).toEqual(['NO_NODE', 'NO_NODE']);
    await node('present', { testInvoke });
    const ran = expect.objectContaining({ log: 'run' });
    await eventually(async () => expect(await outcomes()).toEqual([ran, ran]));
  });

  test('each node is listed with what is spoken with it', async () => {
    const { port } = await seenFrom(name);
    const old = await node('old', {}, port);
    const present = await node('present');
    const newer = await node('newer', { protocol: { oldest: 1, newest: 9 }, snapshotFormats: [1, 2] });
    await publishBlob(store, 'a/dev', 'one');
    for (const { world } of [old, present, newer])
      await eventually(() => expect(world.content).toEqual({ 'STAGE a/dev': 'one' }));
    expect(await recordOf(old.link.nodeId)).toMatchObject({ protocol: 0, snapshotFormats: [1], turnedAway: null });
    expect(await recordOf(present.link.nodeId)).toMatchObject({ protocol: PROTOCOL.newest, snapshotFormats: [1] });
    expect(await recordOf(newer.link.nodeId)).toMatchObject({ protocol: PROTOCOL.newest, snapshotFormats: [1, 2] });
  });

  test('a control plane that forgot it turns it away, and the list of nodes, the log and the node say so', async () => {
    await control.stop();
    await startControl({ oldest: 1, newest: 3 });
    const { port } = await seenFrom(name);
    const { link } = await node('old', {}, port);
    const reason = 'this control plane speaks the node protocol 1 to 3, the node 0: upgrade the node';
    await eventually(() => expect(link.status.refusal).toBe(reason));
    await eventually(async () => expect(await recordOf(link.nodeId)).toMatchObject({ connected: false, turnedAway: reason }));
    expect(warnings).toContainEqual({ node: link.nodeId, softwareVersion: 'test', reason });
  });

  test('a node that forgot it takes nothing from it, keeps what it has, and says so', async () => {
    await publishBlob(store, 'a/dev', 'one');
    const filter = await seenFrom(name);
    filter.isOn = false;
    const { link, world } = await node('new', { protocol: { oldest: 1, newest: 1 } }, filter.port);
    await eventually(() => expect(world.content).toEqual({ 'STAGE a/dev': 'one' }));
    filter.isOn = true;
    await control.stop();
    await startControl(PROTOCOL, control.port);
    const reason = 'the control plane speaks the node protocol 0, this node 1: upgrade the control plane';
    await eventually(() => expect(link.status).toMatchObject({ refusal: reason, connected: false }));
    await publishBlob(store, 'a/dev', 'two');
    expect(world.content).toEqual({ 'STAGE a/dev': 'one' });
    filter.isOn = false;
    await eventually(() => expect(world.content).toEqual({ 'STAGE a/dev': 'two' }));
    expect(link.status.refusal).toBeNull();
  });
});

test('a node too new for its control plane is turned away until that is upgraded', async () => {
  const { link, world } = await node('n', { protocol: { oldest: 7, newest: 8 } });
  const reason = `this control plane speaks the node protocol 0 to ${PROTOCOL.newest}, the node 7 to 8: upgrade the control plane`;
  await eventually(() => expect(link.status.refusal).toBe(reason));
  await eventually(async () => expect(await recordOf(link.nodeId)).toMatchObject({ connected: false, turnedAway: reason }));
  await publishBlob(store, 'a/dev', 'one');
  await control.stop();
  await startControl({ oldest: 0, newest: 7 }, control.port);
  await eventually(() => expect(world.content).toEqual({ 'STAGE a/dev': 'one' }));
  expect(await recordOf(link.nodeId)).toMatchObject({ connected: true, protocol: 7, turnedAway: null });
  expect(link.status.refusal).toBeNull();
});

test('a stage in a format that a node does not link is not sent to it: it keeps what it has until it is upgraded', async () => {
  await publishBlob(store, 'a/dev', 'one');
  const old = await node('old');
  const newer = await node('newer', { snapshotFormats: [1, 2] });
  for (const { world } of [old, newer]) await eventually(() => expect(world.content).toEqual({ 'STAGE a/dev': 'one' }));
  const revision = await publishInFormat('a/dev', 'two, in format 2', 2);
  await eventually(() => expect(newer.world.content).toEqual({ 'STAGE a/dev': 'two, in format 2' }));
  const reason = 'stage a/dev is published in snapshot format 2; the node links 1: upgrade the node';
  await eventually(() => expect(old.link.status.refusal).toBe(reason));
  await eventually(async () => expect(await recordOf(old.link.nodeId)).toMatchObject({ connected: false, turnedAway: reason }));
  expect(old.world.content, 'its last good form').toEqual({ 'STAGE a/dev': 'one' });
  expect(await control.server.waitUntilLive(revision, 5_000), 'deployments do not wait for it').toEqual({
    live: true,
    waitingFor: [],
  });

  await old.link.close();
  const upgraded = await node('old', { snapshotFormats: [1, 2] });
  await eventually(() => expect(upgraded.world.content).toEqual({ 'STAGE a/dev': 'two, in format 2' }));
  expect(await recordOf(upgraded.link.nodeId)).toMatchObject({ connected: true, turnedAway: null });
});

test('a new node gets nothing of a manifest that holds a stage it does not link', async () => {
  await publishBlob(store, 'a/dev', 'one');
  await publishInFormat('b/dev', 'in format 2', 2);
  const { link, world } = await node('old');
  await eventually(() => expect(link.status.refusal).toMatch(/^stage b\/dev is published in snapshot format 2/));
  expect([world.content, link.status.complete]).toEqual([{}, false]);
  await publishBlob(store, 'b/dev', 'in format 1');
  await eventually(() => expect(world.content).toEqual({ 'STAGE a/dev': 'one', 'STAGE b/dev': 'in format 1' }));
});
