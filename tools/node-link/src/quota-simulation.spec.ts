import { create } from '@bufbuild/protobuf';
import { QuotaRequestSchema } from '@gatehouse/contracts';
import { QuotaGrants } from '@gatehouse/control-metering';
import { InMemoryStore } from '@gatehouse/domain';
import { provisionalAllowance, QuotaLedger, utcDay, type QuotaQuestion } from '@gatehouse/engine-limits';
import { ManualClock } from '@gatehouse/kernel';
import { expect, test } from 'vitest';
import { TENANT } from './harness.js';
import { seeded } from './lossy-network.js';

const SEEDS =
  process.env.GATEHOUSE_SEED === undefined
    ? Array.from({ length: 60 }, (_, index) => index + 1)
    : [Number(process.env.GATEHOUSE_SEED)];
const RELEASE_MS = 60_000;

/** Nodes with their ledgers and journals, a control plane with its grants, and a wire between that loses things. */
class Simulation {
  readonly store = new InMemoryStore();
  readonly clock = new ManualClock(Date.UTC(2026, 0, 5, 9));
  readonly plan: { usagePlanId: string; quota: { limit: number; offset: number; period: 'MONTH' } };
  private grants: QuotaGrants;
  private readonly nodes: SimulatedNode[] = [];
  /** What is on its way, in order of sending. */
  private wire: (() => Promise<void> | void)[] = [];
  lossRate = 0;
  admitted = 0;
  epochCount = 0;

  constructor(
    readonly random: () => number,
    readonly limit: number,
    readonly nodeCount: number,
  ) {
    this.plan = { usagePlanId: 'plan', quota: { limit, offset: 0, period: 'MONTH' } };
    this.grants = this.newGrants();
    this.grants.expect([]);
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
        tags: {},
      }),
    );
    for (let index = 0; index < this.nodeCount; index++) await this.startNode(index);
  }

  request(index: number): void {
    const node = this.nodes[index]!;
    if (node.ledger.spend(this.plan, 'key', this.clock.nowMs()) === 'DENY') return;
    node.unreported++;
    this.admitted++;
  }

  /** Closes the node's journal file and sends it, twice if the wire likes to. */
  report(index: number): void {
    const node = this.nodes[index]!;
    if (node.unreported === 0) return;
    const count = node.unreported;
    node.unreported = 0;
    const { nodeId, epoch } = node;
    const usage = { usagePlanId: 'plan', apiKeyId: 'key', day: utcDay(this.clock.nowMs()), count };
    const batch = { nodeId, epoch, sequence: ++node.sequence, usage: [{ ...usage, tenant: TENANT }], metrics: [] };
    const deliver = async () => {
      await this.grants.whileApplying(batch, () => this.store.metering.apply(batch));
      if (this.nodes[index] === node && !node.receipted.has(batch.sequence)) {
        node.receipted.add(batch.sequence);
        node.ledger.reported(usage);
      }
    };
    this.wire.push(deliver);
    if (this.random() < this.lossRate) this.wire.push(deliver);
  }

  async restartNode(index: number): Promise<void> {
    this.report(index); // the journal survives, and is sent under its old name
    this.grants.left(this.nodes[index]!);
    await this.startNode(index);
  }

  async restartControlPlane(): Promise<void> {
    this.grants = this.newGrants();
    this.grants.expect(this.nodes.map(({ nodeId }) => nodeId));
    for (const node of this.nodes) await this.connect(node);
  }

  /** Delivers some of what is on the wire; some of it is lost, doubled or late. */
  async deliver(): Promise<void> {
    const wire = this.wire;
    this.wire = [];
    for (const message of wire) {
      if (this.random() < this.lossRate) this.wire.push(message);
      else await message();
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  async drain(): Promise<void> {
    this.lossRate = 0;
    while (this.wire.length > 0) await this.deliver();
  }

  private newGrants(): QuotaGrants {
    return new QuotaGrants({ metering: this.store.metering, clock: this.clock, settleMs: 3_600_000, releaseMs: RELEASE_MS });
  }

  private async startNode(index: number): Promise<void> {
    this.epochCount++;
    const node: SimulatedNode = {
      nodeId: `node-${index}`,
      epoch: this.epochCount,
      unreported: 0,
      sequence: 0,
      receipted: new Set(),
      isAnnouncing: false,
      ledger: new QuotaLedger({ requestMore: (question) => this.ask(node, question) }),
    };
    this.nodes[index] = node;
    await this.connect(node);
  }

  private async connect(node: SimulatedNode): Promise<void> {
    const { grants } = this;
    grants.joined(node);
    node.isAnnouncing = true; // what is repeated travels ahead of the ACK on one ordered stream: it is not lost
    node.ledger.connected();
    node.isAnnouncing = false;
    grants.announced(node);
  }

  private ask(node: SimulatedNode, question: QuotaQuestion): void {
    const { grants } = this;
    const request = create(QuotaRequestSchema, {
      usagePlanId: question.usagePlanId,
      apiKeyId: question.apiKeyId,
      periodStart: question.periodStart,
      wanted: BigInt(question.wanted),
      counted: BigInt(question.counted),
      held: BigInt(question.held),
      reported: BigInt(question.reported),
    });
    const put = async () => {
      // A stream to a control plane or of a process that is gone carries nothing.
      if (grants !== this.grants || !this.nodes.includes(node)) return;
      void grants.answer(node, request).then((grant) => {
        if (grant === null || this.random() < this.lossRate) return;
        const answer = { ...grant, allowedTotal: Number(grant.allowedTotal) };
        const take = () => {
          if (grants === this.grants && this.nodes.includes(node)) node.ledger.granted(answer);
        };
        this.wire.push(take);
        if (this.random() < this.lossRate) this.wire.push(take);
      });
    };
    if (node.isAnnouncing) void put();
    else if (this.random() >= this.lossRate) this.wire.push(put);
  }
}

interface SimulatedNode {
  readonly nodeId: string;
  readonly epoch: number;
  readonly ledger: QuotaLedger;
  readonly receipted: Set<number>;
  unreported: number;
  sequence: number;
  isAnnouncing: boolean;
}

test('nodes together admit a quota, and no more than one provisional allowance per epoch beyond it', async () => {
  for (const seed of SEEDS) {
    const random = seeded(seed);
    const limit = 1 + Math.floor(random() * (random() < 0.5 ? 60 : 3_000));
    const nodeCount = 1 + Math.floor(random() * 4);
    const simulation = new Simulation(random, limit, nodeCount);
    await simulation.open();
    simulation.lossRate = random() * 0.4;
    const rate = Math.ceil(limit / 100);
    for (let step = 0; step < 150; step++) {
      const index = Math.floor(random() * nodeCount);
      for (let count = Math.floor(random() * 4 * rate); count > 0; count--) simulation.request(index);
      const dice = random();
      if (dice < 0.25) simulation.report(Math.floor(random() * nodeCount));
      else if (dice < 0.29) await simulation.restartNode(index);
      else if (dice < 0.32) await simulation.restartControlPlane();
      simulation.clock.advance(Math.floor(random() * 600));
      await simulation.deliver();
    }
    const overshootMax = simulation.epochCount * provisionalAllowance(limit);
    const what = `seed ${seed}: limit ${limit}, ${nodeCount} nodes, ${simulation.epochCount} epochs`;
    expect(simulation.admitted, what).toBeLessThanOrEqual(limit + overshootMax);

    // And nothing is lost to epochs that died holding a grant: in the end the whole quota can be used.
    for (let index = 0; index < nodeCount; index++) simulation.report(index);
    await simulation.drain();
    simulation.clock.advance(RELEASE_MS + 1_000);
    for (let round = 0; round < 60; round++) {
      for (let index = 0; index < nodeCount; index++) {
        for (let count = 0; count < 4 * rate + 20; count++) simulation.request(index);
        simulation.report(index);
      }
      simulation.clock.advance(1_100);
      await simulation.drain();
    }
    expect(simulation.admitted, `${what}: the quota can be used up`).toBeGreaterThanOrEqual(limit);
    expect(simulation.admitted, what).toBeLessThanOrEqual(limit + overshootMax);
  }
});

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
