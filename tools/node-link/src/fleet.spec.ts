import { createServer as createHttpServer } from 'node:http';
import { createServer, connect, type Socket } from 'node:net';
import path from 'node:path';
import { InMemoryStore } from '@gatehouse/domain';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SealSigner } from '@gatehouse/control-nodes';
import { serveSnapshots, type LinkEntry, type TakeSnapshot } from '@gatehouse/engine-control-link';
import { Secret } from '@gatehouse/kernel';
import {
  publishBlob,
  publishInline,
  quiet,
  startControlPlane,
  startNode,
  TENANT,
  testFolder,
  TOKEN,
  unpublish,
  type TestControlPlane,
} from './harness.js';

let store: InMemoryStore;
let scope: Awaited<ReturnType<typeof testFolder>>;

beforeEach(async () => {
  scope = await testFolder();
  store = new InMemoryStore();
});
afterEach(() => scope.close());

const eventually = (assertion: () => void | Promise<void>) => vi.waitFor(assertion, { timeout: 10_000, interval: 5 });

async function controlPlane(options: Parameters<typeof startControlPlane>[1] = {}): Promise<TestControlPlane> {
  const started = await startControlPlane(store, options);
  scope.cleanUps.push(() => started.stop());
  return started;
}

/** `random` of 0.99 leaves the list of control planes as it is given: the first one is preferred. */
async function node(name: string, address: string, options: Parameters<typeof startNode>[2] = {}) {
  const started = await startNode(path.join(scope.folder, name), 0, { address, random: () => 0.99, ...options });
  scope.cleanUps.push(() => started.link.close());
  return started;
}
const at = (...ports: number[]) => ports.map((port) => `127.0.0.1:${port}`).join(', ');

/** Forwards bytes and counts them; `isSilent`: takes connections and bytes, and forwards nothing (a stopped process). */
async function startWire(port: number) {
  const sockets = new Set<Socket>();
  const wire = { port: 0, isSilent: false, bytesDown: 0, bytesUp: 0, close: () => {} };
  const server = createServer((caller) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [caller, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => [caller, upstream].forEach((end) => end.destroy()));
    }
    caller.on('data', (bytes) => {
      wire.bytesUp += bytes.length;
      if (!wire.isSilent) upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      wire.bytesDown += bytes.length;
      if (!wire.isSilent) caller.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  wire.port = (server.address() as { port: number }).port;
  wire.close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  scope.cleanUps.push(wire.close);
  return wire;
}

test('a change committed on one control plane is pushed by all of them', async () => {
  const [one, two] = [await controlPlane(), await controlPlane()];
  const nodes = [await node('a', at(one.port)), await node('b', at(two.port))];
  const revision = await publishBlob(store, 'a/dev', 'text');
  await eventually(() => nodes.forEach(({ link }) => expect(link.status.revision).toBe(revision)));
  expect(nodes.map(({ world }) => world.content)).toEqual([{ 'STAGE a/dev': 'text' }, { 'STAGE a/dev': 'text' }]);
  expect(await one.server.waitUntilLive(revision, 10_000)).toEqual({ live: true, waitingFor: [] });
});

test('a control plane whose notification was lost finds the change by its revision', async () => {
  store.manifest.subscribe = async () => async () => {};
  const control = await controlPlane({ pollMs: 20 });
  const { link } = await node('a', at(control.port));
  await eventually(() => expect(link.status.connected).toBe(true));
  const revision = await publishInline(store, 'API_KEY', 'k', 'x');
  await eventually(() => expect(link.status.revision).toBe(revision));
});

test('the nodes of a control plane that stops are with another one before it is gone, and nothing they are told of is missing', async () => {
  const [one, two] = [await controlPlane(), await controlPlane()];
  const { link, world } = await node('a', at(one.port, two.port));
  await eventually(() => expect(one.server.sessionOf(link.nodeId)).not.toBeNull());
  const stopping = one.stop();
  await eventually(() => expect(two.server.sessionOf(link.nodeId)).not.toBeNull());
  await stopping;
  const revision = await publishBlob(store, 'a/dev', 'text');
  await eventually(() => expect(link.status.revision).toBe(revision));
  expect(world.content).toEqual({ 'STAGE a/dev': 'text' });
  await eventually(async () => expect(await store.nodes.list()).toMatchObject([{ connected: true, ackedRevision: revision }]));
});

test('a node leaves a control plane whose connection is open and silent', async () => {
  const [one, two] = [await controlPlane(), await controlPlane()];
  const wire = await startWire(one.port);
  const { link, world } = await node('a', at(wire.port, two.port), { silenceMs: 200, answerMs: 100 });
  await eventually(() => expect(one.server.sessionOf(link.nodeId)).not.toBeNull());
  wire.isSilent = true;
  await eventually(() => expect(two.server.sessionOf(link.nodeId)).not.toBeNull());
  await publishInline(store, 'API_KEY', 'k', 'x');
  await eventually(() => expect(world.content).toEqual({ 'API_KEY k': 'x' }));
  expect(link.status.failoverCount).toBeGreaterThan(0);
});

test('a control plane whose database is away says so, and has its nodes as soon as it is back', async () => {
  const control = await controlPlane();
  const connected = store.nodes.connected.bind(store.nodes);
  let failures = 0;
  store.nodes.connected = async () => {
    failures++;
    throw new Error('the database is away');
  };
  // Silence would be noticed too late for this test: the node has to be told.
  const { link } = await node('a', at(control.port), { silenceMs: 60_000 });
  await eventually(() => expect(failures).toBeGreaterThan(1));
  store.nodes.connected = connected;
  const revision = await publishInline(store, 'API_KEY', 'k', 'x');
  await eventually(() => expect(link.status.revision).toBe(revision));
});

test('a node whose acknowledgements cannot be written down goes on hearing of changes, and is caught up with later', async () => {
  const control = await controlPlane();
  const heard = store.nodes.heard.bind(store.nodes);
  store.nodes.heard = () => Promise.reject(new Error('the database is read-only'));
  const { link, world } = await node('a', at(control.port), { silenceMs: 60_000 });
  for (const text of ['x', 'y']) {
    await publishInline(store, 'API_KEY', 'k', text);
    await eventually(() => expect(world.content).toEqual({ 'API_KEY k': text }));
  }
  const epochs = (await store.nodes.list()).map(({ epoch }) => epoch);
  expect([control.server.sessionOf(link.nodeId)?.hasAcknowledged, epochs]).toEqual([false, [link.epoch]]);
  store.nodes.heard = heard;
  await eventually(async () => expect(await store.nodes.list()).toMatchObject([{ connected: true, ackedRevision: 2 }]));
});

test('a node that starts while its preferred control plane takes connections and says nothing finds the other one', async () => {
  const control = await controlPlane();
  const wire = await startWire(control.port);
  wire.isSilent = true;
  const { link } = await node('a', at(wire.port, control.port), { answerMs: 100 });
  await eventually(() => expect(link.status.complete).toBe(true));
});

test('a node returns to the control plane it prefers once that is back', async () => {
  const two = await controlPlane();
  const first = await startControlPlane(store);
  const { link } = await node('a', at(first.port, two.port), { returnMs: 30 });
  await eventually(() => expect(first.server.sessionOf(link.nodeId)).not.toBeNull());
  await first.stop();
  await eventually(() => expect(two.server.sessionOf(link.nodeId)).not.toBeNull());
  const again = await controlPlane({ port: first.port });
  await eventually(() => expect(again.server.sessionOf(link.nodeId)).not.toBeNull());
  await eventually(() => expect(two.server.sessionOf(link.nodeId)).toBeNull());
});

test('nodes spread over the control planes they are given', async () => {
  const planes = [await controlPlane(), await controlPlane()];
  for (let index = 0; index < 16; index++)
    await node(`n${index}`, at(...planes.map(({ port }) => port)), { random: Math.random });
  await eventually(async () => expect((await store.nodes.list()).filter(({ connected }) => connected)).toHaveLength(16));
  const ids = (await store.nodes.list()).map(({ nodeId }) => nodeId);
  // All sixteen on one of them by chance: once in 32,768 runs.
  for (const { server } of planes) expect(ids.filter((id) => server.sessionOf(id) !== null).length).toBeGreaterThan(0);
});

interface Insides {
  readonly keeper: { readonly table: { withdraw(name: object): boolean; restore(entry: LinkEntry): void } };
}
const stray: LinkEntry = { kind: 'STAGE', id: 'x/dev', tenant: TENANT, revision: 1, digest: null, blobBytes: 0, inline: 'x' };

// Behind the protocol's back: what a bug of ours, or a bit of memory that fell over, might do to a node.
for (const [what, harm] of [
  ['an entry the node lost', ({ keeper }: Insides) => keeper.table.withdraw({ kind: 'STAGE', id: 'b/dev' })],
  ['an entry the node should not have', ({ keeper }: Insides) => keeper.table.restore(stray)],
] as const) {
  test(`a difference is found by the next check, repaired without sending the rest, and counted on both sides: ${what}`, async () => {
    const control = await controlPlane();
    for (const name of ['a', 'b', 'c']) await publishBlob(store, `${name}/dev`, name);
    const { link, world } = await node('a', at(control.port), { checkMs: 400 });
    await eventually(() => expect(world.texts.size).toBe(3));
    const { fullManifests } = control.server.counts;
    harm(link as unknown as Insides);
    world.texts.set('STAGE x/dev', 'x');
    world.texts.delete('STAGE b/dev');
    await eventually(() => expect(link.status.mismatchCount).toBe(1));
    await eventually(() => expect(link.status.entryCount).toBe(3));
    if (what === 'an entry the node lost') await eventually(() => expect(world.texts.get('STAGE b/dev')).toBe('b'));
    else await eventually(() => expect(world.texts.has('STAGE x/dev')).toBe(false));
    expect(control.server.counts).toMatchObject({ mismatches: 1, repairs: 1, fullManifests });
  });
}

test('one change costs the same bytes on the wire with 10 and with 10,000 entries, at most twice the changed object', async () => {
  const costs: number[] = [];
  const text = JSON.stringify({ usagePlanIds: ['plan'], valueDigest: 'ab'.repeat(32), pad: 'x'.repeat(300) });
  for (const count of [10, 10_000]) {
    store = new InMemoryStore();
    const control = await controlPlane({ heartbeatMs: 60_000 });
    const wire = await startWire(control.port);
    for (let from = 0; from < count; from += 1_000) {
      const batch = Array.from({ length: Math.min(1_000, count - from) }, (_, index) => `key${from + index}`);
      await Promise.all(batch.map((id) => publishInline(store, 'API_KEY', id, text)));
    }
    const { link } = await node(`node-${count}`, at(wire.port), { checkMs: 60_000 });
    await eventually(() => expect(link.status.entryCount).toBe(count));
    await eventually(() => expect(control.server.acknowledgedAtMs(link.nodeId, 0)).toBeDefined());
    await publishInline(store, 'API_KEY', 'warm', text); // whatever is said once per connection has been said
    await eventually(() => expect(link.status.entryCount).toBe(count + 1));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = wire.bytesDown;
    const revision = await publishInline(store, 'API_KEY', 'key5', text.replace('plan', 'other'));
    await eventually(() => expect(link.status.revision).toBe(revision));
    await new Promise((resolve) => setTimeout(resolve, 50));
    costs.push(wire.bytesDown - before);
  }
  const [few, many] = costs as [number, number];
  expect(many).toBeLessThanOrEqual(2 * text.length);
  expect(Math.abs(many - few)).toBeLessThan(40);
});

test('a removal reaches a node through another control plane than the one that published it', async () => {
  const [one, two] = [await controlPlane(), await controlPlane()];
  await publishBlob(store, 'a/dev', 'text');
  const { world, link } = await node('a', at(one.port, two.port));
  await eventually(() => expect(world.texts.size).toBe(1));
  const stopping = one.stop();
  await unpublish(store, 'STAGE', 'a/dev');
  await stopping;
  await eventually(() => expect(world.texts.size).toBe(0));
  expect(link.status.complete).toBe(true);
});

describe('placement', () => {
  test('a node is sent what its pool serves and nothing of the others, whatever moves while it is there or away', async () => {
    const control = await controlPlane();
    const wires = { eu: await startWire(control.port), default: await startWire(control.port) };
    await publishInline(store, 'API_KEY', 'unbound', 'u');
    await publishInline(store, 'API_KEY', 'mobile', 'm', ['eu']);
    await publishInline(store, 'API_KEY', 'both', 'b', ['default', 'eu']);
    await publishInline(store, 'API_KEY', 'nowhere', 'n', ['mars']);
    const eu = await node('eu', at(wires.eu.port), { labels: { pool: 'eu' } });
    const rest = await node('rest', at(wires.default.port), { labels: { region: 'x' } });
    await eventually(() => expect(eu.world.content).toEqual({ 'API_KEY both': 'b', 'API_KEY mobile': 'm' }));
    await eventually(() => expect(rest.world.content).toEqual({ 'API_KEY both': 'b', 'API_KEY unbound': 'u' }));

    await publishInline(store, 'API_KEY', 'mobile', 'm', ['default']);
    await eventually(() => expect(eu.world.content).toEqual({ 'API_KEY both': 'b' }));
    await eventually(() => expect(rest.world.content['API_KEY mobile']).toBe('m'));

    await eu.link.close();
    await publishInline(store, 'API_KEY', 'both', 'b', ['default']);
    await publishInline(store, 'API_KEY', 'unbound', 'u', ['eu']);
    const again = await node('eu', at(control.port), { labels: { pool: 'eu' } });
    await eventually(() => expect(again.world.content).toEqual({ 'API_KEY unbound': 'u' }));
    await unpublish(store, 'API_KEY', 'unbound');
    await eventually(() => expect(again.world.content).toEqual({}));
    expect(again.link.status.mismatchCount + rest.link.status.mismatchCount).toBe(0);
  });

  test('what another pool serves costs a node no bytes but those of the revision', async () => {
    const control = await controlPlane({ heartbeatMs: 60_000 });
    const wire = await startWire(control.port);
    const { link } = await node('rest', at(wire.port), { checkMs: 60_000 });
    await publishInline(store, 'API_KEY', 'mine', 'x'.repeat(5_000));
    await eventually(() => expect(link.status.revision).toBe(1));
    const before = wire.bytesDown;
    const revision = await publishInline(store, 'API_KEY', 'theirs', 'x'.repeat(5_000), ['eu']);
    await eventually(() => expect(link.status.revision).toBe(revision));
    expect(link.status.entryCount).toBe(1);
    expect(wire.bytesDown - before).toBeLessThan(300);
  });

  test('a node whose label was changed while it was stopped ends up with what its new pool serves', async () => {
    const control = await controlPlane();
    await publishInline(store, 'API_KEY', 'a', 'a', ['eu']);
    await publishInline(store, 'API_KEY', 'b', 'b', ['us']);
    const first = await node('n', at(control.port), { labels: { pool: 'eu' } });
    await eventually(() => expect(first.world.content).toEqual({ 'API_KEY a': 'a' }));
    await first.link.close();
    const again = await node('n', at(control.port), { labels: { pool: 'us' }, checkMs: 50 });
    await eventually(() => expect(again.world.content).toEqual({ 'API_KEY b': 'b' }));
  });
});

describe('a node with an empty disk and no control plane', () => {
  const MASTER_KEY = new Secret('5a'.repeat(32));

  async function sibling(link: { snapshot: TakeSnapshot }): Promise<string> {
    const server = createHttpServer(serveSnapshots(link.snapshot, TOKEN, quiet));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    scope.cleanUps.push(() => server.close());
    return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  }

  async function served() {
    const control = await controlPlane({ signer: new SealSigner(MASTER_KEY) });
    await publishBlob(store, 'a/dev', 'text');
    await publishInline(store, 'API_KEY', 'k', 'key');
    const first = await node('first', at(control.port), { checkMs: 30 });
    await eventually(() => expect(first.link.snapshot()).not.toBeNull());
    await control.stop();
    return { ...first, control };
  }
  const joining = { siblingMs: 20, snapshotKey: new SealSigner(MASTER_KEY).publicKey };

  test('joins from a sibling, also from one that was restarted, serves from its own disk then, and follows the control plane again', async () => {
    const { link, world, control } = await served();
    await link.close();
    const restarted = await node('first', at(control.port));
    const siblings = ['http://127.0.0.1:9', await sibling(restarted.link)];
    const joined = await node('second', at(control.port), { ...joining, siblings });
    await eventually(() => expect(joined.link.status.complete).toBe(true));
    expect(joined.world.content).toEqual(world.content);
    expect(joined.link.status.revision).toBe(2);
    await joined.link.close();
    const again = await node('second', at(control.port));
    expect(again.world.content).toEqual(world.content);

    const back = await controlPlane({ port: control.port, signer: new SealSigner(MASTER_KEY) });
    await publishInline(store, 'API_KEY', 'k', 'changed');
    await eventually(() => expect(again.world.content['API_KEY k']).toBe('changed'));
    expect(back.server.counts.fullManifests, 'what it had from its sibling counted').toBe(0);
  });

  test('takes nothing from a sibling whose snapshot another key signed, or without a key to check it with', async () => {
    const { link } = await served();
    const siblings = [await sibling(link)];
    const reasons: unknown[] = [];
    const log = { info: () => {}, error: () => {}, warn: (fields: object) => reasons.push(fields) };
    const wrong = { siblingMs: 20, siblings, log, snapshotKey: new SealSigner(new Secret('5b'.repeat(32))).publicKey };
    const nodes = [await node('second', at(9), wrong), await node('third', at(9), { siblingMs: 20, siblings, log })];
    await eventually(() => expect(JSON.stringify(reasons)).toContain('its seal is not of our control plane'));
    await eventually(() => expect(JSON.stringify(reasons)).toContain('GATEHOUSE_SNAPSHOT_KEY'));
    for (const { link: joined, world } of nodes) {
      expect(joined.status.complete, 'not ready').toBe(false);
      expect(world.content).toEqual({});
    }
  });

  test('a sibling gives nothing to who does not show the node token', async () => {
    const { link } = await served();
    const url = await sibling(link);
    for (const headers of [{}, { authorization: 'Bearer guess' }])
      expect((await fetch(`${url}/snapshot`, { headers })).status).toBe(401);
  });
});
