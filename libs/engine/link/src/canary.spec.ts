import type { CanarySnapshot, StageSnapshot } from '@gatehouse/contracts';
import { contextVariable, Exchange, LinkRefusal, runProgram, type Connector } from '@gatehouse/engine-exchange';
import { BucketRegistry, QuotaLedger } from '@gatehouse/engine-limits';
import { canonicalJson, ManualClock, sha256Hex } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { describe, expect, test } from 'vitest';
import { checkStage } from './shapes.js';
import { linkStage, WorldKeeper, type LinkBindings, type MetricLabels } from './index.js';

const noBackend: Connector = { call: () => Promise.resolve({ failure: 'NETWORK', cause: null }) };

interface Counted extends LinkBindings {
  readonly series: Set<string>;
}

function bindings(random: () => number): Counted {
  const series = new Set<string>();
  const name = ({ stage, httpMethod, resource }: MetricLabels): string => `${stage} ${httpMethod} ${resource}`;
  return {
    limits: {
      buckets: new BucketRegistry(1_000),
      quotas: new QuotaLedger({ requestMore: () => undefined }),
      usage: { count: () => undefined },
      clock: new ManualClock(),
    },
    http: noBackend,
    insecureHttp: noBackend,
    functions: noBackend,
    metrics: {
      series: (labels) => {
        series.add(name(labels));
        return { record: () => undefined };
      },
      forget: (labels) => void series.delete(name(labels)),
    },
    random,
    series,
  };
}

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
function fixedRandom(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const greeting = (path: string) =>
  routeSnapshot({
    path,
    integration: {
      type: 'VELOCITY',
      integration: {
        type: 'MOCK',
        passthroughBehavior: 'WHEN_NO_MATCH',
        requestTemplates: { 'application/json': '{"statusCode": 200}' },
        responses: [
          {
            statusCode: 200,
            selectionPattern: null,
            responseParameters: {},
            responseTemplates: {
              'application/json': '$context.deploymentId $stageVariables.colour $context.isCanaryRequest',
            },
          },
        ],
      },
    },
  });

const CANARY: CanarySnapshot = {
  percentTraffic: 10,
  useStageCache: false,
  members: { deploymentId: 'dep999', stageVariables: { colour: 'green' } },
  absent: ['models'],
  routes: [0, greeting('/new')],
};

function stageWith(over: Partial<CanarySnapshot> = {}): StageSnapshot {
  return stageSnapshot({
    stageVariables: { colour: 'blue' },
    models: { Pet: '{}' },
    routes: [greeting('/'), greeting('/old')],
    canary: { ...CANARY, ...over },
  });
}

async function ask(stage: ReturnType<typeof linkStage>['stage'], path = '/'): Promise<string> {
  const x = new Exchange();
  x.httpMethod = 'GET';
  x.resourcePath = path;
  x.stage = stage;
  x.route = stage.match(x);
  if (x.route === null) return `none of ${x.stage.snapshot.deploymentId}`;
  await runProgram(x.route.program, x);
  return String(x.responseBody);
}

const OWN = 'dep123 blue false';
const OTHER = 'dep999 green true';

describe('a canary', () => {
  test.each([0, 0.1, 10, 50, 99.9, 100])('of %d percent gets its share, and the two ends are exact', async (percentTraffic) => {
    const { stage } = linkStage(stageWith({ percentTraffic }), 'd', bindings(fixedRandom()));
    const requests = 20_000;
    let canaryCount = 0;
    for (let i = 0; i < requests; i++) if ((await ask(stage)) === OTHER) canaryCount++;
    const expected = (requests * percentTraffic) / 100;
    // Six standard deviations; none where there is nothing to choose.
    const tolerance = 6 * Math.sqrt((expected * (100 - percentTraffic)) / 100);
    expect(Math.abs(canaryCount - expected)).toBeLessThanOrEqual(tolerance);
  });

  test('is chosen by the source of randomness alone: below the share it is the canary, from the share on it is not', async () => {
    let next = 0;
    const { stage } = linkStage(
      stageWith(),
      'd',
      bindings(() => next),
    );
    const answers: string[] = [];
    for (next of [0, 0.0999999, 0.1, 0.999999]) answers.push(await ask(stage));
    expect(answers).toEqual([OTHER, OTHER, OWN, OWN]);
  });

  test('has the routes of its own deployment and no others', async () => {
    const always = linkStage(stageWith({ percentTraffic: 100 }), 'd', bindings(Math.random)).stage;
    expect([await ask(always, '/new'), await ask(always, '/old')]).toEqual([OTHER, 'none of dep999']);
    const never = linkStage(stageWith({ percentTraffic: 0 }), 'd', bindings(Math.random)).stage;
    expect([await ask(never, '/new'), await ask(never, '/old')]).toEqual(['none of dep123', OWN]);
  });

  test('has the members of the snapshot around it that it does not name, but for those it has not', () => {
    const { canary } = linkStage(stageWith(), 'd', bindings(Math.random)).stage;
    expect(canary!.snapshot).toMatchObject({ apiName: 'pets', tenant: '123456789012', stage: 'dev', deploymentId: 'dep999' });
    expect(canary!.snapshot).not.toHaveProperty('models');
    expect(canary!.snapshot).not.toHaveProperty('canary');
  });

  test('never belongs to another tenant, API or stage than the snapshot around it', () => {
    const members = { tenant: '999999999999', apiId: 'other', stage: 'prod' };
    const { canary } = linkStage(stageWith({ members }), 'd', bindings(Math.random)).stage;
    expect(canary!.snapshot).toMatchObject({ tenant: '123456789012', apiId: 'abc123defg', stage: 'dev' });
  });

  test('is counted apart from its stage', () => {
    const bound = bindings(Math.random);
    linkStage(stageWith(), 'd', bound);
    expect([...bound.series].sort()).toEqual([
      'dev * *',
      'dev GET /',
      'dev GET /old',
      'dev/Canary * *',
      'dev/Canary GET /',
      'dev/Canary GET /new',
    ]);
  });

  test('that is over, promoted or gone with its stage, leaves no series behind', async () => {
    const bound = bindings(Math.random);
    const keeper = new WorldKeeper({ bindings: bound });
    let bytes = Buffer.alloc(0);
    let revision = 0;
    const publish = async (snapshot: StageSnapshot | null): Promise<void> => {
      const id = 'abc123defg/dev';
      revision++;
      if (snapshot === null) {
        await keeper.adopt({ revision, entries: [], removed: [{ kind: 'STAGE', id }] }, () => bytes);
        return;
      }
      bytes = Buffer.from(canonicalJson(snapshot));
      const entry = { kind: 'STAGE', id, tenant: snapshot.tenant, digest: sha256Hex(bytes), inline: '' } as const;
      expect(await keeper.adopt({ revision, entries: [entry], removed: [] }, () => bytes)).toEqual([]);
    };
    const canarySeries = (): string[] => [...bound.series].filter((name) => name.includes('Canary'));
    await publish(stageWith());
    await publish(stageWith({ percentTraffic: 20 }));
    expect(canarySeries()).toHaveLength(3);
    await publish(stageSnapshot());
    expect(canarySeries()).toEqual([]);
    await publish(stageWith());
    expect(canarySeries()).toHaveLength(3);
    await publish(null);
    expect(canarySeries()).toEqual([]);
  });

  test.each([
    ['a route that is not around it', { routes: [2] }, 'there is no route 2'],
    ['a member that is not as it should be', { members: { deploymentId: 7 as never } }, 'canary.deploymentId: expected a string'],
    ['a route that is none', { routes: [{} as never] }, 'canary.routes[0].resourceId: expected a string'],
    ['no share', { percentTraffic: undefined as never }, 'canary.percentTraffic: expected a number'],
  ])('with %s is refused with its stage', (_, over, message) => {
    expect(() => checkStage(stageWith(over), 's')).toThrow(LinkRefusal);
    expect(() => checkStage(stageWith(over), 's')).toThrow(message);
  });
});

test('a stage without a canary asks for no random number, and $context.isCanaryRequest is nothing', async () => {
  const { stage } = linkStage(
    stageSnapshot(),
    'd',
    bindings(() => expect.unreachable('asked')),
  );
  const x = new Exchange();
  x.stage = stage;
  x.httpMethod = 'GET';
  x.resourcePath = '/';
  expect(stage.match(x)).not.toBeNull();
  expect([stage.canary, contextVariable('isCanaryRequest')!(x)]).toEqual([null, null]);
});
