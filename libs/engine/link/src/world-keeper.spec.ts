import type { ApiKeyEntry, RouteSnapshot, StageSnapshot, UsagePlanEntry } from '@gatehouse/contracts';
import { Exchange, lastHeader, runProgram, type Connector, type LinkedStage } from '@gatehouse/engine-exchange';
import { BucketRegistry, QuotaLedger } from '@gatehouse/engine-limits';
import { canonicalJson, ManualClock, sha256Hex } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { linkStage, WorldKeeper, type LinkBindings, type WorldEntry, type WorldKeeperOptions } from './index.js';
import { PersistentMap } from './persistent-map.js';

const noBackend: Connector = { call: () => Promise.resolve({ failure: 'NETWORK', cause: null }) };
const bindings: LinkBindings = {
  limits: {
    buckets: new BucketRegistry(1_000),
    quotas: new QuotaLedger({ requestMore: () => undefined }),
    usage: { count: () => undefined },
    clock: new ManualClock(),
  },
  http: noBackend,
  insecureHttp: noBackend,
  functions: noBackend,
  metrics: { series: () => ({ record: () => undefined }) },
};

/** A stage whose mock says which revision it is. */
function revisionOf(text: string, over: Partial<StageSnapshot> = {}): StageSnapshot {
  return stageSnapshot({
    routes: [
      routeSnapshot({
        integration: {
          type: 'MOCK',
          passthroughBehavior: 'WHEN_NO_MATCH',
          requestTemplates: { 'application/json': '{"statusCode": 200}' },
          responses: [
            { statusCode: 200, selectionPattern: null, responseParameters: {}, responseTemplates: { 'application/json': text } },
          ],
        },
      }),
    ],
    ...over,
  });
}

class Publisher {
  readonly blobs = new Map<string, Uint8Array>();
  reads = 0;
  readonly source = (digest: string): Promise<Uint8Array | null> => {
    this.reads++;
    const bytes = this.blobs.get(digest);
    return Promise.resolve(bytes === undefined ? null : new Uint8Array(bytes));
  };

  stage(snapshot: StageSnapshot, bytes: Uint8Array = Buffer.from(canonicalJson(snapshot))): WorldEntry {
    const digest = sha256Hex(Buffer.from(canonicalJson(snapshot)));
    this.blobs.set(digest, bytes);
    return { kind: 'STAGE', id: `${snapshot.apiId}/${snapshot.stage}`, tenant: snapshot.tenant, digest, inline: '' };
  }
}

function keeper(over: Partial<WorldKeeperOptions> = {}): WorldKeeper {
  return new WorldKeeper({ bindings, ...over });
}

const change = (revision: number, entries: WorldEntry[], removed: { kind: WorldEntry['kind']; id: string }[] = []) => ({
  revision,
  entries,
  removed,
});

async function served(node: WorldKeeper, world = node.current): Promise<string> {
  const stage = await node.stage(world, 'abc123defg', 'dev');
  return typeof stage === 'string' ? stage : answer(stage);
}

async function answer(stage: LinkedStage): Promise<string> {
  const x = new Exchange();
  x.httpMethod = 'GET';
  x.resourcePath = '/';
  x.stage = stage;
  x.route = stage.match(x);
  await runProgram(x.route!.program, x);
  return String(x.responseBody);
}

test('a published stage is served, and its next revision replaces it', async () => {
  const node = keeper();
  const published = new Publisher();
  expect(await served(node)).toBe('ABSENT');
  expect(await node.adopt(change(1, [published.stage(revisionOf('one'))]), published.source)).toEqual([]);
  expect([await served(node), node.current.revision]).toEqual(['one', 1]);
  await node.adopt(change(2, [published.stage(revisionOf('two'))]), published.source);
  expect([await served(node), node.current.revision]).toEqual(['two', 2]);
  await node.adopt(change(3, [], [{ kind: 'STAGE', id: 'abc123defg/dev' }]), published.source);
  expect(await served(node)).toBe('ABSENT');
  expect(node.linkedCount).toBe(0);
});

test('a request goes on in the World it started in', async () => {
  const node = keeper();
  const published = new Publisher();
  await node.adopt(change(1, [published.stage(revisionOf('one'))]), published.source);
  const started = node.current;
  const stage = (await node.stage(started, 'abc123defg', 'dev')) as LinkedStage;
  await node.adopt(change(2, [published.stage(revisionOf('two'))]), published.source);
  expect([await answer(stage), await served(node, started), await served(node)]).toEqual(['one', 'one', 'two']);
});

const unlinkable = revisionOf('bad', {
  gatewayResponses: [{ responseType: 'TEAPOT', statusCode: null, headers: {}, templates: {} }],
});

for (const [what, make] of [
  ['cut short', (p: Publisher) => p.stage(revisionOf('x'), Buffer.from('{"format":1'))],
  ['with one bit flipped', (p: Publisher) => p.stage(revisionOf('x'), Buffer.from(canonicalJson(revisionOf('y'))))],
  ['of another tenant', (p: Publisher) => ({ ...p.stage(revisionOf('x', { tenant: '999999999999' })), tenant: '123456789012' })],
  ['of another stage', (p: Publisher) => ({ ...p.stage(revisionOf('x', { stage: 'prod' })), id: 'abc123defg/dev' })],
  ['of another API', (p: Publisher) => ({ ...p.stage(revisionOf('x', { apiId: 'zzz' })), id: 'abc123defg/dev' })],
  ['of a later format', (p: Publisher) => p.stage({ ...revisionOf('x'), format: 2 as 1 })],
  ['with a gateway response of no known type', (p: Publisher) => p.stage(unlinkable)],
  [
    'with two routes that cannot be told apart',
    (p: Publisher) => p.stage(stageSnapshot({ routes: [routeSnapshot(), routeSnapshot()] })),
  ],
  ['without routes at all', (p: Publisher) => p.stage({ ...revisionOf('x'), routes: undefined as unknown as [] })],
  ['that is not on this node', (p: Publisher) => ({ ...p.stage(revisionOf('x')), digest: 'f'.repeat(64) })],
] as [string, (p: Publisher) => WorldEntry][]) {
  test(`a snapshot ${what} is refused with a reason; the last good one stays, other stages move`, async () => {
    const node = keeper();
    const published = new Publisher();
    await node.adopt(change(1, [published.stage(revisionOf('good'))]), published.source);
    const other = published.stage(revisionOf('other', { apiId: 'other' }));
    const refusals = await node.adopt(change(2, [make(published), other]), published.source);
    expect(refusals).toEqual([{ kind: 'STAGE', id: 'abc123defg/dev', reason: expect.stringMatching(/.{10}/) as string }]);
    expect([await served(node), node.current.revision]).toEqual(['good', 2]);
    expect(typeof (await node.stage(node.current, 'other', 'dev'))).toBe('object');
  });
}

test('beyond a bound of eager links a stage is linked by its first request, once for all that wait', async () => {
  const node = keeper({ eagerLinksMax: 0 });
  const published = new Publisher();
  await node.adopt(change(1, [published.stage(revisionOf('one'))]), published.source);
  expect(published.reads).toBe(0);
  const both = await Promise.all([node.stage(node.current, 'abc123defg', 'dev'), node.stage(node.current, 'abc123defg', 'dev')]);
  expect([both[0] === both[1], published.reads]).toEqual([true, 1]);
  expect(node.stage(node.current, 'abc123defg', 'dev')).toBe(both[0]);
});

test('a stage in use is linked before its change is taken over, whatever the bound', async () => {
  const node = keeper({ eagerLinksMax: 0 });
  const published = new Publisher();
  await node.adopt(change(1, [published.stage(revisionOf('one'))]), published.source);
  await served(node);
  expect(await node.adopt(change(2, [published.stage(unlinkable)]), published.source)).toHaveLength(1);
  expect(await served(node)).toBe('one');
});

test('a stage that turns out to be unlinkable at its first request is REFUSED, said once, not tried for every request', async () => {
  const reasons: string[] = [];
  const node = keeper({ eagerLinksMax: 0, onRefusal: (_stage, reason) => void reasons.push(reason) });
  const published = new Publisher();
  await node.adopt(change(1, [published.stage(unlinkable)]), published.source);
  expect([await served(node), await served(node)]).toEqual(['REFUSED', 'REFUSED']);
  expect([reasons.length, published.reads]).toEqual([1, 1]);
});

test('a blob that was away for a moment is asked for again', async () => {
  const node = keeper({ eagerLinksMax: 0 });
  const published = new Publisher();
  const entry = published.stage(revisionOf('one'));
  const bytes = published.blobs.get(entry.digest!)!;
  published.blobs.clear();
  await node.adopt(change(1, [entry]), published.source);
  expect(await served(node)).toBe('REFUSED');
  published.blobs.set(entry.digest!, bytes);
  expect(await served(node)).toBe('one');
});

test('beyond the budget the least recently used stage is forgotten, and linked again when asked for', async () => {
  const node = keeper({ routesMax: 2 });
  const published = new Publisher();
  const apis = ['a', 'b', 'c'];
  await node.adopt(
    change(
      1,
      apis.map((apiId) => published.stage(revisionOf(apiId, { apiId }))),
    ),
    published.source,
  );
  expect([node.linkedCount, published.reads]).toEqual([2, 3]);
  const again = await node.stage(node.current, 'a', 'dev');
  expect([typeof again, published.reads, node.linkedCount]).toEqual(['object', 4, 2]);
});

test('an unchanged stage keeps its linked form over a swap', async () => {
  const node = keeper();
  const published = new Publisher();
  await node.adopt(change(1, [published.stage(revisionOf('one'))]), published.source);
  const linked = node.stage(node.current, 'abc123defg', 'dev');
  await node.adopt(change(2, [published.stage(revisionOf('x', { apiId: 'other' }))]), published.source);
  expect(node.stage(node.current, 'abc123defg', 'dev')).toBe(linked);
});

test('a stage that was replaced while a request had it linked is forgotten with the next change', async () => {
  const publisher = new Publisher();
  const node = keeper({ eagerLinksMax: 0 });
  const old = publisher.stage(revisionOf('1'));
  await node.adopt(change(1, [old]), publisher.source);
  const released = Promise.withResolvers<void>();
  await node.adopt(change(2, []), async (digest) => {
    await released.promise;
    return publisher.source(digest);
  });
  const linking = node.stage(node.current, 'abc123defg', 'dev');
  await node.adopt(change(3, [publisher.stage(revisionOf('2'))]), publisher.source);
  released.resolve();
  await linking;
  expect(node.linkedCount, 'the old one, for nobody').toBe(1);
  await node.adopt(change(4, []), publisher.source);
  expect(node.linkedCount).toBe(0);
});

test('series of a stage that is removed are given back; those of one that is replaced are not', async () => {
  const publisher = new Publisher();
  const series = new Set<string>();
  const named = ({ resource, httpMethod }: { resource: string; httpMethod: string }) => `${httpMethod} ${resource}`;
  const metrics: LinkBindings['metrics'] = {
    series: (labels) => (series.add(named(labels)), { record: () => undefined }),
    forget: (labels) => void series.delete(named(labels)),
  };
  const node = keeper({ bindings: { ...bindings, metrics } });
  const entry = publisher.stage(revisionOf('1'));
  await node.adopt(change(1, [entry]), publisher.source);
  await node.adopt(change(2, [publisher.stage(revisionOf('2'))]), publisher.source);
  expect([...series].sort()).toEqual(['* *', 'GET /']);
  await node.adopt(change(3, [], [{ kind: 'STAGE', id: entry.id }]), publisher.source);
  expect([...series]).toEqual([]);
});

test('a large stage is linked in turns with other work of the process', async () => {
  const publisher = new Publisher();
  const routes = Array.from({ length: 2_000 }, (_, index) => routeSnapshot({ path: `/item${index}` }));
  let turns = 0;
  const node = keeper();
  const adopting = node.adopt(change(1, [publisher.stage(stageSnapshot({ routes }))]), publisher.source).then(() => true);
  const turn = (): Promise<false> => new Promise((resolve) => setImmediate(() => resolve(false)));
  while (!(await Promise.race([adopting, turn()]))) turns++;
  expect(turns).toBeGreaterThan(3); // reading the snapshot alone takes one or two
});

test('so are many small stages of one change', async () => {
  const publisher = new Publisher();
  const stages = Array.from({ length: 200 }, (_, index) =>
    publisher.stage(stageSnapshot({ apiId: `api${String(index).padStart(7, '0')}` })),
  );
  let turns = 0;
  const node = keeper();
  const adopting = node.adopt(change(1, stages), (digest) => publisher.blobs.get(digest)!).then(() => true);
  const turn = (): Promise<false> => new Promise((resolve) => setImmediate(() => resolve(false)));
  while (!(await Promise.race([adopting, turn()]))) turns++;
  expect(turns).toBeGreaterThan(10);
  expect(node.linkedCount).toBe(200);
});

test('a route that cannot be linked answers 500; the others of its stage serve', async () => {
  const routes: string[] = [];
  const snapshot = stageSnapshot({
    routes: [
      ...revisionOf('fine').routes,
      routeSnapshot({
        path: '/bad',
        integration: {
          type: 'MOCK',
          passthroughBehavior: 'NEVER',
          requestTemplates: {},
          responses: [{ statusCode: 200, selectionPattern: '(a)\\1', responseParameters: {}, responseTemplates: {} }],
        },
      }),
    ],
  });
  const { stage, refusedRoutes } = linkStage(snapshot, 'd', bindings);
  routes.push(...refusedRoutes.map(({ route }) => route));
  expect(routes).toEqual(['GET /bad']);
  const x = new Exchange();
  x.httpMethod = 'GET';
  x.resourcePath = '/bad';
  x.stage = stage;
  x.route = stage.match(x);
  await runProgram(x.route!.program, x);
  expect([x.status, String(x.responseBody), lastHeader(x.responseHeaders, 'x-amzn-errortype'), await answer(stage)]).toEqual([
    500,
    '{"message":"Internal server error"}',
    'InternalServerErrorException',
    'fine',
  ]);
});

/** A node that tells which routes were linked since it was asked last. */
function linkingWatched(over: Partial<WorldKeeperOptions> = {}) {
  const linked: string[] = [];
  const metrics: LinkBindings['metrics'] = {
    series: ({ resource }) => {
      if (resource !== '*') linked.push(resource);
      return { record: () => undefined };
    },
  };
  const node = keeper({ bindings: { ...bindings, metrics }, ...over });
  const take = (): string[] => linked.splice(0).sort();
  const ask = async (path: string) => {
    const x = new Exchange();
    x.httpMethod = 'GET';
    x.resourcePath = path;
    x.stage = (await node.stage(node.current, 'abc123defg', 'dev')) as LinkedStage;
    x.route = x.stage.match(x);
    await runProgram(x.route!.program, x);
    return [x.status, x.route!.settings.operationName];
  };
  return { node, take, ask };
}

test('of a changed stage are linked before it is served: what changed, and what is in use; the rest when it is asked for', async () => {
  const { node, take, ask } = linkingWatched();
  const publisher = new Publisher();
  const [{ integration }] = revisionOf('ok').routes as [RouteSnapshot];
  const version = (number: number, changed: string) =>
    publisher.stage(
      stageSnapshot({
        stageVariables: { version: String(number) },
        routes: ['/a', '/b', '/c', '/d'].map((path) =>
          routeSnapshot({ path, integration, operationName: path === changed ? `op${number}` : null }),
        ),
      }),
    );
  await node.adopt(change(1, [version(1, '/none')]), publisher.source);
  expect(take(), 'a stage that is new').toEqual(['/a', '/b', '/c', '/d']);
  expect(await ask('/b')).toEqual([200, null]);
  await node.adopt(change(2, [version(2, '/d')]), publisher.source);
  expect(take(), 'changed and in use').toEqual(['/b', '/d']);
  expect([await ask('/a'), await ask('/d'), await ask('/a')]).toEqual([
    [200, null],
    [200, 'op2'],
    [200, null],
  ]);
  expect(take(), 'asked for').toEqual(['/a']);
  await node.adopt(change(3, [version(3, '/d')]), publisher.source);
  expect(take(), 'nobody asked for /b in version 2').toEqual(['/a', '/d']);
});

test('the memory of texts that nobody compares with any more is given back at once', async () => {
  const node = keeper();
  const publisher = new Publisher();
  const routes = (last: string) =>
    Array.from({ length: 50 }, (_, index) => routeSnapshot({ path: `/item${index < 49 ? index : last}` }));
  const given: Uint8Array[] = [];
  const source = (digest: string): Uint8Array => {
    given.push(new Uint8Array(publisher.blobs.get(digest)!));
    return given.at(-1)!;
  };
  const held: boolean[][] = [];
  for (const [version, last] of ['x', 'x', 'y', 'y'].entries()) {
    const snapshot = stageSnapshot({ routes: routes(last), deploymentId: `v${version}` });
    await node.adopt(change(version + 1, [publisher.stage(snapshot)]), source);
    const stage = (await node.stage(node.current, 'abc123defg', 'dev')) as LinkedStage;
    expect(stage.snapshot).toEqual(snapshot);
    held.push(given.map(({ byteLength }) => byteLength > 0));
  }
  expect(held).toEqual([[true], [true, false], [false, false, true], [false, false, true, false]]);
});

test('a route that cannot be linked at its first request answers 500, told once; what links is not asked twice', async () => {
  const told: string[] = [];
  const { node, ask } = linkingWatched({ onRefusedRoute: (_stage, route) => void told.push(route) });
  const publisher = new Publisher();
  const [{ integration }] = revisionOf('ok').routes as [RouteSnapshot];
  const bad = {
    ...integration,
    responses: [{ statusCode: 200, selectionPattern: '(a)\\1', responseParameters: {}, responseTemplates: {} }],
  };
  const version = (number: string) =>
    publisher.stage(
      stageSnapshot({
        stageVariables: { number },
        routes: [routeSnapshot({ path: '/good', integration }), routeSnapshot({ path: '/bad', integration: bad as never })],
      }),
    );
  await node.adopt(change(1, [version('1')]), publisher.source);
  expect(told.splice(0)).toEqual(['GET /bad']);
  await node.adopt(change(2, [version('2')]), publisher.source);
  expect(told).toEqual([]);
  expect([await ask('/bad'), await ask('/bad'), await ask('/good')].map(([status]) => status)).toEqual([500, 500, 200]);
  expect(told).toEqual(['GET /bad']);
});

test('programs and stages are frozen', () => {
  const { stage } = linkStage(stageSnapshot(), 'd', bindings);
  const x = new Exchange();
  x.httpMethod = 'GET';
  x.resourcePath = '/';
  const { program } = stage.match(x)!;
  expect([stage, program, program.requestSteps, program.responseSteps].every(Object.isFrozen)).toBe(true);
  expect([program.stepNames!.request.length, program.stepNames!.response.length]).toEqual([
    program.requestSteps.length,
    program.responseSteps.length,
  ]);
});

// Keys and plans

const [D1, D2] = [sha256Hex('value 1'), sha256Hex('value 2')];
const KEY: ApiKeyEntry = { apiKeyId: 'k1', tenant: '1', valueDigest: D1, enabled: true, usagePlanIds: ['p1'] };
const PLAN: UsagePlanEntry = {
  usagePlanId: 'p1',
  tenant: '1',
  throttle: null,
  quota: null,
  apiStages: [{ apiId: 'a', stage: 's', methodThrottles: {} }],
};
const keyEntry = (key: ApiKeyEntry, over: Partial<WorldEntry> = {}): WorldEntry => ({
  kind: 'API_KEY',
  id: key.apiKeyId,
  tenant: key.tenant,
  digest: null,
  inline: canonicalJson(key),
  ...over,
});
const planEntry = (plan: UsagePlanEntry): WorldEntry => ({
  kind: 'USAGE_PLAN',
  id: plan.usagePlanId,
  tenant: plan.tenant,
  digest: null,
  inline: canonicalJson(plan),
});
const none = (): null => null;

test('keys and plans are found by their own tenant only', async () => {
  const node = keeper();
  await node.adopt(change(1, [keyEntry(KEY), planEntry(PLAN)]), none);
  const world = node.current;
  expect([world.apiKey('1', D1)?.apiKeyId, world.apiKey('2', D1), world.apiKey('1', D2)]).toEqual(['k1', null, null]);
  expect([world.usagePlan('1', 'p1')?.settings, world.usagePlan('2', 'p1')]).toEqual([PLAN, null]);
  expect([world.usagePlan('1', 'p1')!.methodThrottles('a', 's'), world.usagePlan('1', 'p1')!.methodThrottles('a', 't')]).toEqual([
    new Map(),
    null,
  ]);
});

test('a key that changes its value or is removed is not found by the old one', async () => {
  const node = keeper();
  await node.adopt(change(1, [keyEntry(KEY)]), none);
  await node.adopt(change(2, [keyEntry({ ...KEY, valueDigest: D2, enabled: false })]), none);
  expect([node.current.apiKey('1', D1), node.current.apiKey('1', D2)?.enabled]).toEqual([null, false]);
  await node.adopt(change(3, [], [{ kind: 'API_KEY', id: 'k1' }]), none);
  expect(node.current.apiKey('1', D2)).toBe(null);
});

test('a value that moves from one key to another in one change belongs to the new one, in either order', async () => {
  for (const flip of [false, true]) {
    const node = keeper();
    await node.adopt(change(1, [keyEntry(KEY)]), none);
    const entries = [keyEntry({ ...KEY, valueDigest: D2 }), keyEntry({ ...KEY, apiKeyId: 'k2' })];
    await node.adopt(change(2, flip ? entries.reverse() : entries), none);
    expect([node.current.apiKey('1', D1)?.apiKeyId, node.current.apiKey('1', D2)?.apiKeyId]).toEqual(['k2', 'k1']);
  }
});

test('content that names another tenant or id, or is no JSON, is refused and changes nothing', async () => {
  const node = keeper();
  await node.adopt(change(1, [keyEntry(KEY)]), none);
  const bad = [
    keyEntry(KEY, { tenant: '2' }),
    keyEntry({ ...KEY, enabled: false }, { id: 'k9' }),
    keyEntry(KEY, { inline: '{' }),
  ];
  expect((await node.adopt(change(2, bad), none)).length).toBe(3);
  expect(node.current.apiKey('1', D1)).toEqual(KEY);
});

test('a persistent map agrees with a plain one, and its earlier forms do not change', () => {
  const edit = fc.tuple(fc.string({ maxLength: 2 }), fc.option(fc.integer()));
  fc.assert(
    fc.property(fc.array(fc.array(edit, { maxLength: 5 }), { maxLength: 10 }), (rounds) => {
      const plain = new Map<string, number>();
      let map = PersistentMap.empty<number>();
      for (const edits of rounds) {
        const before = map;
        const sizeBefore = before.size;
        map = map.with(edits);
        for (const [key, value] of edits) {
          if (value === null) plain.delete(key);
          else plain.set(key, value);
        }
        expect(before.size).toBe(sizeBefore);
      }
      expect(map.size).toBe(plain.size);
      for (const [key, value] of plain) expect(map.get(key)).toBe(value);
    }),
  );
});

test('a request that its key pays for is counted for good before its answer, whether a mock, a backend or a fault gives it', async () => {
  const mock = revisionOf('paid').routes[0]!.integration;
  const proxy = {
    type: 'HTTP_PROXY',
    uri: 'http://upstream.example',
    httpMethod: 'GET',
    timeoutMs: 1_000,
    requestParameters: {},
    insecureSkipVerification: false,
  } as const;
  const answering: Connector = { call: () => Promise.resolve({ status: 200, headers: [], body: null }) };
  const plan = { usagePlanId: 'p', tenant: '123456789012', throttle: null, quota: null };
  const settings = { ...plan, apiStages: [{ apiId: 'abc123defg', stage: 'dev', methodThrottles: {} }] };
  const key = { apiKeyId: 'k', tenant: plan.tenant, valueDigest: sha256Hex('v'), enabled: true, usagePlanIds: ['p'] };
  for (const [integration, http, status] of [
    [mock, noBackend, 200],
    [proxy, answering, 200],
    [proxy, noBackend, 500],
  ] as const) {
    const happened: string[] = [];
    const usage = { count: () => void happened.push('counted'), settle: () => void happened.push('for good') };
    const routes = [routeSnapshot({ apiKeyRequired: true, integration })];
    const { stage } = linkStage(stageSnapshot({ routes }), 'digest', {
      ...bindings,
      http,
      limits: { ...bindings.limits, usage },
    });
    const x = new Exchange();
    x.httpMethod = 'GET';
    x.resourcePath = '/';
    x.requestHeaders = ['x-api-key', 'v'];
    const usagePlan = () => ({ settings, methodThrottles: () => new Map() });
    x.world = { revision: 1, apiKey: () => key, usagePlan, accessKey: () => null, serviceAccess: () => null };
    x.stage = stage;
    x.route = stage.match(x);
    await runProgram(x.route!.program, x);
    expect([x.status >= 500 ? 500 : x.status, ...happened]).toEqual([status, 'counted', 'for good']);
  }
});
