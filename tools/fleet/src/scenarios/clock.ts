/** Nodes whose clocks are wrong, by libfaketime: a day begins for one of them while it is another day for the rest. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { installFromDebian } from '@gatehouse/testkit';
import { createPlan } from '../admin.js';
import type { FleetNode } from '../fleet.js';
import type { Scenario } from '../scenario.js';
import { eventually, sleep } from '../wait.js';

const READY_MS = 30_000;
const LIMIT = 30;
const CALLS = 90;
const FIVE_MINUTES = 300;
const DAY = 86_400;

/** Installed from Debian when this is root; `null`: it cannot be had. */
export async function faketimeLibrary(): Promise<string | null> {
  return findLibrary() ?? ((await installFromDebian('faketime')) ? findLibrary() : null);
}

function findLibrary(): string | null {
  const folders = existsSync('/usr/lib') ? readdirSync('/usr/lib') : [];
  const files = folders.map((folder) => path.join('/usr/lib', folder, 'faketime/libfaketime.so.1'));
  return files.find((file) => existsSync(file)) ?? null;
}

export const wrongClocks: Scenario = {
  name: 'wrong-clocks',
  guarantee:
    'nodes five minutes early, five minutes late, and in tomorrow already: a strict quota is never spent twice on any day, and nobody is locked out',
  isLong: true,
  run: async (fleet, tell) => {
    const library = await faketimeLibrary();
    if (library === null) return tell('SKIPPED: libfaketime is not here, and cannot be installed');
    const { api } = fleet.planes[0]!;
    const key = await api.createApiKey({ name: 'clocks', enabled: true });
    const quota = { limit: LIMIT, period: 'DAY' } as const;
    await createPlan(api, fleet.steady.apiId, 'clocks', key.id!, { tags: { 'gatehouse:limit-mode': 'strict' }, quota });
    const untilTomorrow = DAY - (Math.floor(Date.now() / 1_000) % DAY) + FIVE_MINUTES;
    const guests: FleetNode[] = [];
    for (const [name, seconds] of [
      ['early', FIVE_MINUTES],
      ['late', -FIVE_MINUTES],
      ['tomorrow', untilTomorrow],
    ] as const) {
      const offset = `${seconds < 0 ? '' : '+'}${seconds}s`;
      guests.push(await fleet.guest(name, { LD_PRELOAD: library, FAKETIME: offset, DONT_FAKE_MONOTONIC: '1' }));
    }
    await Promise.all(guests.map(({ part }) => part.start()));
    const nodes = [fleet.nodes[0]!, ...guests];
    const answered = new Map(nodes.map(({ name }) => [name, 0]));
    const call = async (node: FleetNode): Promise<number> => {
      const { status } = await fleet.call(node, '/keyed', { 'x-api-key': key.value! });
      if (status === 200) answered.set(node.name, answered.get(node.name)! + 1);
      return status;
    };
    for (const node of nodes) await eventually(`${node.name} knows the key`, READY_MS, async () => (await call(node)) === 200);
    for (let count = 0; count < CALLS; count++) {
      const status = await call(nodes[count % nodes.length]!);
      assert(status === 200 || status === 429, `answered ${status}`);
      await sleep(20);
    }
    await sleep(500); // the last lines are on their way to the disk
    const perDay: Record<string, number> = {};
    for (const { accessLog } of nodes) {
      for (const line of readFileSync(accessLog, 'utf8').trimEnd().split('\n')) {
        const { apiKeyId, usageDay } = JSON.parse(line) as { apiKeyId: string | null; usageDay: string | null };
        if (apiKeyId === key.id && usageDay !== null) perDay[usageDay] = (perDay[usageDay] ?? 0) + 1;
      }
    }
    tell(`of ${LIMIT} a day: ${JSON.stringify(perDay)}; by node: ${JSON.stringify(Object.fromEntries(answered))}`);
    for (const [day, count] of Object.entries(perDay)) assert(count <= LIMIT, `${count} requests on ${day}, of ${LIMIT}`);
    for (const { part } of guests) assert.equal(await part.terminate(), 0);
  },
};
