/** Every node and control plane is ended as an operator does it, and started again, under load. */
import assert from 'node:assert/strict';
import http from 'node:http';
import type { Fleet, FleetNode } from '../fleet.js';
import { request } from '../load.js';
import type { Scenario } from '../scenario.js';
import { eventually } from '../wait.js';

const IN_FLIGHT = 1_000;
const IDLE_SOCKETS = 500;
const WELL_MS = 30_000;

export const rollingRestart: Scenario = {
  name: 'rolling-restart',
  guarantee:
    'SIGTERM: readiness flips first, what is under way and what still comes is answered, exit code 0; no request is lost',
  run: async (fleet, tell) => {
    for (const node of fleet.nodes) {
      await endAndRestart(fleet, node);
      tell(`${node.name}: restarted`);
    }
    for (const plane of fleet.planes) {
      assert.equal(await plane.part.terminate(), 0, `exit code of ${plane.name}`);
      await plane.part.start();
      tell(`${plane.name}: restarted; ${await fleet.isWell(WELL_MS)}`);
    }
  },
};

/** Direct callers turn away when they see that it is not ready, as a balancer does; whatever they sent before must be answered. */
export async function endAndRestart(fleet: Fleet, node: FleetNode, whileDown: () => void = () => {}): Promise<void> {
  const ended = node.part.terminate();
  await eventually(`${node.name} is not ready`, 5_000, async () => !(await node.isReady()));
  const last = await fleet.versionOf(node);
  assert.match(last, /^version /, 'not ready, and still answering');
  node.isDown = true;
  assert.equal(await ended, 0, `exit code of ${node.name}`);
  whileDown();
  await fleet.bringBack(node);
}

export const drain: Scenario = {
  name: 'drain',
  guarantee: `SIGTERM with ${IN_FLIGHT} requests in flight and ${IDLE_SOCKETS} idle sockets: every request is answered, also those that come late on idle sockets`,
  run: async (fleet, tell) => {
    const [node] = fleet.nodes;
    const path = `/_aws/execute-api/${fleet.steady.apiId}/dev`;
    const agent = new http.Agent({ keepAlive: true });
    const idle = Array.from({ length: IDLE_SOCKETS }, () => new http.Agent({ keepAlive: true, maxSockets: 1 }));
    const onEach = () => Promise.all(idle.map((each) => request({ agent: each, port: node!.port, path: `${path}/mock` })));
    assert.deepEqual(statuses(await onEach()), { 200: IDLE_SOCKETS });
    fleet.backend.shut('/slow');
    const inFlight = Promise.all(
      Array.from({ length: IN_FLIGHT }, () => request({ agent, port: node!.port, path: `${path}/slow` })),
    );
    await eventually('all are in flight', 10_000, async () => (await node!.metric('gatehouse_http_in_flight')) >= IN_FLIGHT);
    const restarted = endAndRestart(fleet, node!);
    await eventually(`${node!.name} is not ready`, 5_000, async () => !(await node!.isReady()));
    const late = await onEach();
    assert.deepEqual(statuses(late), { 200: IDLE_SOCKETS }, 'late requests on idle sockets');
    fleet.backend.open('/slow');
    const answers = await inFlight;
    assert.deepEqual(statuses(answers), { 200: IN_FLIGHT }, 'requests in flight');
    await restarted;
    for (const each of [agent, ...idle]) each.destroy();
    tell(`${IN_FLIGHT} in flight and ${IDLE_SOCKETS} late ones answered`);
  },
};

export function statuses(answers: readonly { status: number; body: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const key = status === 0 ? `0 ${body}` : String(status);
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
