import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { InMemoryStore } from '@gatehouse/domain';
import { afterEach, expect, test, vi } from 'vitest';
import {
  openNode,
  publishBlob,
  publishInline,
  startControlPlane,
  TENANT,
  testFolder,
  unpublish,
  type TestNode,
} from './harness.js';
import { seeded, startLossyNetwork } from './lossy-network.js';

const DAY = '2026-01-01';
const SEEDS = process.env.GATEHOUSE_SEED === undefined ? [1, 2, 3, 4, 5, 6] : [Number(process.env.GATEHOUSE_SEED)];
const STEPS = 60;

let close = async () => {};
afterEach(() => close());

// Run one again with GATEHOUSE_SEED=<seed>.
for (const seed of SEEDS) {
  test(`however messages are lost and processes die, nodes end up with what is published and usage counts once (seed ${seed})`, async () => {
    const random = seeded(seed);
    const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
    const scope = await testFolder();
    close = scope.close;
    const store = new InMemoryStore();
    let control = await startControlPlane(store, { heartbeatMs: 20, pollMs: 50 });
    const network = await startLossyNetwork(control.port, random);
    const settings = { silenceMs: 200, backOff: { minMs: 2, maxMs: 20 }, random };
    scope.cleanUps.push(() => control.stop());
    scope.cleanUps.push(() => network.close());

    const nodes: TestNode[] = [];
    const openAt = async (index: number) => {
      nodes[index] = await openNode(path.join(scope.folder, `node-${index}`), network.port, settings);
      nodes[index].link.connect();
    };
    for (const index of [0, 1]) await openAt(index);
    scope.cleanUps.push(() => Promise.all(nodes.map(({ link }) => link.close())));

    /** What a node's journal would hold: batches without a receipt, kept over restarts. */
    const spools: { epoch: number; sequence: number; count: number }[][] = [[], []];
    const published = new Map<string, Set<string>>();
    const expected = new Map<string, string>();
    let counted = 0;
    let sequence = 0;
    const report = (index: number) => {
      for (const batch of [...spools[index]!]) {
        const usage = [{ tenant: TENANT as string, usagePlanId: 'plan', apiKeyId: 'key', day: DAY, count: BigInt(batch.count) }];
        void nodes[index]!.link.report({ epoch: batch.epoch, sequence: batch.sequence, usage }).then((isApplied) => {
          if (isApplied) spools[index] = spools[index]!.filter((kept) => kept !== batch);
        });
      }
    };

    network.lossRate = 0.08;
    for (let step = 0; step < STEPS; step++) {
      const id = `api${Math.floor(random() * 5)}/dev`;
      const index = Math.floor(random() * 2);
      switch (pick(['blob', 'blob', 'blob', 'inline', 'remove', 'usage', 'usage', 'break or kill'])) {
        case 'blob':
        case 'inline': {
          const isBlob = random() < 0.7;
          const text = `${seed}-${step}`;
          const key = isBlob ? `STAGE ${id}` : `API_KEY ${id}`;
          await (isBlob ? publishBlob(store, id, text) : publishInline(store, 'API_KEY', id, text));
          expected.set(key, text);
          published.set(key, (published.get(key) ?? new Set()).add(text));
          break;
        }
        case 'remove':
          await unpublish(store, 'STAGE', id);
          expected.delete(`STAGE ${id}`);
          break;
        case 'usage': {
          const count = 1 + Math.floor(random() * 9);
          counted += count;
          spools[index]!.push({ epoch: nodes[index]!.link.epoch, sequence: ++sequence, count });
          report(index);
          break;
        }
        case 'break or kill':
          switch (pick(['break', 'kill node', 'kill control'])) {
            case 'break':
              network.breakAll();
              break;
            case 'kill node':
              await nodes[index]!.link.close();
              await openAt(index);
              report(index);
              break;
            case 'kill control': {
              const { port } = control;
              await control.stop();
              control = await startControlPlane(store, { port, heartbeatMs: 20, pollMs: 50 });
              break;
            }
          }
      }
      // Some steps meet an idle network, some one that is still busy with the steps before.
      await pause(random() * 15);
      for (const { world } of nodes) {
        for (const [key, text] of world.texts) expect(published.get(key)?.has(text), `${key} = ${text} was published`).toBe(true);
      }
    }

    const wanted = Object.fromEntries([...expected].sort(([a], [b]) => (a < b ? -1 : 1)));
    const head = await store.manifest.head();
    await vi.waitFor(
      async () => {
        for (const { world, link } of nodes) {
          expect(world.content).toEqual(wanted);
          expect(link.status.revision).toBe(head);
          expect((await store.nodes.list()).find(({ nodeId }) => nodeId === link.nodeId)?.ackedRevision).toBe(head);
        }
        expect(spools).toEqual([[], []]);
      },
      { timeout: 15_000, interval: 10 },
    );
    expect(await store.metering.usedInPeriod(TENANT, 'plan', 'key', DAY, DAY)).toBe(counted);
  });
}
