// Ten seconds of what `npm run soak` does for minutes. This file has a process of its own, started with --expose-gc.
import { expect, test } from 'vitest';
import { eventually } from './conform.js';
import { ENGINES } from './engines.js';
import { SEED } from './mutations.js';
import { PoolWatch, Soak, stateOfProcess, type SoakState } from './soak.js';

const SECONDS = Number(process.env['GATEHOUSE_SOAK_SECONDS'] ?? 10);
/** What a heap may differ by for no reason: compiled code, caches of Node. */
const HEAP_SLACK_MIB = 12;

/** Sockets, servers and timers; of the rest (files, pipes of the test runner) nothing is ours. */
const held = ({ resources }: SoakState): Record<string, number> =>
  Object.fromEntries(
    ['TCPSocketWrap', 'TCPServerWrap', 'TCPConnectWrap', 'Timeout', 'Immediate', 'GetAddrInfoReqWrap'].map((kind) => [
      kind,
      resources[kind] ?? 0,
    ]),
  );

for (const engine of ENGINES) {
  test(
    `${engine.name}: after mixed load with random disconnects everything is back to base`,
    { timeout: 60_000 + SECONDS * 2_000 },
    async () => {
      const pools = new PoolWatch();
      const before = stateOfProcess();
      const soak = await Soak.start(engine, SEED);
      await soak.load(SECONDS * 250);
      const warm = await soak.state();
      await soak.load(SECONDS * 750);
      const after = await soak.state();
      console.info(
        `${engine.name}: ${soak.requestCount} requests, ${soak.wholeCount} whole answers; heap ${warm.heapMiB.toFixed(1)} -> ${after.heapMiB.toFixed(1)} MiB, ` +
          `open ${JSON.stringify(held(after))}`,
      );
      expect(soak.complaints.slice(0, 3)).toEqual([]);
      expect(soak.gate.bugs).toEqual([]);
      expect(soak.wholeCount).toBeGreaterThan(SECONDS * 20);
      expect([pools.out.size, pools.strayReleases]).toEqual([0, 0]);
      expect(after.heapMiB - warm.heapMiB).toBeLessThan(HEAP_SLACK_MIB);
      expect(held(after).TCPSocketWrap).toBeLessThanOrEqual(held(warm).TCPSocketWrap!);
      expect(held(after).Timeout).toBeLessThanOrEqual(held(warm).Timeout! + 1);
      await soak.close();
      pools.stop();
      const left = (): string[] => {
        const now = held(stateOfProcess());
        return Object.keys(now).filter((kind) => now[kind]! > held(before)[kind]!);
      };
      await eventually('the end of every socket and timer', () => left().length === 0, 5_000).catch(() => undefined);
      expect(left()).toEqual([]);
    },
  );
}
