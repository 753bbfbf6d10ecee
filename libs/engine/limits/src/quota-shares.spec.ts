import type { PlanLimits } from '@gatehouse/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LEASE_WAIT_MS } from './lease-mode.js';
import { provisionalAllowance, QuotaLedger, type QuotaAnswer, type QuotaQuestion, type QuotaVerdict } from './quota-ledger.js';
import { provisionalPart, QuotaShares, type PlanQuota, type QuotaRecall } from './quota-shares.js';

const DAY = '2026-01-05';
const NOW_MS = Date.parse(`${DAY}T09:00:00Z`);

/** Workers with their ledgers, the shares between them, and a control plane that grants what it is told to. Messages wait. */
class Node {
  nowMs = NOW_MS;
  admitted = 0;
  readonly questions: QuotaQuestion[] = [];
  readonly ledgers = new Map<number, QuotaLedger>();
  /** What each worker put into its journal. */
  readonly journals = new Map<number, number>();
  private readonly mail: { readonly to: string; deliver(): void }[] = [];
  private startCount = 0;
  readonly fallbacks: string[] = [];
  private timers: { readonly atMs: number; readonly run: () => void }[] = [];
  readonly plan: { usagePlanId: string; quota: PlanQuota; limits?: PlanLimits };
  readonly shares: QuotaShares;

  constructor(
    limit: number,
    readonly workerCount: number,
    limits?: PlanLimits,
  ) {
    const own = limits === undefined ? {} : { limits };
    this.plan = { usagePlanId: 'plan', quota: { limit, offset: 0, period: 'DAY', ...own }, ...own };
    this.shares = new QuotaShares({
      workerCount,
      quotaOf: () => this.plan.quota,
      requestMore: (question) => this.questions.push(question),
      answer: (worker, answer) => this.post(`worker ${worker}`, () => this.ledgers.get(worker)?.granted(answer)),
      recall: (worker, recall) => this.post(`worker ${worker}`, () => this.giveBack(worker, recall)),
      nowMs: () => this.nowMs,
      later: (run, delayMs) => this.timers.push({ atMs: this.nowMs + delayMs, run }),
    });
    for (let index = 0; index < workerCount; index++) this.start();
  }

  start(): number {
    const worker = ++this.startCount;
    const ledger = new QuotaLedger({
      requestMore: (question) => this.post(`from ${worker}`, () => this.shares.asked(worker, question)),
      provisional: (limit) => provisionalPart(limit, this.workerCount),
      onFallback: (taken) => this.fallbacks.push(taken),
    });
    ledger.connected();
    this.ledgers.set(worker, ledger);
    this.journals.set(worker, 0);
    this.shares.started(worker);
    return worker;
  }

  /** What it sent before arrives, then its journal is read. */
  kill(worker: number): void {
    this.ledgers.delete(worker);
    for (const { to, deliver } of this.mail.splice(0)) if (to !== `worker ${worker}`) deliver();
    this.shares.ended(worker);
    this.shares.counted(worker, { usagePlanId: 'plan', apiKeyId: 'key', day: DAY, count: this.journals.get(worker)! });
    this.shares.settled(worker);
  }

  call(worker: number): boolean {
    return this.verdict(worker) === 'ALLOW';
  }

  verdict(worker: number): QuotaVerdict {
    const verdict = this.ledgers.get(worker)!.spend(this.plan, 'key', this.nowMs);
    if (verdict === 'ALLOW') {
      this.admitted++;
      this.journals.set(worker, this.journals.get(worker)! + 1);
    }
    return verdict;
  }

  pass(ms: number): void {
    this.nowMs += ms;
    const due = this.timers.filter(({ atMs }) => atMs <= this.nowMs);
    this.timers = this.timers.filter(({ atMs }) => atMs > this.nowMs);
    for (const { run } of due) run();
  }

  /** Each pair of processes hears each other in order; between pairs anything may be first. */
  deliverOne(pick: number): void {
    const lanes = [...new Set(this.mail.map(({ to }) => to))];
    const lane = lanes[pick % Math.max(1, lanes.length)];
    const index = this.mail.findIndex(({ to }) => to === lane);
    if (index >= 0) this.mail.splice(index, 1)[0]!.deliver();
  }

  deliverAll(): void {
    while (this.mail.length > 0) this.mail.shift()!.deliver();
  }

  grant(allowedTotal: number, exhausted = false): void {
    this.shares.granted({
      usagePlanId: 'plan',
      apiKeyId: 'key',
      periodStart: DAY,
      allowedTotal,
      exhausted,
    } satisfies QuotaAnswer);
  }

  private post(to: string, deliver: () => void): void {
    this.mail.push({ to, deliver });
  }

  private giveBack(worker: number, recall: QuotaRecall): void {
    const ledger = this.ledgers.get(worker);
    if (ledger === undefined) return;
    const { usagePlanId, apiKeyId, periodStart, quota } = recall;
    const left = ledger.recall({ ...this.plan, usagePlanId, quota }, apiKeyId, periodStart, this.nowMs);
    this.post(`from ${worker}`, () => this.shares.recalled(worker, recall, left));
  }
}

describe('over the workers of a node', () => {
  test('never more is admitted than the grants and one provisional allowance, however messages are late', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4 }),
        fc.integer({ min: 10, max: 400 }),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.nat(50)), { minLength: 50, maxLength: 600 }),
        (workerCount, limit, steps) => {
          const node = new Node(limit, workerCount);
          node.shares.connected();
          let granted = 0;
          for (const [kind, number] of steps) {
            if (kind <= 5) node.call(1 + (number % workerCount));
            else if (kind <= 7) node.deliverOne(number);
            else if (kind === 8) node.nowMs += number * 20;
            else node.grant((granted = Math.min(limit, granted + number)), granted === limit);
            expect(node.admitted).toBeLessThanOrEqual(Math.min(limit, granted + provisionalAllowance(limit)) + workerCount);
          }
          expect(node.admitted).toBeLessThanOrEqual(limit);
        },
      ),
      { numRuns: 60, seed: 4 },
    );
  });

  test('a caller that keeps to one worker gets the whole quota and not a request more', () => {
    for (const workerCount of [2, 8]) {
      const node = new Node(100, workerCount);
      node.shares.connected();
      node.call(1);
      node.deliverAll();
      node.grant(100);
      for (let index = 0; index < 300; index++) {
        node.call(1);
        node.deliverAll();
        node.nowMs += 20;
      }
      expect(node.admitted).toBe(100);
    }
  });

  test('what one worker left over serves the others, and together they get the whole quota', () => {
    const node = new Node(200, 2);
    node.shares.connected();
    for (const worker of [1, 2, 1, 2]) node.call(worker);
    node.deliverAll();
    node.grant(200);
    for (let index = 0; index < 60; index++) {
      node.call(1);
      node.deliverAll();
    }
    for (let index = 0; index < 600; index++) {
      node.call(2);
      node.deliverAll();
      node.nowMs += 20;
    }
    expect(node.admitted).toBe(200);
  });

  test('without a control plane the node counts as one against the limit of the plan', () => {
    const node = new Node(50, 3);
    for (let index = 0; index < 400; index++) {
      node.call(1 + (index % 3));
      node.deliverAll();
      node.nowMs += 20;
    }
    expect(node.admitted).toBe(50);
    expect(node.questions).toEqual([]);
  });

  test('with a control plane that is back and has not answered yet it goes on so; the answer then holds', () => {
    const node = new Node(500, 2);
    const call = (count: number): number => {
      const before = node.admitted;
      for (let index = 0; index < count; index++) {
        node.call(1 + (index % 2));
        node.deliverAll();
        node.nowMs += 20;
      }
      return node.admitted - before;
    };
    expect(call(200)).toBe(200);
    node.shares.connected();
    expect(call(100), 'no answer yet').toBe(100);
    expect(node.questions.at(-1)?.wanted, 'it asks').toBeGreaterThan(0);
    node.grant(420);
    expect(call(400), 'the grant and one provisional allowance').toBeLessThanOrEqual(120 + provisionalAllowance(500));
    expect(node.admitted).toBeGreaterThanOrEqual(420);
  });

  test('workers killed again and again cost one provisional part each and lose nothing of the quota', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.nat(20)), { minLength: 100, maxLength: 400 }), (steps) => {
        const limit = 300;
        const node = new Node(limit, 2);
        node.shares.connected();
        node.grant(limit);
        let kills = 0;
        let workers = [1, 2];
        const step = (kind: number, number: number): void => {
          if (kind <= 3) for (let index = 0; index < 5; index++) node.call(workers[number % 2]!);
          else if (kind === 4) node.deliverAll();
          else {
            node.kill(workers[0]!);
            workers = [workers[1]!, node.start()];
            kills++;
          }
          node.grant(limit);
          node.nowMs += 100;
        };
        for (const [kind, number] of steps) step(kind, number);
        expect(node.admitted).toBeLessThanOrEqual(limit + kills * provisionalPart(limit, 2));
        for (let index = 0; index < 400; index++) {
          step(0, index);
          step(4, index);
        }
        expect(node.admitted).toBeGreaterThanOrEqual(limit);
      }),
      { numRuns: 40, seed: 4 },
    );
  });

  test('the control plane hears the figures of the whole node, and hears them again when it comes back', () => {
    const node = new Node(1_000, 2);
    node.shares.connected();
    for (const worker of [1, 1, 2]) node.call(worker);
    node.deliverAll();
    node.grant(500);
    for (const worker of [1, 2]) for (let index = 0; index < 4; index++) node.call(worker);
    node.shares.counted(1, { usagePlanId: 'plan', apiKeyId: 'key', day: DAY, count: 6 });
    node.shares.counted(2, { usagePlanId: 'plan', apiKeyId: 'key', day: DAY, count: 5 });
    node.shares.reported({ usagePlanId: 'plan', apiKeyId: 'key', day: DAY, count: 6 });
    node.questions.length = 0;
    node.shares.disconnected();
    node.shares.connected();
    expect(node.questions).toEqual([
      { usagePlanId: 'plan', apiKeyId: 'key', periodStart: DAY, wanted: 0, counted: 11, held: 500, reported: 6 },
    ]);
  });

  test('an extended quota is used by workers that were turned away before', () => {
    const node = new Node(20, 2);
    node.shares.connected();
    const use = (times: number): void => {
      for (let index = 0; index < times; index++) {
        node.call(1 + (index % 2));
        node.deliverAll();
        node.nowMs += 50;
      }
    };
    use(1);
    node.grant(20);
    use(100);
    node.grant(20, true);
    use(100);
    expect(node.admitted).toBe(20);
    node.grant(25);
    use(200);
    expect(node.admitted).toBe(25);
  });

  test('what a ledger gives back by itself is free for the others', () => {
    const node = new Node(100, 2);
    node.shares.connected();
    node.call(1);
    node.deliverAll();
    node.grant(100);
    const about = { usagePlanId: 'plan', apiKeyId: 'key', periodStart: DAY, reported: 0 };
    node.shares.asked(1, { ...about, wanted: 50, counted: 1, held: 0 });
    node.deliverAll();
    node.ledgers.delete(1); // it says nothing from here on but this
    node.shares.asked(1, { ...about, wanted: 0, counted: 1, held: 1, generation: 1 });
    for (let index = 0; index < 300; index++) {
      node.call(2);
      node.deliverAll();
      node.nowMs += 20;
    }
    expect(node.admitted).toBe(100);
  });
});

describe('a strict quota over the workers of a node', () => {
  const STRICT = { mode: 'STRICT', fallback: 'CLOSED' } as const;
  const OPEN = { mode: 'STRICT', fallback: 'OPEN' } as const;
  const strictNode = (limit: number, limits: PlanLimits = STRICT, workerCount = 2) => {
    const node = new Node(limit, workerCount, limits);
    node.shares.connected();
    return node;
  };

  test('a first request waits for the control plane, and nothing is admitted that was not granted', () => {
    const node = strictNode(100);
    expect(node.verdict(1)).toBe('WAIT');
    node.deliverAll();
    expect(node.questions).toHaveLength(1);
    expect(node.verdict(1), 'until it is answered').toBe('WAIT');
    node.grant(1);
    node.deliverAll();
    expect(node.verdict(1)).toBe('ALLOW');
    expect(node.verdict(1)).not.toBe('ALLOW');
  });

  test('a worker without a lease waits while another one has some left, and is refused when none has', () => {
    const node = strictNode(4);
    node.verdict(1);
    node.deliverAll();
    node.grant(4);
    node.deliverAll();
    expect(node.verdict(1)).toBe('ALLOW');
    for (let index = 0; index < 40; index++) {
      node.verdict(2);
      node.deliverAll();
      node.grant(4);
      node.deliverAll();
      node.nowMs += 1_100;
    }
    expect(node.admitted, 'the other worker left what it did not need').toBe(4);
    expect(node.verdict(2)).toBe('WAIT');
    node.deliverAll();
    node.grant(4, true);
    node.deliverAll();
    expect(node.verdict(2), 'answered, not timed out').toBe('DENY');
    expect(node.verdict(2)).toBe('DENY');
  });

  test('a control plane that does not answer: the fallback decides before the request gives up', () => {
    for (const [limits, expected] of [
      [STRICT, 'DENY'],
      [OPEN, 'ALLOW'],
    ] as const) {
      const node = strictNode(10, limits);
      expect(node.verdict(1)).toBe('WAIT');
      node.deliverAll();
      node.pass(LEASE_WAIT_MS - 1);
      node.deliverAll();
      expect(node.verdict(1)).toBe(expected);
      expect(node.fallbacks).toEqual([limits.fallback]);
    }
  });

  test('without a control plane and open: the node as a whole admits the plan’s limit, and every decision is counted', () => {
    const node = strictNode(30, OPEN, 3);
    node.shares.disconnected();
    for (const ledger of node.ledgers.values()) ledger.disconnected();
    for (let index = 0; index < 300; index++) {
      node.verdict(1 + (index % 3));
      node.deliverAll();
      node.nowMs += 20;
    }
    expect(node.admitted).toBe(30);
    expect(node.fallbacks.filter((taken) => taken === 'OPEN').length).toBeGreaterThanOrEqual(30);
  });

  test('without a control plane and closed: what workers hold is admitted, the next is refused in its own turn', () => {
    const node = strictNode(100);
    for (const worker of [1, 2]) node.verdict(worker);
    node.deliverAll();
    node.grant(4);
    node.deliverAll();
    node.shares.disconnected();
    for (const ledger of node.ledgers.values()) ledger.disconnected();
    const verdicts = Array.from({ length: 20 }, () => node.verdict(1));
    expect(verdicts).not.toContain('WAIT');
    expect(verdicts.filter((verdict) => verdict === 'ALLOW').length).toBeLessThanOrEqual(4);
    expect(node.fallbacks).toHaveLength(verdicts.filter((verdict) => verdict === 'DENY').length);
  });

  test('what no worker uses goes back, and a late answer to an older question gives nothing back again', () => {
    const node = strictNode(100);
    node.verdict(1);
    node.deliverAll();
    node.grant(50);
    node.deliverAll();
    node.verdict(1);
    for (let second = 0; second < 8; second++) {
      node.nowMs += 1_000;
      for (const ledger of node.ledgers.values()) ledger.tick(node.nowMs);
      node.deliverAll();
      node.shares.tick(node.nowMs);
    }
    expect(node.questions.at(-1)).toMatchObject({ wanted: 0, counted: 1, held: 1, generation: 1 });
    node.grant(50);
    node.deliverAll();
    expect(node.verdict(2)).toBe('WAIT');
    node.deliverAll();
    expect(node.verdict(2)).toBe('WAIT');
  });

  test('at its end the node gives back every lease, but for that of a worker whose journal could not be read', () => {
    for (const isRead of [true, false]) {
      const node = strictNode(100);
      for (const worker of [1, 2]) {
        node.verdict(worker);
        node.deliverAll();
        node.grant(10 * worker);
        node.deliverAll();
        node.verdict(worker);
      }
      for (const worker of [1, 2]) {
        if (isRead || worker === 1) node.kill(worker);
        else node.shares.ended(worker);
      }
      node.questions.length = 0;
      node.shares.close();
      expect(node.questions).toMatchObject(isRead ? [{ wanted: 0, counted: 2, held: 2, final: true }] : []);
    }
  });
});
