import { QuotaLedger, RateLeases, type LeaseBookState } from '@gatehouse/engine-limits';
import { InMemoryStore } from '@gatehouse/domain';
import { systemClock } from '@gatehouse/kernel';
import { RedisLeaseBook } from '@gatehouse/store';
import { startRedis, startRedisCluster, startRedisSentinels } from '@gatehouse/testkit';
import { afterEach, expect, test, vi } from 'vitest';
import { startControlPlane, startNode, testFolder, type TestControlPlane } from './harness.js';

/** Ways to lose a Redis. None comes back before `giveBack`. */
interface LostRedis {
  readonly url: string;
  readonly lose: () => unknown;
  readonly giveBack: () => unknown;
  readonly stop: () => Promise<void>;
}

/** Its connection breaks, and nobody needs to ask to notice. */
async function killed(): Promise<LostRedis> {
  const redis = await startRedis({ own: true });
  return { ...redis, lose: redis.kill, giveBack: redis.restart };
}

/** The first question after it is answered by a deadline, and no other one waits. */
async function silent(): Promise<LostRedis> {
  const redis = await startRedis({ own: true });
  return { ...redis, lose: redis.pause, giveBack: redis.resume };
}

/** The replica takes over as soon as two Sentinels can agree on it. */
async function failingOver(): Promise<LostRedis> {
  const { url, servers, sentinels, stop } = await startRedisSentinels();
  return {
    url,
    stop,
    lose: () => {
      for (const sentinel of sentinels.slice(1)) sentinel.pause();
      return servers[0]!.kill();
    },
    giveBack: () => sentinels.forEach((sentinel) => sentinel.resume()),
  };
}

/** Two servers of it are left. */
async function missingServer(): Promise<LostRedis> {
  const { url, servers, stop } = await startRedisCluster();
  const gone = [servers[1]!, servers[3]!];
  const each = (action: (server: (typeof gone)[0]) => Promise<void>) => Promise.all(gone.map(action));
  return { url, stop, lose: () => each((server) => server.kill()), giveBack: () => each((server) => server.restart()) };
}

let redis: LostRedis;
let files: Awaited<ReturnType<typeof testFolder>>;
let controlPlane: TestControlPlane;
async function startAll(start: () => Promise<LostRedis>): Promise<void> {
  files = await testFolder();
  redis = await start();
  files.cleanUps.push(() => redis.stop());
  const book = new RedisLeaseBook(redis.url, { onLost: () => controlPlane.leases.fastLost() });
  files.cleanUps.push(() => book.close());
  controlPlane = await startControlPlane(new InMemoryStore(), { fastBook: book });
  files.cleanUps.push(() => controlPlane.stop());
}
afterEach(() => files.close());

const nowMs = () => systemClock.nowMs();

/** A node of the real protocol with its limits; `states` is what it was told of the books. */
async function nodeWithLimits() {
  const states: LeaseBookState[] = [];
  const fallbacks: string[] = [];
  const onFallback = (taken: string) => void fallbacks.push(taken);
  const rates: RateLeases = new RateLeases({ request: (questions) => void link.requestRates(questions), onFallback });
  const quotas: QuotaLedger = new QuotaLedger({ requestMore: (question) => void link.requestQuota(question), onFallback });
  const answers: string[] = [];
  const { link } = await startNode(`${files.folder}/node`, controlPlane.port, {
    onRateLeases: (leases) => {
      answers.push(...leases.map(({ bucket }) => bucket));
      rates.granted(leases, nowMs());
    },
    onQuotaGrant: (grant) => quotas.granted(grant),
    onConnected: () => {
      rates.connected();
      quotas.connected();
    },
    onDisconnected: () => {
      rates.disconnected();
      quotas.disconnected();
    },
    onLeaseBookState: (state) => {
      states.push(state);
      rates.bookState(state);
      quotas.bookState(state);
    },
  });
  files.cleanUps.push(() => link.close());
  return { rates, quotas, states, fallbacks, answers };
}

for (const [what, start] of [
  ['Redis is killed', killed],
  ['Redis is silent', silent],
  ['the primary of Sentinels is killed', failingOver],
  ['a server of a Cluster is killed', missingServer],
] as const) {
  test(
    `${what}: the choice of each plan is taken at once and counted, and leases come again when it is back`,
    { timeout: 200_000 },
    async () => {
      await startAll(start);
      const { rates, quotas, states, fallbacks, answers } = await nodeWithLimits();
      const settings = { ratePerSecond: 5, burst: 5 };
      const open = { mode: 'FAST', fallback: 'OPEN' } as const;
      const closed = { mode: 'FAST', fallback: 'CLOSED' } as const;
      const lastState = () => states.at(-1);
      await vi.waitFor(() => expect(lastState()).toEqual({ fastAvailable: true, strictAvailable: true }), { timeout: 10_000 });
      await vi.waitFor(
        () => {
          rates.tryTake('before', settings, open, nowMs());
          expect(answers).toContain('before');
        },
        { timeout: 10_000 },
      );
      expect(fallbacks).toEqual([]);

      await redis.lose();
      await vi.waitFor(
        () => {
          if (start === silent) rates.tryTake(`ask${states.length}`, settings, open, nowMs());
          expect(lastState()).toEqual({ fastAvailable: false, strictAvailable: true });
        },
        { timeout: 10_000 },
      );

      // All of this is synchronous: there is nothing a request could wait for.
      fallbacks.length = 0;
      const atMs = nowMs();
      const plan = { usagePlanId: 'p', quota: { limit: 3, offset: 0, period: 'DAY' } as const };
      expect(Array.from({ length: 7 }, () => rates.tryTake('open', settings, open, atMs))).toEqual([
        ...Array.from({ length: 5 }, () => 'ALLOW'),
        'DENY',
        'DENY',
      ]);
      expect(rates.tryTake('closed', settings, closed, atMs)).toBe('DENY');
      expect(Array.from({ length: 4 }, () => quotas.spend(plan, 'k', atMs))).toEqual(['ALLOW', 'ALLOW', 'ALLOW', 'DENY']);
      expect(quotas.spend({ ...plan, usagePlanId: 'q', limits: closed }, 'k', atMs)).toBe('DENY');
      expect(fallbacks.filter((taken) => taken === 'OPEN')).toHaveLength(7 + 4);
      expect(fallbacks.filter((taken) => taken === 'CLOSED')).toHaveLength(2);

      await redis.giveBack();
      await vi.waitFor(() => expect(lastState()).toEqual({ fastAvailable: true, strictAvailable: true }), { timeout: 60_000 });
      await vi.waitFor(
        () => {
          rates.tryTake('after', settings, closed, nowMs());
          expect(answers).toContain('after');
        },
        { timeout: 10_000 },
      );
    },
  );
}
