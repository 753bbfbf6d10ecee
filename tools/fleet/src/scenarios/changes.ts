/** Changes that meet a failure on their way. */
import assert from 'node:assert/strict';
import { createPlan, mockAnswer, refusal } from '../admin.js';
import type { Fleet, FleetNode } from '../fleet.js';
import type { Scenario } from '../scenario.js';
import { eventually } from '../wait.js';

const WELL_MS = 40_000;
const ROUNDS = 10;

async function allAnswer(fleet: Fleet, apiKey: string, status: number, deadlineMs: number): Promise<number> {
  return eventually(`all nodes answer ${status} to the key`, deadlineMs, async () => {
    const seen = await Promise.all(fleet.nodes.map((node) => fleet.call(node, '/keyed', { 'x-api-key': apiKey })));
    if (seen.every((answer) => answer.status === status)) return true;
    throw new Error(seen.map((answer) => `${answer.status} ${answer.body}`).join(', '));
  });
}

export const disabledKey: Scenario = {
  name: 'disabled-key',
  guarantee:
    'a disabled key is refused by all nodes, also when the control plane that was told dies right after, and after a restart without any',
  run: async (fleet, tell) => {
    const [first, second] = fleet.planes;
    const { api } = first!;
    const { id: apiKey, value } = await api.createApiKey({ name: 'to-be-disabled', enabled: true });
    await createPlan(api, fleet.steady.apiId, 'to-be-disabled', apiKey!);
    const set = (enabled: boolean) =>
      api.updateApiKey({ apiKey, patchOperations: [{ op: 'replace', path: '/enabled', value: String(enabled) }] });
    await allAnswer(fleet, value!, 200, WELL_MS);
    await set(false);
    tell(`refused by all nodes ${await allAnswer(fleet, value!, 403, WELL_MS)} ms after it was disabled`);
    await set(true);
    await allAnswer(fleet, value!, 200, WELL_MS);

    await set(false);
    await first!.part.kill();
    tell(`with its control plane killed right after: ${await allAnswer(fleet, value!, 403, WELL_MS)} ms`);
    await second!.part.kill();
    const [node] = fleet.nodes as [FleetNode];
    node.isDown = true;
    assert.equal(await node.part.terminate(), 0, `exit code of ${node.name}`);
    await fleet.bringBack(node);
    assert.equal((await fleet.call(node, '/keyed', { 'x-api-key': value! })).status, 403, 'from disk, without a control plane');
    for (const { part } of fleet.planes) await part.start();
    tell(await fleet.isWell(WELL_MS));
    await allAnswer(fleet, value!, 403, 5_000);
  },
};

export const twoWriters: Scenario = {
  name: 'two-writers',
  guarantee:
    'two control planes move one stage at once, and one dies while it does: one wins, both say which, and all nodes serve that one',
  isLong: true,
  run: async (fleet, tell) => {
    const [first, second] = fleet.planes;
    const { apiId, resourceId } = fleet.changing;
    const deployments = new Map<string, string>();
    for (const name of ['left', 'right']) {
      await mockAnswer(first!.api, { restApiId: apiId, resourceId, httpMethod: 'GET' }, name);
      const { id } = await first!.api.createDeployment({ restApiId: apiId });
      deployments.set(id!, name);
    }
    const [left, right] = [...deployments.keys()] as [string, string];
    const move = (plane: typeof first, deployment: string): Promise<string | null> =>
      refusal(
        plane!.api.updateStage({
          restApiId: apiId,
          stageName: 'dev',
          patchOperations: [{ op: 'replace', path: '/deploymentId', value: deployment }],
        }),
      );
    const winnerOf = async (plane: typeof first): Promise<string> =>
      (await plane!.api.getStage({ restApiId: apiId, stageName: 'dev' })).deploymentId!;
    const agree = async (plane: typeof first): Promise<string> => {
      const winner = deployments.get(await winnerOf(plane))!;
      await eventually(`all nodes answer ${winner}`, WELL_MS, async () => {
        const seen = await Promise.all(fleet.nodes.map((node) => fleet.versionOf(node)));
        if (seen.every((body) => body === winner)) return true;
        throw new Error(seen.join(', '));
      });
      return winner;
    };
    const wins: Record<string, number> = {};
    for (let round = 0; round < ROUNDS; round++) {
      const said = await Promise.all([move(first, left), move(second, right)]);
      for (const refused of said)
        if (refused !== null) assert.match(refused, /^(409 ConflictException|429 TooManyRequests|500 Internal|503 )/);
      assert.equal(await winnerOf(first), await winnerOf(second), 'both control planes name one winner');
      const winner = await agree(second);
      wins[winner] = (wins[winner] ?? 0) + 1;
    }
    tell(
      `${ROUNDS} rounds: ${Object.entries(wins)
        .map(([name, count]) => `${name} won ${count}`)
        .join(', ')}`,
    );
    for (let round = 0; round < 3; round++) {
      const moving = move(first, round % 2 === 0 ? left : right);
      await new Promise((resolve) => setTimeout(resolve, round * 4)); // somewhere in the middle
      await first!.part.kill();
      const said = await moving;
      if (said !== null) assert.match(said, /^no answer: /);
      tell(
        `killed ${round * 4} ms into a change (${said === null ? 'done' : 'no answer'}): all nodes serve ${await agree(second)}`,
      );
      await first!.part.start();
    }
    tell(await fleet.isWell(WELL_MS));
  },
};

export const incompleteManifest: Scenario = {
  name: 'incomplete-manifest',
  guarantee: 'a node is not ready while its manifest is not whole, and answers everything from the moment it is',
  run: async (fleet, tell) => {
    const node = await fleet.guest('incomplete');
    for (const wire of node.wires) wire.hold();
    await node.part.start();
    assert.deepEqual(await waitingFor(node), ['manifest']);
    for (const wire of node.wires) wire.release();
    for (const bytes of [40, 200, 400, 600]) {
      // Greeting and first bytes of the manifest come, the rest does not.
      for (const wire of node.wires) wire.cutAfter(bytes);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    for (const wire of node.wires) wire.hold();
    const isReady = await node.isReady();
    if (!isReady) assert.deepEqual(await waitingFor(node), ['manifest']);
    for (const wire of node.wires) wire.release();
    let refused = 0;
    const readyMs = await eventually('it is ready', WELL_MS, async () => {
      const [ready, { status }] = [await node.isReady(), await fleet.call(node, '/mock')];
      if (!ready) refused++;
      else assert.equal(status, 200, 'ready, and does not answer');
      return ready;
    });
    assert.equal((await fleet.call(node, '/mock')).body, 'mocked');
    tell(`not ready ${refused} times it was asked, then ready after ${readyMs} ms and serving`);
    assert.equal(await node.part.terminate(), 0);
  },
};

async function waitingFor(node: FleetNode): Promise<string[]> {
  const { body } = await node.readiness();
  return (JSON.parse(body) as { waitingFor?: string[] }).waitingFor ?? [];
}
