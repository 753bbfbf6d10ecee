import { create } from '@bufbuild/protobuf';
import { QuotaRequestSchema } from '@gatehouse/contracts';
import { QuotaGrants } from '@gatehouse/control-metering';
import { InMemoryStore } from '@gatehouse/domain';
import {
  provisionalAllowance,
  provisionalPart,
  QuotaLedger,
  utcDay,
  type QuotaPlan,
  type QuotaQuestion,
} from '@gatehouse/engine-limits';
import { ManualClock } from '@gatehouse/kernel';
import { expect, test } from 'vitest';
import { TENANT } from './harness.js';
import { seeded } from './lossy-network.js';
import { SimulatedWorkers, type NodeQuotas } from './simulated-workers.js';

const SEEDS =
  process.env.GATEHOUSE_SEED === undefined
    ? Array.from({ length: 60 }, (_, index) => index + 1)
    : [Number(process.env.GATEHOUSE_SEED)];
const RELEASE_MS = 60_000;
const START_MS = Date.UTC(2026, 0, 5, 9);

/** Nodes with their ledgers and journals, control planes on one lease book, and a wire between that loses, doubles and delays. */
class Simulation {
  readonly clock = new ManualClock(START_MS - 30 * 86_400_000);
  readonly store = new InMemoryStore(this.clock);
  readonly plan: QuotaPlan & { readonly quota: NonNullable<QuotaPlan['quota']> };
  private readonly planes: QuotaGrants[] = [];
  private readonly nodes: SimulatedNode[] = [];
  /** What is on its way, in order of sending. */
  private wire: (() => Promise<unknown> | unknown)[] = [];
  /** Batches that are sent later: a node that was killed may take its time. */
  private journals: { atMs: number; readonly deliver: () => Promise<unknown> }[] = [];
  lossRate = 0;
  admitted = 0;
  /** By the day on the clock of the node that admitted. */
  readonly admittedOn = new Map<string, number>();
  /** Milliseconds by which the clock of a node is ahead; by its index. */
  readonly aheadMs: number[] = [];
  epochCount = 0;
  workerKills = 0;

  constructor(
    readonly random: () => number,
    readonly limit: number,
    readonly nodeCount: number,
    readonly mode: 'FAST' | 'STRICT' = 'FAST',
    planeCount = 1,
    /** Worker processes of each node; 1: no supervisor. */
    readonly workerCount = 1,
    period: 'DAY' | 'MONTH' = 'MONTH',
  ) {
    const limits = { mode, fallback: mode === 'STRICT' ? 'CLOSED' : 'OPEN' } as const;
    this.plan = { usagePlanId: 'plan', quota: { limit, offset: 0, period }, limits };
    this.clock.advance(START_MS - this.clock.nowMs());
    for (let count = 0; count < planeCount; count++) this.planes.push(this.newPlane());
  }

  async open(): Promise<void> {
    await this.store.tenants.transact(TENANT, (tx) =>
      tx.usagePlans.insert({
        id: 'plan',
        name: 'plan',
        description: null,
        apiStages: [],
        throttle: null,
        quota: this.plan.quota,
        productCode: null,
        createdAtMs: 0,
        tags: { 'gatehouse:limit-mode': this.mode.toLowerCase() },
      }),
    );
    for (let index = 0; index < this.nodeCount; index++) await this.startNode(index);
  }

  /** WAIT is no admission: the caller of the simulation comes again. */
  request(index: number): void {
    const node = this.nodes[index]!;
    // Workers whose supervisor was killed answer what they took.
    const orphans = node.earlier.find(({ isOrphaned }) => isOrphaned);
    const serving = orphans !== undefined && this.random() < 0.3 ? orphans : node;
    const nowMs = this.nodeNowMs(index);
    if (serving.ledger.spend(this.plan, 'key', nowMs) !== 'ALLOW') return;
    if (serving.workers === null) serving.unreported++;
    this.admitted++;
    this.admittedOn.set(utcDay(nowMs), (this.admittedOn.get(utcDay(nowMs)) ?? 0) + 1);
  }

  killWorker(index: number): void {
    this.nodes[index]!.workers?.killWorker();
    this.workerKills++;
  }

  nodeNowMs(index: number): number {
    return this.clock.nowMs() + (this.aheadMs[index] ?? 0);
  }

  tick(): void {
    for (const [index, node] of this.nodes.entries()) node.ledger.tick(this.nodeNowMs(index));
  }

  /** Closes the node's journal file and sends it, twice if the wire likes to. */
  report(index: number, delayMs = 0): void {
    const node = this.nodes[index]!;
    if (node.workers !== null) node.unreported += node.workers.takeUnreported(utcDay(this.nodeNowMs(index)));
    this.sendBatch(node, index, delayMs);
  }

  private sendBatch(node: SimulatedNode, index: number, delayMs: number): void {
    if (node.unreported === 0) return;
    const count = node.unreported;
    node.unreported = 0;
    const { nodeId, epoch } = node;
    const usage = { usagePlanId: 'plan', apiKeyId: 'key', day: utcDay(this.nodeNowMs(index)), count };
    const batch = { nodeId, epoch, sequence: ++node.sequence, usage: [{ ...usage, tenant: TENANT }], metrics: [] };
    node.underway.add(batch.sequence);
    const deliver = async () => {
      await this.store.metering.apply(batch);
      if (node.underway.delete(batch.sequence) && this.nodes[index] === node) node.ledger.reported(usage);
    };
    const atMs = this.clock.nowMs() + delayMs;
    this.journals.push({ atMs, deliver });
    if (this.random() < this.lossRate) this.journals.push({ atMs, deliver });
  }

  /** `kill -9`: what it counted is in its journal, and the next process sends it under the old name. */
  async restartNode(index: number): Promise<void> {
    const dead = this.nodes[index]!;
    if (dead.workers === null) this.report(index, this.random() * 5_000);
    else {
      dead.workers.orphan();
      dead.isOrphaned = true;
    }
    this.clock.advance(1);
    await this.startNode(index, [dead, ...dead.earlier]);
  }

  /** Orphans are gone, and the node's next process reads their journals. */
  private endOrphans(node: SimulatedNode, index: number): void {
    for (const dead of node.earlier) {
      if (!dead.isOrphaned || (this.lossRate > 0 && this.random() < 0.7)) continue;
      dead.isOrphaned = false;
      dead.unreported += dead.workers!.end();
      this.sendBatch(dead, index, this.lossRate === 0 ? 0 : this.random() * 5_000);
    }
  }

  /** Its answers under way are lost; the others go on. */
  restartPlane(): void {
    this.planes[Math.floor(this.random() * this.planes.length)] = this.newPlane();
  }

  async reconnect(index: number): Promise<void> {
    await this.connect(this.nodes[index]!);
  }

  /** The book does not answer for a moment, or does again; nodes hear of it. */
  setBookLost(isLost: boolean): void {
    this.store.leases.isLost = isLost;
    for (const { ledger } of this.nodes) ledger.bookState({ fastAvailable: true, strictAvailable: !isLost });
  }

  /** Delivers some of what is on the wire; some of it is lost, doubled or late. */
  async deliver(): Promise<void> {
    const nowMs = this.clock.nowMs();
    const wire = [...this.wire, ...this.journals.filter(({ atMs }) => atMs <= nowMs).map(({ deliver }) => deliver)];
    this.wire = [];
    this.journals = this.journals.filter(({ atMs }) => atMs > nowMs);
    for (const message of wire) {
      if (this.random() < this.lossRate) this.wire.push(message);
      else await message();
    }
    for (const [index, node] of this.nodes.entries()) {
      this.endOrphans(node, index);
      node.workers?.deliver(this.lossRate === 0);
      // "Everything that earlier epochs counted has its receipts", said until it is heard.
      if (node.earlier.every(({ underway, isOrphaned }) => underway.size === 0 && !isOrphaned))
        await this.store.leases.noteDrained(node.nodeId, node.epoch).catch(() => undefined);
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  async drain(): Promise<void> {
    this.lossRate = 0;
    for (const journal of this.journals) journal.atMs = 0;
    do await this.deliver();
    while (this.wire.length + this.journals.length > 0 || this.nodes.some(({ workers }) => workers?.hasMail));
  }

  private newPlane(): QuotaGrants {
    const { store, clock } = this;
    const books = { fast: store.leases, strict: store.leases };
    return new QuotaGrants({ metering: store.metering, nodes: store.nodes, books, clock, releaseMs: RELEASE_MS });
  }

  private async startNode(index: number, earlier: readonly SimulatedNode[] = []): Promise<void> {
    this.epochCount++;
    const requestMore = (question: QuotaQuestion) => this.ask(node, question);
    const { plan, workerCount, clock, random } = this;
    const workers = workerCount === 1 ? null : new SimulatedWorkers({ plan, workerCount, clock, random, requestMore });
    const node: SimulatedNode = {
      nodeId: `node-${index}`,
      epoch: this.clock.nowMs(),
      earlier,
      unreported: 0,
      sequence: 0,
      underway: new Set(),
      plane: 0,
      isAnnouncing: false,
      workers,
      isOrphaned: false,
      ledger: workers ?? new QuotaLedger({ requestMore }),
    };
    this.nodes[index] = node;
    await this.connect(node);
  }

  /** To any control plane; it hears first what the node holds. */
  private async connect(node: SimulatedNode): Promise<void> {
    node.plane = Math.floor(this.random() * this.planes.length);
    const { nodeId, epoch } = node;
    const nowMs = this.clock.nowMs();
    await this.store.nodes.connected({
      nodeId,
      role: 'DATA_PLANE',
      epoch,
      softwareVersion: '',
      labels: {},
      adminUrl: null,
      connected: true,
      lastSeenAtMs: nowMs,
      ackedRevision: 0,
      ackedAtMs: null,
      protocol: 1,
      snapshotFormats: [1],
      turnedAway: null,
    });
    node.isAnnouncing = true; // what is repeated travels ahead of everything else on one ordered stream
    node.ledger.connected();
    node.isAnnouncing = false;
  }

  private ask(node: SimulatedNode, question: QuotaQuestion): void {
    const request = create(QuotaRequestSchema, {
      usagePlanId: question.usagePlanId,
      apiKeyId: question.apiKeyId,
      periodStart: question.periodStart,
      wanted: BigInt(question.wanted),
      counted: BigInt(question.counted),
      held: BigInt(question.held),
      reported: BigInt(question.reported),
      generation: BigInt(question.generation ?? 0),
    });
    const plane = this.planes[node.plane]!;
    const put = async () => {
      // A process that is gone answers nothing.
      if (!this.planes.includes(plane) || !this.nodes.includes(node)) return;
      const grant = await plane.answer(node, request).catch(() => null);
      if (grant === null || this.random() < this.lossRate) return;
      const answer = { ...grant, allowedTotal: Number(grant.allowedTotal), generation: Number(grant.generation) };
      const take = () => {
        if (this.planes.includes(plane) && this.nodes.includes(node)) node.ledger.granted(answer);
      };
      this.wire.push(take);
      if (this.random() < this.lossRate) this.wire.push(take);
    };
    if (node.isAnnouncing) void put();
    else if (this.random() >= this.lossRate) {
      // Two control planes at a time, so that they meet at the book.
      this.wire.push(() => void put());
      if (this.random() < this.lossRate) this.wire.push(put);
    }
  }
}

interface SimulatedNode {
  readonly nodeId: string;
  readonly epoch: number;
  /** Dead processes of the same node. */
  readonly earlier: readonly SimulatedNode[];
  readonly ledger: NodeQuotas;
  readonly workers: SimulatedWorkers | null;
  /** Killed, and its workers still serve. */
  isOrphaned: boolean;
  /** Batches without a receipt. */
  readonly underway: Set<number>;
  unreported: number;
  sequence: number;
  plane: number;
  isAnnouncing: boolean;
}

for (const [mode, workersMax] of [
  ['FAST', 1],
  ['STRICT', 1],
  ['FAST', 4],
  ['STRICT', 4],
] as const) {
  const overshoot =
    mode === 'STRICT' ? 'never one request too many' : 'no more than one provisional allowance per epoch beyond it';
  const nodes = workersMax === 1 ? 'nodes' : 'nodes, their workers';
  test(`${mode}: ${nodes} and control planes die at any point, messages are lost, doubled and late: the quota is admitted, and ${overshoot}`, async () => {
    for (const seed of SEEDS) {
      const random = seeded(seed);
      const limit = 1 + Math.floor(random() * (random() < 0.5 ? 60 : 3_000));
      const nodeCount = 1 + Math.floor(random() * 4);
      const planeCount = 1 + Math.floor(random() * 3);
      const workerCount = workersMax === 1 ? 1 : 2 + Math.floor(random() * (workersMax - 1));
      const simulation = new Simulation(random, limit, nodeCount, mode, planeCount, workerCount);
      await simulation.open();
      simulation.lossRate = random() * 0.4;
      const what = () =>
        `seed ${seed}: limit ${limit}, ${nodeCount} nodes of ${workerCount}, ${planeCount} control planes, ${simulation.epochCount} epochs`;
      const provisional = workerCount === 1 ? provisionalAllowance(limit) : provisionalAllowance(limit) + workerCount;
      const admittedMax = () =>
        mode === 'STRICT'
          ? limit
          : limit + simulation.epochCount * provisional + simulation.workerKills * provisionalPart(limit, workerCount);
      const rate = Math.ceil(limit / 100);
      for (let step = 0; step < 150; step++) {
        const index = Math.floor(random() * nodeCount);
        // Several nodes at once, so that their questions meet in the book.
        for (let turn = 0; turn < (mode === 'STRICT' ? 6 : 1); turn++) {
          for (const asking of [index, Math.floor(random() * nodeCount)])
            for (let count = Math.floor(random() * 3 * rate); count > 0; count--) simulation.request(asking);
          simulation.clock.advance(5);
          if (mode === 'STRICT') await simulation.deliver(); // whoever waits for a lease comes again
        }
        const dice = random();
        if (dice < 0.25) simulation.report(Math.floor(random() * nodeCount));
        else if (dice < 0.29) await simulation.restartNode(index);
        else if (dice < 0.32) simulation.restartPlane();
        else if (dice < 0.36) await simulation.reconnect(index);
        else if (dice < 0.45 && workerCount > 1 && dice >= 0.4) simulation.killWorker(index);
        else if (dice < 0.4 && mode === 'STRICT') simulation.setBookLost(random() < 0.5);
        simulation.clock.advance(Math.floor(random() * 600));
        simulation.tick();
        await simulation.deliver();
        expect(simulation.admitted, what()).toBeLessThanOrEqual(admittedMax());
      }

      // And nothing is lost to processes that died holding a lease: in the end the whole quota can be used.
      simulation.setBookLost(false);
      for (let index = 0; index < nodeCount; index++) await simulation.reconnect(index);
      for (let index = 0; index < nodeCount; index++) simulation.report(index);
      await simulation.drain();
      simulation.clock.advance(RELEASE_MS + 1_000);
      for (let round = 0; round < 60; round++) {
        for (let index = 0; index < nodeCount; index++) {
          // Whoever waits for a lease comes again when the answer is there.
          for (let turn = 0; turn < (mode === 'STRICT' ? 8 : 1); turn++) {
            for (let count = 0; count < 4 * rate + 20; count++) simulation.request(index);
            simulation.clock.advance(10);
            await simulation.drain();
          }
          simulation.report(index);
        }
        simulation.clock.advance(1_100);
        simulation.tick();
        await simulation.drain();
      }
      expect(simulation.admitted, `${what()}: the quota can be used up`).toBeGreaterThanOrEqual(limit);
      expect(simulation.admitted, what()).toBeLessThanOrEqual(admittedMax());
    }
  });
}

test('with one node, no restart and no loss a quota is exact', async () => {
  for (const limit of [1, 5, 10, 11, 1_000]) {
    const simulation = new Simulation(seeded(limit), limit, 1);
    await simulation.open();
    for (let step = 0; step < 200; step++) {
      for (let count = 0; count < 1 + limit / 50; count++) simulation.request(0);
      simulation.report(0);
      simulation.clock.advance(500);
      await simulation.drain();
    }
    expect(simulation.admitted).toBe(limit);
  }
});

test('a key that two nodes share is not cut off while part of its quota is left', async () => {
  const simulation = new Simulation(seeded(7), 100, 2);
  await simulation.open();
  for (let step = 0; step < 100; step++) {
    for (const index of [0, 1]) simulation.request(index);
    for (const index of [0, 1]) simulation.report(index);
    simulation.clock.advance(1_100);
    await simulation.drain();
  }
  expect(simulation.admitted).toBeGreaterThanOrEqual(100);
  expect(simulation.admitted).toBeLessThanOrEqual(100 + 2 * provisionalAllowance(100));
});

/** Fault 44. Each node reports before its day ends, as its journal does, which holds no two days in one count. */
for (const mode of ['FAST', 'STRICT'] as const) {
  test(`${mode}: with a node five minutes ahead and one five behind, each day has one budget, and nobody is shut out of it`, async () => {
    const [limit, minuteMs] = [200, 60_000];
    const simulation = new Simulation(seeded(44), limit, 3, mode, 1, 1, 'DAY');
    simulation.aheadMs.push(5 * minuteMs, 0, -5 * minuteMs);
    await simulation.open();
    const days = simulation.aheadMs.map((_, index) => utcDay(simulation.nodeNowMs(index)));
    simulation.clock.advance(Date.UTC(2026, 0, 5, 23, 50) - simulation.clock.nowMs());
    for (let step = 0; step < 20 * 60; step++) {
      for (const index of [0, 1, 2]) {
        if (utcDay(simulation.nodeNowMs(index) + 1_000) !== days[index]) {
          simulation.report(index);
          days[index] = utcDay(simulation.nodeNowMs(index) + 1_000);
        } else simulation.request(index);
      }
      if (step % 5 === 0) for (const index of [0, 1, 2]) simulation.report(index);
      simulation.clock.advance(1_000);
      simulation.tick();
      await simulation.drain();
    }
    const over = mode === 'STRICT' ? 0 : 3 * provisionalAllowance(limit);
    expect([...simulation.admittedOn.keys()]).toEqual(['2026-01-05', '2026-01-06']);
    for (const [day, admitted] of simulation.admittedOn) {
      expect(admitted, day).toBeGreaterThanOrEqual(limit);
      expect(admitted, day).toBeLessThanOrEqual(limit + over);
    }
  });
  test(`${mode}: what a node ahead spends of the new day is not taken from the old one`, async () => {
    const [limit, minuteMs] = [200, 60_000];
    const simulation = new Simulation(seeded(45), limit, 2, mode, 1, 1, 'DAY');
    simulation.aheadMs.push(5 * minuteMs, -5 * minuteMs);
    await simulation.open();
    simulation.clock.advance(Date.UTC(2026, 0, 5, 23, 56) - simulation.clock.nowMs());
    for (let step = 0; step < 8 * 60; step++) {
      for (let count = 0; count < 3; count++) simulation.request(0);
      if (step % 5 === 0) {
        const before = simulation.admitted;
        simulation.request(1);
        await simulation.drain();
        if (simulation.admitted === before) simulation.request(1); // it waited for a lease
      }
      for (const index of [0, 1]) simulation.report(index);
      simulation.clock.advance(1_000);
      simulation.tick();
      await simulation.drain();
    }
    expect(simulation.admittedOn.get('2026-01-06')).toBeGreaterThanOrEqual(limit);
    expect(simulation.admittedOn.get('2026-01-05')).toBe((8 * 60) / 5);
  });
}
