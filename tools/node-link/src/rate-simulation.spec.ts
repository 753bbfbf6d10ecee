import { RATE_SHARE_MS, type PlanLimits } from '@gatehouse/contracts';
import { LeaseOffice } from '@gatehouse/control-metering';
import { InMemoryStore, rateShare } from '@gatehouse/domain';
import { RateLeases, RateShares, shareByDemand, type RateAnswer, type RateQuestion } from '@gatehouse/engine-limits';
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

/**
 * Nodes that spend a throttle, in one process or in several, control planes on one book, messages that are late, lost and doubled (within a
 * node: late). Returns when requests got in.
 */
async function simulate(seed: number, mode: PlanLimits['mode'], workersMax: number, isLost = false) {
  const random = seeded(seed);
  const clock = new ManualClock(START_MS - 3_600_000);
  const { metering, nodes: registry, leases: book } = new InMemoryStore(clock);
  clock.advance(START_MS - clock.nowMs());
  const newOffice = () => new LeaseOffice({ fast: book, strict: book, metering, nodes: registry, clock, log: quiet });
  const offices = Array.from({ length: 1 + Math.floor(random() * 3) }, newOffice);
  const settings = { ratePerSecond: 1 + Math.floor(random() * 200), burst: 5 + Math.floor(random() * 100) };
  const limits = { mode, fallback: isLost ? 'OPEN' : 'CLOSED' } as const;
  const lossRate = random() * 0.3;
  const wire: { atMs: number; deliver: () => Promise<unknown> | unknown }[] = [];
  const send = (deliver: () => Promise<unknown> | unknown) => {
    const copies = random() < lossRate ? (random() < 0.5 ? 0 : 2) : 1;
    for (let copy = 0; copy < copies; copy++) wire.push({ atMs: clock.nowMs() + Math.floor(random() * 30), deliver });
  };
  /** How often a process began to serve the bucket, after a start or a rest. */
  let beginnings = 0;
  const lastAskedAtMs: number[] = [];
  const workerCount = workersMax === 1 ? 1 : 2 + Math.floor(random() * (workersMax - 1));
  /** To the control plane, for one node. */
  const asker =
    (index: number, granted: (answers: readonly RateAnswer[]) => void) =>
    (questions: readonly RateQuestion[]): void => {
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
        send(() => granted(answers));
      });
    };
  const nodeCount = isLost ? 1 : 1 + Math.floor(random() * 4);
  const supervisors: (RateShares | null)[] = [];
  /** Of all nodes: node after node. */
  const processes: RateLeases[] = [];
  const nodeOf = (index: number) => Math.floor(index / workerCount);
  /** Within a node messages keep their order. */
  let channelMs = 0;
  const tell = (deliver: () => void) => {
    channelMs = Math.max(channelMs, clock.nowMs() + Math.floor(random() * 15));
    wire.push({ atMs: channelMs, deliver });
  };
  const startProcess = (index: number) => {
    lastAskedAtMs[index] = Number.NEGATIVE_INFINITY;
    const supervisor = supervisors[nodeOf(index)] ?? null;
    supervisor?.ended(index);
    const rates: RateLeases = new RateLeases({
      processCount: workerCount,
      request: (questions) => {
        if (supervisor === null) asker(nodeOf(index), (answers) => rates.granted(answers, clock.nowMs()))(questions);
        else tell(() => processes[index] === rates && supervisors.includes(supervisor) && supervisor.asked(index, questions));
      },
    });
    if (!isLost) rates.connected();
    processes[index] = rates;
  };
  const startNode = (node: number) => {
    const shares: RateShares | null =
      workerCount === 1
        ? null
        : new RateShares({
            request: (questions) => asker(node, (answers) => shares!.granted(answers))(questions),
            answer: (worker, answers) => {
              const to = processes[worker]!;
              tell(() => to.granted(answers, clock.nowMs()));
            },
            nowMs: () => clock.nowMs(),
          });
    supervisors[node] = shares;
    for (let index = node * workerCount; index < (node + 1) * workerCount; index++) startProcess(index);
  };
  for (let node = 0; node < nodeCount; node++) startNode(node);
  const busy = processes.map(() => random());
  const admittedAtMs: number[] = [];
  for (let elapsedMs = 0; elapsedMs < 20_000; elapsedMs += STEP_MS) {
    clock.advance(STEP_MS);
    for (const message of wire.filter(({ atMs }) => atMs <= clock.nowMs())) {
      wire.splice(wire.indexOf(message), 1);
      await message.deliver();
    }
    for (const [index, rates] of processes.entries()) {
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
    if (dice < 0.0005) startNode(Math.floor(random() * nodeCount));
    else if (dice < 0.0015 && dice >= 0.001 && workerCount > 1) startProcess(Math.floor(random() * processes.length));
    else if (dice < 0.001) offices[Math.floor(random() * offices.length)] = newOffice();
  }
  return { settings, admittedAtMs, beginnings, processCount: processes.length };
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

for (const [nodes, workersMax] of [
  ['nodes', 1],
  ['nodes of several workers', 4],
] as const) {
  test(`strict: over any time all ${nodes} together admit no more than the rate and one burst`, async () => {
    let admittedCount = 0;
    for (const seed of SEEDS) {
      const { settings, admittedAtMs } = await simulate(seed, 'STRICT', workersMax);
      // Below that, tokens may be spent 20 ms late: docs/limits.md.
      const late = settings.burst < 1 + settings.ratePerSecond * 0.02 ? settings.ratePerSecond * 0.02 : 0;
      expect(burstSeen(admittedAtMs, settings.ratePerSecond), `seed ${seed}`).toBeLessThanOrEqual(settings.burst + late + 1e-6);
      admittedCount += admittedAtMs.length;
    }
    expect(admittedCount).toBeGreaterThan(1_000);
  });

  test(`fast: ${nodes} are never beyond the formula of docs/limits.md`, async () => {
    for (const seed of SEEDS) {
      const { settings, admittedAtMs, beginnings, processCount } = await simulate(seed, 'FAST', workersMax);
      const { ratePerSecond, burst } = settings;
      const most = burst + processCount + Math.max(0, beginnings - 1) * (burst + (ratePerSecond * RATE_SHARE_MS) / 1_000);
      expect(burstSeen(admittedAtMs, ratePerSecond), `seed ${seed}`).toBeLessThanOrEqual(most);
    }
  });
}

test('without leases and open: a node of several workers admits the plan’s whole rate, and is not beyond its part of the formula', async () => {
  for (const mode of ['FAST', 'STRICT'] as const) {
    for (const seed of SEEDS) {
      const { settings, admittedAtMs, beginnings, processCount } = await simulate(seed, mode, 4, true);
      const { ratePerSecond, burst } = settings;
      const most = burst + processCount + Math.max(0, beginnings - 1) * (burst + (ratePerSecond * RATE_SHARE_MS) / 1_000);
      expect(burstSeen(admittedAtMs, ratePerSecond), `${mode}, seed ${seed}`).toBeLessThanOrEqual(most);
    }
  }
});

test('a node splits its share over its workers by the rule of the book', () => {
  const random = seeded(3);
  for (let round = 0; round < 1_000; round++) {
    const others = Array.from({ length: Math.floor(random() * 4) }, () => ({
      demand: Math.floor(random() * 3) * random() * 100,
      share: random(),
    }));
    const demand = Math.floor(random() * 3) * 50;
    const present = random() < 0.3 ? null : random();
    expect(shareByDemand(demand, present, others)).toBeCloseTo(rateShare(demand, present, others), 12);
  }
});
