/** Clocks that are set to another time while their processes run, by libfaketime and a file that it reads again every second. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createPlan, listNodes } from '../admin.js';
import type { Fleet, FleetNode } from '../fleet.js';
import type { Scenario } from '../scenario.js';
import { eventually, sleep } from '../wait.js';
import { faketimeLibrary } from './clock.js';

const SECONDS = [3_600, -3_600, 0] as const;
const RATE = 5;
const BURST = 5;
const CALLS_MS = 3_000;
const SET_MS = 10_000;
const WELL_MS = 30_000;

export const steppedClocks: Scenario = {
  name: 'stepped-clocks',
  isLong: true,
  guarantee:
    'the clocks of a node and a control plane are set an hour ahead, an hour back and right again while they run: a strict throttle lets nobody through twice and nobody waits for ever, changes and usage arrive, and nobody takes a node for dead',
  run: async (fleet, tell) => {
    const library = await faketimeLibrary();
    if (library === null) return tell('SKIPPED: libfaketime is not here, and cannot be installed');
    const clock = new SteppedClock(path.join(fleet.folder, 'stepped-clock'), library);
    const plane = fleet.planes[1]!;
    plane.part.extra = clock.environment;
    assert.equal(await plane.part.terminate(), 0);
    await plane.part.start();
    const guest = await fleet.guest('stepped', clock.environment);
    await guest.part.start();

    const { api } = fleet.planes[0]!;
    const key = await api.createApiKey({ name: 'stepped', enabled: true });
    const throttle = { rateLimit: RATE, burstLimit: BURST };
    await createPlan(api, fleet.steady.apiId, 'stepped', key.id!, { tags: { 'gatehouse:limit-mode': 'strict' }, throttle });
    const call = async (): Promise<number> => (await fleet.call(guest, '/keyed', { 'x-api-key': key.value! })).status;
    await eventually('the key is known', WELL_MS, async () => (await call()) === 200);

    for (const seconds of SECONDS) {
      clock.set(seconds);
      await eventually(`the node's clock is set by ${seconds} s`, SET_MS, async () => {
        const offMs = (await dateOf(guest)) - Date.now();
        return Math.abs(offMs - seconds * 1_000) < 60_000;
      });
      const admitted = await admittedIn(call);
      const well = await fleet.isWell(WELL_MS);
      const { body: version } = await fleet.call(guest, '/mock');
      assert.equal(version, 'mocked');
      const newest = await fleet.versionOf(fleet.nodes[0]!);
      await eventually('the node has every change', WELL_MS, async () => (await fleet.versionOf(guest)) === newest);
      for (const { adminPort } of fleet.planes) await allConnected(fleet, adminPort, adminPort === plane.adminPort ? seconds : 0);
      tell(`${seconds} s: ${admitted} through a strict throttle; ${well}`);
    }
    await eventually('the node has receipts for all it counted', WELL_MS, async () => {
      return (await guest.metric('gatehouse_node_unreported_batches')) === 0;
    });
    assert.equal(await guest.part.terminate(), 0);
    plane.part.extra = {};
    assert.equal(await plane.part.terminate(), 0);
    await plane.part.start();
    tell(await fleet.isWell(WELL_MS));
  },
};

class SteppedClock {
  readonly environment: Record<string, string>;

  constructor(
    private readonly file: string,
    library: string,
  ) {
    this.set(0);
    this.environment = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
  }

  set(seconds: number): void {
    writeFileSync(this.file, `${seconds < 0 ? '' : '+'}${seconds}s\n`);
  }
}

/** Calls as fast as it can; rejects when more get through than rate and burst allow, or none. */
async function admittedIn(call: () => Promise<number>): Promise<string> {
  // What was saved up before the clock was set is the burst.
  const startMs = performance.now();
  let admitted = 0;
  let count = 0;
  while (performance.now() - startMs < CALLS_MS) {
    const status = await call();
    assert(status === 200 || status === 429, `answered ${status}`);
    if (status === 200) admitted++;
    count++;
    await sleep(5);
  }
  const mostAllowed = BURST + (RATE * (performance.now() - startMs)) / 1_000;
  assert(admitted <= mostAllowed, `${admitted} of ${count} got through, ${mostAllowed.toFixed(1)} may`);
  assert(admitted > 0, `none of ${count} got through`);
  return `${admitted} of ${count}`;
}

/** As this control plane sees it, whose own clock is off by so much. */
async function allConnected(fleet: Fleet, adminPort: number, seconds: number): Promise<void> {
  await eventually('every node is listed as connected', WELL_MS, async () => {
    const listed = await listNodes(adminPort, new Date(Date.now() + seconds * 1_000));
    return fleet.nodes.every(({ adminPort: own }) =>
      listed.some(({ adminUrl, connected }) => connected && adminUrl?.endsWith(`:${own}`)),
    );
  });
}

/** What the node takes for the time, from its Date header. */
function dateOf({ port }: FleetNode): Promise<number> {
  return new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, path: '/' }, (response) => {
        response.resume();
        resolve(Date.parse(response.headers.date ?? ''));
      })
      .on('error', reject);
  });
}
