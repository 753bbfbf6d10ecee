/** A node at its full size is told to stop. It has two workers, because one process may not have descriptors for all its callers. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { createSlowApi } from '../admin.js';
import { Backend } from '../backend.js';
import type { FleetNode } from '../fleet.js';
import { request } from '../load.js';
import { PlainCaller } from '../plain-caller.js';
import type { Scenario } from '../scenario.js';
import { eventually } from '../wait.js';

const IN_FLIGHT = 10_000;
const IDLE_SOCKETS = 5_000;
/** Calls under way to one origin are bounded, so there are several. */
const ORIGINS = 2;
/** Of this process, for its other sockets: those of the backends, the load, the wires. */
const OTHER_DESCRIPTORS = 4_000;
/** Of both ends of a connection and a request, generously. */
const BYTES_PER_SOCKET = 256 * 1_024;
/** 2,500 a second: an account may make 5,000 at once and 10,000 a second, over all nodes and workers. */
const AT_ONCE = 250;
const PAUSE_MS = 100;
const LINGER_MS = 20_000;
const READY_MS = 30_000;

export const drainFull: Scenario = {
  name: 'drain-full',
  isLong: true,
  guarantee: `SIGTERM with ${IN_FLIGHT} requests in flight and ${IDLE_SOCKETS} idle sockets, as far as descriptors and memory allow: readiness flips first, every request is answered, also those that come late on idle sockets`,
  run: async (fleet, tell) => {
    const part = partThatFits();
    const [inFlightCount, idleCount] = [IN_FLIGHT, IDLE_SOCKETS].map((count) => Math.floor(count * part)) as [number, number];
    if (part < 1) tell(`descriptors or memory of this machine allow ${inFlightCount} and ${idleCount}`);
    const backends = await Promise.all(Array.from({ length: ORIGINS }, () => Backend.start()));
    for (const backend of backends) backend.shut('/slow');
    const urls = backends.map(({ url }) => url);
    const apiId = await createSlowApi(fleet.planes[0]!.api, urls);
    const node = await fleet.guest('full', { GATEHOUSE_WORKERS: '2', GATEHOUSE_LINGER_MS: String(LINGER_MS) });
    await node.part.start();
    const path = (route: string): string => `/_aws/execute-api/${apiId}/dev${route}`;
    const isServed = async (): Promise<boolean> => (await request({ port: node.port, path: path('/mock') })).status === 200;
    await eventually('the node serves the API', READY_MS, isServed);

    const idle = callers(node, idleCount);
    assert.deepEqual(await callAll(idle, () => path('/mock')), { 200: idleCount });
    // One answer on each before it matters: then only requests are still to come, and no connections.
    const busy = callers(node, inFlightCount);
    assert.deepEqual(await callAll(busy, () => path('/mock')), { 200: inFlightCount });
    const startMs = performance.now();
    const inFlight = callAll(busy, (index) => path(`/slow-${index % ORIGINS}`));
    await eventually('all are in flight', 25_000, async () => {
      const count = await node.metric('gatehouse_http_in_flight');
      if (count >= inFlightCount) return true;
      throw new Error(`${count} are`);
    });
    const inFlightMs = performance.now() - startMs;
    const residentBytes = await node.metric('gatehouse_process_resident_memory_bytes');

    const toldMs = performance.now();
    const ended = node.part.terminate();
    await eventually('the node is not ready', 10_000, async () => !(await node.isReady()));
    const notReadyMs = performance.now() - toldMs;
    assert.deepEqual(await callAll(idle, () => path('/mock')), { 200: idleCount }, 'late requests on idle sockets');
    for (const backend of backends) backend.open('/slow');
    assert.deepEqual(await inFlight, { 200: inFlightCount }, 'requests in flight');
    const answeredMs = performance.now() - toldMs;
    assert.equal(await ended, 0, 'exit code');
    for (const caller of [...busy, ...idle]) caller.close();
    for (const backend of backends) backend.close();
    tell(
      `${inFlightCount} in flight within ${seconds(inFlightMs)} s, the node at ${Math.round(residentBytes / 1_048_576)} MiB; not ready after ${Math.round(notReadyMs)} ms; ` +
        `${idleCount} late ones and all in flight answered after ${seconds(answeredMs)} s, ended after ${seconds(performance.now() - toldMs)} s`,
    );
  },
};

/** 1 when there is room for all of it. */
function partThatFits(): number {
  const sockets = IN_FLIGHT + IDLE_SOCKETS;
  const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
  const descriptors = limit === undefined ? sockets : Number(limit) - OTHER_DESCRIPTORS;
  return Math.max(0.01, Math.min(1, descriptors / sockets, os.freemem() / 2 / (sockets * BYTES_PER_SOCKET)));
}

/** Connected by their first call. */
const callers = ({ port }: FleetNode, count: number): PlainCaller[] => Array.from({ length: count }, () => new PlainCaller(port));

/** One call on a connection of its own each, and how often each status came. */
async function callAll(callers: readonly PlainCaller[], pathOf: (index: number) => string): Promise<Record<string, number>> {
  const calls: Promise<string>[] = [];
  for (const [index, caller] of callers.entries()) {
    calls.push(caller.get(pathOf(index)));
    if (index % AT_ONCE === AT_ONCE - 1) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  const counts: Record<string, number> = {};
  for (const status of await Promise.all(calls)) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

const seconds = (ms: number): string => (ms / 1_000).toFixed(1);
