/** Everything behind the nodes is gone. */
import assert from 'node:assert/strict';
import type { Fleet, FleetNode } from '../fleet.js';
import type { Scenario } from '../scenario.js';
import { eventually } from '../wait.js';

const WELL_MS = 40_000;

export const staticStability: Scenario = {
  name: 'static-stability',
  guarantee:
    'control planes, PostgreSQL and Redis gone: nodes serve, restart and serve from disk, a new one with an empty disk joins from a sibling; usage waits and arrives',
  run: async (fleet, tell) => {
    const version = await fleet.deploy(fleet.planes[0]!);
    await fleet.nodesServe(version, WELL_MS);
    const snapshotKey = /"snapshotKey":"([0-9a-f]{64})"/.exec(fleet.planes[0]!.part.log())![1]!;
    await loseAll(fleet);

    const [node] = fleet.nodes as [FleetNode];
    node.isDown = true;
    assert.equal(await node.part.terminate(), 0, `exit code of ${node.name}`);
    await fleet.bringBack(node);
    await fleet.nodesServe(version, 5_000);
    tell(`${node.name} restarted and serves version ${version} from its disk`);

    const newcomer = await fleet.guest('newcomer', {
      GATEHOUSE_SIBLINGS: fleet.nodes.map(({ adminPort }) => `http://127.0.0.1:${adminPort}`).join(','),
      GATEHOUSE_SNAPSHOT_KEY: snapshotKey,
    });
    await newcomer.part.start();
    const readyMs = await eventually('the newcomer is ready', WELL_MS, () => newcomer.isReady());
    await fleet.nodesServe(version, 5_000, [newcomer]);
    for (let count = 0; count < 10; count++)
      assert.equal((await fleet.call(newcomer, '/keyed', { 'x-api-key': fleet.steady.apiKey })).status, 200);
    tell(`a newcomer with an empty disk was ready after ${readyMs} ms`);

    await bringAllBack(fleet);
    tell(await fleet.isWell(WELL_MS));
    const last = await fleet.deploy(fleet.planes[1]!);
    await fleet.nodesServe(last, WELL_MS, [...fleet.nodes, newcomer]);
    assert.equal(await newcomer.part.terminate(), 0, 'exit code of the newcomer');
  },
};

async function loseAll(fleet: Fleet): Promise<void> {
  for (const { part } of fleet.planes) await part.kill();
  await fleet.postgres.kill();
  fleet.redisWire.refuse();
}

async function bringAllBack(fleet: Fleet): Promise<void> {
  fleet.redisWire.release();
  await fleet.postgres.restart();
  for (const { part } of fleet.planes) await part.start();
}
