import { RATE_SHARE_MS, type PlanLimits } from '@gatehouse/contracts';
import { LeaseOffice } from '@gatehouse/control-metering';
import { InMemoryStore } from '@gatehouse/domain';
import { RateLeases, type RateQuestion } from '@gatehouse/engine-limits';
import { ManualClock } from '@gatehouse/kernel';
import { expect, test } from 'vitest';
import { quiet } from './harness.js';
import { seeded } from './lossy-network.js';

const SEEDS =
  process.env.GATEHOUSE_SEED === undefined
    ? Array.from({ length: 30 }, (_, index) => index + 1)
    : [Number(process.env.GATEHOUSE_SEED)];
const STEP_MS = 10;
const START_MS = Date.UTC(2026, 0, 5);

/** Nodes that spend a throttle, control planes on one book, messages that are late, lost and doubled. Returns when requests got in. */
async function simulate(seed: number, mode: PlanLimits['mode']) {
  const random = seeded(seed);
  const clock = new ManualClock(START_MS - 3_600_000);
  const { metering, nodes: registry, leases: book } = new InMemoryStore(clock);
  clock.advance(START_MS - clock.nowMs());
  const newOffice = () => new LeaseOffice({ fast: book, strict: book, metering, nodes: registry, clock, log: quiet });
  const offices = Array.from({ length: 1 + Math.floor(random() * 3) }, newOffice);
  const settings = { ratePerSecond: 1 + Math.floor(random() * 200), burst: 5 + Math.floor(random() * 100) };
  const limits = { mode, fallback: 'CLOSED' } as const;
  const lossRate = random() * 0.3;
  const wire: { atMs: number; deliver: () => Promise<unknown> | unknown }[] = [];
  const send = (deliver: () => Promise<unknown> | unknown) => {
    const copies = random() < lossRate ? (random() < 0.5 ? 0 : 2) : 1;
    for (let copy = 0; copy < copies; copy++) wire.push({ atMs: clock.nowMs() + Math.floor(random() * 30), deliver });
  };
  /** How often a node began to serve the bucket, after a start or a rest. */
  let beginnings = 0;
  const lastAskedAtMs: number[] = [];
  const start = (index: number) => {
    lastAskedAtMs[index] = Number.NEGATIVE_INFINITY;
    const rates: RateLeases = new RateLeases({
      request: (questions: readonly RateQuestion[]) => {
        const office = offices[Math.floor(random() * offices.length)]!;
        send(async () => {
          if (!offices.includes(office)) return; // killed
          const demands = questions.map((question) => ({
            ...question,
            $typeName: 'gatehouse.node.v1.RateDemand' as const,
            question: BigInt(question.question),
            wantedTokens: BigInt(question.wantedTokens),
          }));
          const leases = await office.answerRates({ nodeId: `n${index}`, epoch: 1 }, demands);
          const answers = leases.map((lease) => ({ ...lease, question: Number(lease.question), tokens: Number(lease.tokens) }));
          send(() => rates.granted(answers, clock.nowMs()));
        });
      },
    });
    rates.connected();
    return rates;
  };
  const nodes = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, index) => start(index));
  const busy = nodes.map(() => random());
  const admittedAtMs: number[] = [];
  for (let elapsedMs = 0; elapsedMs < 20_000; elapsedMs += STEP_MS) {
    clock.advance(STEP_MS);
    for (const message of wire.filter(({ atMs }) => atMs <= clock.nowMs())) {
      wire.splice(wire.indexOf(message), 1);
      await message.deliver();
    }
    for (const [index, rates] of nodes.entries()) {
      const count = Math.floor(random() * busy[index]! * 6);
      if (count > 0 && clock.nowMs() - lastAskedAtMs[index]! >= RATE_SHARE_MS) beginnings++;
      if (count > 0) lastAskedAtMs[index] = clock.nowMs();
      for (let left = count; left > 0; left--)
        if (rates.tryTake('b', settings, limits, clock.nowMs()) === 'ALLOW') admittedAtMs.push(clock.nowMs() - START_MS);
      if (elapsedMs % 1_000 === 0) {
        rates.tick(clock.nowMs());
        if (random() < 0.2) busy[index] = random() < 0.3 ? 0 : random();
      }
    }
    const dice = random();
    if (dice < 0.0005) {
      const index = Math.floor(random() * nodes.length);
      nodes[index] = start(index);
    } else if (dice < 0.001) offices[Math.floor(random() * offices.length)] = newOffice();
  }
  return { settings, admittedAtMs, beginnings, nodeCount: nodes.length };
}

/** The most that was admitted beyond `rate * t` over any time. */
function burstSeen(admittedAtMs: readonly number[], ratePerSecond: number): number {
  let worst = 0;
  let debt = 0;
  let lastMs = 0;
  for (const atMs of admittedAtMs) {
    debt = Math.max(0, debt - ((atMs - lastMs) * ratePerSecond) / 1_000) + 1;
    lastMs = atMs;
    worst = Math.max(worst, debt);
  }
  return worst;
}

test('strict: over any time all nodes together admit no more than the rate and one burst', async () => {
  let admittedCount = 0;
  for (const seed of SEEDS) {
    const { settings, admittedAtMs } = await simulate(seed, 'STRICT');
    // Below that, tokens may be spent 20 ms late: docs/limits.md.
    const late = settings.burst < 1 + settings.ratePerSecond * 0.02 ? settings.ratePerSecond * 0.02 : 0;
    expect(burstSeen(admittedAtMs, settings.ratePerSecond), `seed ${seed}`).toBeLessThanOrEqual(settings.burst + late + 1e-6);
    admittedCount += admittedAtMs.length;
  }
  expect(admittedCount).toBeGreaterThan(1_000);
});

test('fast: never beyond the formula of docs/limits.md', async () => {
  for (const seed of SEEDS) {
    const { settings, admittedAtMs, beginnings, nodeCount } = await simulate(seed, 'FAST');
    const { ratePerSecond, burst } = settings;
    const most = burst + nodeCount + Math.max(0, beginnings - 1) * (burst + (ratePerSecond * RATE_SHARE_MS) / 1_000);
    expect(burstSeen(admittedAtMs, ratePerSecond), `seed ${seed}`).toBeLessThanOrEqual(most);
  }
});
