/** Each node in turn is killed, stopped for a while, and restarted. */
import assert from 'node:assert/strict';
import type { Scenario } from '../scenario.js';
import { eventually, sleep } from '../wait.js';

const WELL_MS = 20_000;

export const killNodes: Scenario = {
  name: 'kill-nodes',
  guarantee:
    'kill -9 of a node breaks nothing but what was under way in it; a balancer repeats what may be repeated, and no POST is done twice',
  run: async (fleet, tell) => {
    for (const node of fleet.nodes) {
      const before = fleet.load.broken.length;
      await fleet.killNode(node);
      await sleep(1_000);
      const version = await fleet.deploy(fleet.planes[0]!);
      await fleet.bringBack(node);
      fleet.killedNodes++;
      const tookMs = await fleet.nodesServe(version, WELL_MS);
      // Each caller has one request under way: of each kind to the node itself, and the POST at the balancer.
      const broken = fleet.load.broken.slice(before);
      assert(broken.length <= 5, `more broke than was under way: ${JSON.stringify(broken)}`);
      tell(`${node.name}: ${broken.length} requests under way broke; back with what it missed after ${tookMs} ms`);
    }
    for (const order of fleet.load.ordersAnswered) assert.equal(fleet.backend.orders.get(order), 1, `order ${order}`);
    for (const [order, count] of fleet.backend.orders) assert.equal(count, 1, `order ${order} was done ${count} times`);
  },
};

export const pauseNodes: Scenario = {
  name: 'pause-nodes',
  guarantee: 'a node that hangs and goes on answers what it held; the others serve meanwhile',
  run: async (fleet, tell) => {
    for (const node of fleet.nodes) {
      node.part.pause();
      const others = fleet.nodes.filter((other) => other !== node);
      if (fleet.balancer !== null)
        await eventually('the balancer sees that it hangs', 15_000, async () => (await fleet.balancer!.upCount()) === 2);
      const version = await fleet.deploy(fleet.planes[1]!);
      await fleet.nodesServe(version, WELL_MS, others);
      node.part.resume();
      await fleet.balancerSeesAll();
      tell(`${node.name}: it had the change after ${await fleet.nodesServe(version, WELL_MS)} ms`);
    }
  },
};
