/** Redis is killed and stopped for a while. */
import assert from 'node:assert/strict';
import { createPlan } from '../admin.js';
import type { Fleet, FleetNode } from '../fleet.js';
import type { Scenario } from '../scenario.js';
import { eventually, sleep } from '../wait.js';

const NOTICED_MS = 30_000;

interface Keys {
  readonly open: string;
  readonly closed: string;
}

/** Two keys whose plans are throttled, so that they need leases all the time, and choose differently without them. */
async function createKeys(fleet: Fleet): Promise<Keys> {
  const { api } = fleet.planes[0]!;
  const keyOf = async (fallback: 'open' | 'closed'): Promise<string> => {
    const key = await api.createApiKey({ name: fallback, enabled: true });
    const tags = { 'gatehouse:limit-fallback': fallback };
    await createPlan(api, fleet.steady.apiId, fallback, key.id!, { tags, throttle: { rateLimit: 1_000, burstLimit: 1_000 } });
    return key.value!;
  };
  return { open: await keyOf('open'), closed: await keyOf('closed') };
}

const statusOf = async (fleet: Fleet, node: FleetNode, apiKey: string): Promise<number> =>
  (await fleet.call(node, '/keyed', { 'x-api-key': apiKey })).status;

/** All nodes answer `status` to the key of the plan that is closed without leases; to the other key always 200. */
async function closedAnswers(fleet: Fleet, keys: Keys, status: number): Promise<number> {
  return eventually(`the closed plan answers ${status} on all nodes`, NOTICED_MS, async () => {
    const seen: number[] = [];
    for (const node of fleet.nodes) {
      assert.equal(await statusOf(fleet, node, keys.open), 200, 'the open plan');
      seen.push(await statusOf(fleet, node, keys.closed));
    }
    if (seen.every((each) => each === status)) return true;
    await sleep(200);
    throw new Error(seen.join(', '));
  });
}

async function fallbacks(fleet: Fleet): Promise<{ open: number; closed: number }> {
  const sum = async (name: string): Promise<number> =>
    (await Promise.all(fleet.nodes.map((node) => node.metric(name)))).reduce((total, count) => total + count, 0);
  return {
    open: await sum('gatehouse_limits_fallback_open_total'),
    closed: await sum('gatehouse_limits_fallback_closed_total'),
  };
}

function lossOf(
  name: string,
  guarantee: string,
  lose: (fleet: Fleet) => Promise<void>,
  giveBack: (fleet: Fleet) => Promise<void>,
): Scenario {
  return {
    name,
    guarantee,
    run: async (fleet, tell) => {
      const keys = await createKeys(fleet);
      await closedAnswers(fleet, keys, 200);
      const before = await fallbacks(fleet);
      await lose(fleet);
      const refusedMs = await closedAnswers(fleet, keys, 429);
      const after = await fallbacks(fleet);
      assert(after.open > before.open && after.closed > before.closed, `not counted: ${JSON.stringify([before, after])}`);
      tell(`the closed plan answered 429 on all nodes after ${refusedMs} ms, the open one 200 throughout; both are counted`);
      tell(`without it: ${await fleet.isWell(NOTICED_MS)}`);
      await giveBack(fleet);
      tell(`back: the closed plan is served again after ${await closedAnswers(fleet, keys, 200)} ms`);
    },
  };
}

export const killRedis = lossOf(
  'kill-redis',
  "kill -9 of Redis: each plan's choice is taken on every node and counted; management goes on; leases come again when it is back, empty",
  // A server that is not ours is cut off instead.
  (fleet) => (fleet.redis.engine === 'REDIS_URL' ? Promise.resolve(fleet.redisWire.refuse()) : fleet.redis.kill()),
  (fleet) => (fleet.redis.engine === 'REDIS_URL' ? Promise.resolve(fleet.redisWire.release()) : fleet.redis.restart()),
);

export const pauseRedis = lossOf(
  'pause-redis',
  'Redis hangs: the same',
  async (fleet) => fleet.redisWire.hold(),
  async (fleet) => fleet.redisWire.release(),
);
