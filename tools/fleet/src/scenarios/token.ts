/** A node that shows a wrong token, as after a rotation that forgot it. Certificates: node and control plane speak plain gRPC, so none expire. */
import assert from 'node:assert/strict';
import type { FleetNode } from '../fleet.js';
import type { Scenario } from '../scenario.js';
import { eventually } from '../wait.js';

const WELL_MS = 40_000;

export const wrongToken: Scenario = {
  name: 'wrong-token',
  guarantee:
    'a node restarted with a wrong token serves from its disk and says why it is alone; with the right one its usage arrives',
  isLong: true,
  run: async (fleet, tell) => {
    const [node] = fleet.nodes as [FleetNode];
    await restart(node, { GATEHOUSE_NODE_TOKEN: 'a-token-of-last-year' });
    await eventually('its log says what is wrong', WELL_MS, () =>
      node.part.log().includes('the node token is wrong (GATEHOUSE_NODE_TOKEN)'),
    );
    for (let count = 0; count < 10; count++)
      assert.equal((await fleet.call(node, '/keyed', { 'x-api-key': fleet.steady.apiKey })).status, 200);
    assert.equal(await node.metric('gatehouse_node_connected'), 0);
    const { status, body } = await node.readiness();
    assert.equal(status, 200);
    assert.match(body, /"controlPlaneRefusal":"the node token is wrong/);
    tell(`${node.name} is ready and serves without a control plane that knows it`);
    await restart(node, {});
    tell(await fleet.isWell(WELL_MS));

    async function restart(each: FleetNode, extra: Record<string, string>): Promise<void> {
      each.isDown = true;
      assert.equal(await each.part.terminate(), 0, `exit code of ${each.name}`);
      each.part.extra = extra;
      await fleet.bringBack(each);
    }
  },
};
