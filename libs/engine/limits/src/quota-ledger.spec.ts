import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { provisionalAllowance, QuotaLedger, type QuotaAnswer, type QuotaQuestion } from './quota-ledger.js';
import { quotaPeriod } from './quota-period.js';

const NOON_MS = Date.UTC(2026, 0, 1, 12);
const HOUR_MS = 3_600_000;
const SECOND_MS = 1_000;

type Period = 'DAY' | 'WEEK' | 'MONTH';
const plan = (limit: number, period: Period = 'DAY', offset = 0) => ({ usagePlanId: 'plan', quota: { limit, offset, period } });
const answer = (allowedTotal: number, exhausted = false, periodStart = '2026-01-01'): QuotaAnswer => ({
  usagePlanId: 'plan',
  apiKeyId: 'key',
  periodStart,
  allowedTotal,
  exhausted,
});

function ledgerWithQuestions(options: { accountsMax?: number } = {}): { ledger: QuotaLedger; questions: QuotaQuestion[] } {
  const questions: QuotaQuestion[] = [];
  const ledger = new QuotaLedger({ requestMore: (question) => questions.push(question), ...options });
  ledger.connected();
  return { ledger, questions };
}

function allowed(ledger: QuotaLedger, settings: ReturnType<typeof plan>, attempts: number, nowMs: number): number {
  let count = 0;
  for (let i = 0; i < attempts; i++) if (ledger.spend(settings, 'key', nowMs) === 'ALLOW') count++;
  return count;
}

describe('before the first answer', () => {
  for (const [limit, allowance] of [
    [5, 5],
    [10, 10],
    [500, 10],
    [10_000, 100],
    [0, 0],
  ] as const) {
    test(`of a quota of ${limit}, ${allowance} requests are let through and no more`, () => {
      const { ledger } = ledgerWithQuestions();
      expect(allowed(ledger, plan(limit), 1_000, NOON_MS)).toBe(allowance);
      expect(provisionalAllowance(limit)).toBe(allowance);
    });
  }

  test('the question goes out with the first request, and again when no answer comes', () => {
    const { ledger, questions } = ledgerWithQuestions();
    allowed(ledger, plan(500), 3, NOON_MS);
    expect(questions).toEqual([
      { usagePlanId: 'plan', apiKeyId: 'key', periodStart: '2026-01-01', wanted: 10, counted: 1, held: 0, reported: 0 },
    ]);
    allowed(ledger, plan(500), 1, NOON_MS + SECOND_MS);
    expect(questions).toHaveLength(2);
  });

  test('the offset of a first period is taken off, since only the control plane knows which period is the first', () => {
    const { ledger } = ledgerWithQuestions();
    expect(allowed(ledger, plan(20, 'DAY', 15), 100, NOON_MS)).toBe(5);
  });
});

describe('with answers', () => {
  test('one node spends exactly its plan', () => {
    const { ledger } = ledgerWithQuestions();
    allowed(ledger, plan(50), 1, NOON_MS);
    ledger.granted(answer(50, true));
    expect(allowed(ledger, plan(50), 1_000, NOON_MS)).toBe(49);
  });

  test('no node goes beyond the plan while an answer is due, even when its lease is all of it', () => {
    const { ledger } = ledgerWithQuestions();
    allowed(ledger, plan(50), 1, NOON_MS);
    ledger.granted(answer(50));
    expect(allowed(ledger, plan(50), 1_000, NOON_MS)).toBe(49);
  });

  test('the next question goes out when half of the lease is used, not when it is gone', () => {
    const { ledger, questions } = ledgerWithQuestions();
    allowed(ledger, plan(10_000), 1, NOON_MS);
    ledger.granted(answer(201));
    allowed(ledger, plan(10_000), 99, NOON_MS + 100);
    expect(questions).toHaveLength(1);
    allowed(ledger, plan(10_000), 1, NOON_MS + 100);
    expect(questions).toHaveLength(2);
    expect(questions[1]!.wanted).toBeGreaterThan(1_000); // ten seconds at the present rate
  });

  test('"nothing left" denies beyond the grant and asks once a second whether that changed', () => {
    const { ledger, questions } = ledgerWithQuestions();
    allowed(ledger, plan(500), 1, NOON_MS);
    ledger.granted(answer(1, true));
    expect(allowed(ledger, plan(500), 100, NOON_MS + 10)).toBe(0);
    expect(questions).toHaveLength(1);
    expect(allowed(ledger, plan(500), 100, NOON_MS + SECOND_MS)).toBe(0);
    expect(questions).toHaveLength(2);
    ledger.granted(answer(3));
    expect(allowed(ledger, plan(500), 1, NOON_MS + SECOND_MS)).toBe(1);
  });

  test('a key may be granted more than its plan (UpdateUsage)', () => {
    const { ledger } = ledgerWithQuestions();
    allowed(ledger, plan(5), 5, NOON_MS);
    ledger.granted(answer(8, true));
    expect(allowed(ledger, plan(5), 100, NOON_MS)).toBe(3);
  });

  test('a repeated answer gives nothing twice', () => {
    const { ledger } = ledgerWithQuestions();
    allowed(ledger, plan(50), 1, NOON_MS);
    for (let i = 0; i < 3; i++) ledger.granted(answer(20, true));
    expect(allowed(ledger, plan(50), 100, NOON_MS)).toBe(19);
  });

  test('an answer about a key or period that is not in use is ignored', () => {
    const { ledger } = ledgerWithQuestions();
    ledger.granted(answer(1_000));
    allowed(ledger, plan(500), 1, NOON_MS);
    ledger.granted(answer(1_000, false, '2025-12-31'));
    expect(allowed(ledger, plan(500), 1_000, NOON_MS)).toBe(9);
  });

  test('a changed limit is asked about at once', () => {
    const { ledger, questions } = ledgerWithQuestions();
    allowed(ledger, plan(5), 5, NOON_MS);
    ledger.granted(answer(5, true));
    expect(allowed(ledger, plan(5), 1, NOON_MS)).toBe(0);
    expect(allowed(ledger, plan(100), 1, NOON_MS)).toBe(1);
    expect(questions.at(-1)).toMatchObject({ counted: 6, held: 5 });
  });
});

test('a plan without a quota allows everything and asks nothing', () => {
  const { ledger, questions } = ledgerWithQuestions();
  for (let i = 0; i < 100; i++) expect(ledger.spend({ usagePlanId: 'plan', quota: null }, 'key', NOON_MS)).toBe('ALLOW');
  expect(questions).toEqual([]);
});

test('keys and plans are counted apart', () => {
  const { ledger } = ledgerWithQuestions();
  ledger.disconnected();
  const quota = { limit: 1, offset: 0, period: 'DAY' } as const;
  const verdicts = [
    ['p', 'k'],
    ['p', 'l'],
    ['q', 'k'],
    ['p', 'k'],
  ].map(([usagePlanId, key]) => ledger.spend({ usagePlanId: usagePlanId!, quota }, key!, NOON_MS));
  expect(verdicts).toEqual(['ALLOW', 'ALLOW', 'ALLOW', 'DENY']);
});

describe('without a control plane', () => {
  test("a key counts against its plan's limit on this node", () => {
    const { ledger, questions } = ledgerWithQuestions();
    ledger.disconnected();
    expect(allowed(ledger, plan(500), 1_000, NOON_MS)).toBe(500);
    expect(questions).toEqual([]);
  });

  test('what is known to be used up stays used up', () => {
    const { ledger } = ledgerWithQuestions();
    allowed(ledger, plan(500), 1, NOON_MS);
    ledger.granted(answer(1, true));
    ledger.disconnected();
    expect(allowed(ledger, plan(500), 100, NOON_MS)).toBe(0);
  });

  test('a new session is told what this epoch counted and holds, and what has its receipts', () => {
    const { ledger, questions } = ledgerWithQuestions();
    allowed(ledger, plan(500), 1, NOON_MS);
    ledger.granted(answer(40));
    allowed(ledger, plan(500), 4, NOON_MS);
    ledger.reported({ usagePlanId: 'plan', apiKeyId: 'key', day: '2026-01-01', count: 3 });
    ledger.disconnected();
    questions.length = 0;
    ledger.connected();
    expect(questions).toEqual([
      { usagePlanId: 'plan', apiKeyId: 'key', periodStart: '2026-01-01', wanted: 0, counted: 5, held: 40, reported: 3 },
    ]);
  });
});

describe('the edge of a period, with a clock that steps by an hour', () => {
  const midnightMs = Date.UTC(2026, 0, 2);

  test('each day has its own budget, and going back finds the old count', () => {
    const { ledger } = ledgerWithQuestions();
    ledger.disconnected();
    const limit = plan(20);
    expect(allowed(ledger, limit, 15, midnightMs - 60_000)).toBe(15);
    expect(allowed(ledger, limit, 100, midnightMs + HOUR_MS)).toBe(20); // the clock ran ahead
    expect(allowed(ledger, limit, 100, midnightMs - 30_000)).toBe(5); // and back: no second budget, no lock-out
    expect(allowed(ledger, limit, 100, midnightMs + 1)).toBe(0);
  });

  test('a clock that steps back does not silence the questions', () => {
    const { ledger, questions } = ledgerWithQuestions();
    allowed(ledger, plan(500), 1, NOON_MS);
    allowed(ledger, plan(500), 1, NOON_MS - HOUR_MS);
    expect(questions).toHaveLength(2);
  });

  test('a week and a month go on over midnight', () => {
    for (const period of ['WEEK', 'MONTH'] as const) {
      const { ledger } = ledgerWithQuestions();
      ledger.disconnected();
      expect(allowed(ledger, plan(5, period), 3, midnightMs - 1)).toBe(3);
      expect(allowed(ledger, plan(5, period), 100, midnightMs)).toBe(2);
    }
  });
});

describe('the bound on accounts', () => {
  const quota = { limit: 10, offset: 0, period: 'DAY' } as const;

  test('a further key is denied while all are in use, and served once others are past', () => {
    const { ledger } = ledgerWithQuestions({ accountsMax: 2 });
    const spend = (key: string, nowMs: number) => ledger.spend({ usagePlanId: 'plan', quota }, key, nowMs);
    expect([spend('a', NOON_MS), spend('b', NOON_MS), spend('c', NOON_MS), spend('a', NOON_MS)]).toEqual([
      'ALLOW',
      'ALLOW',
      'DENY',
      'ALLOW',
    ]);
    expect(spend('c', NOON_MS + 24 * HOUR_MS)).toBe('ALLOW');
  });
});

/**
 * A control plane as node_link.proto describes it: it never grants more than the limit over all leases and sums. A lease of
 * an epoch that is gone counts in full until the period ends.
 */
class ControlPlane {
  /** By epoch: the largest total ever granted. Survives restarts only as far as nodes repeat it. */
  private readonly leases = new Map<string, number>();
  constructor(private readonly limit: number) {}

  question(epoch: string, question: QuotaQuestion): QuotaAnswer {
    const own = Math.max(this.leases.get(epoch) ?? 0, question.held);
    const others = [...this.leases].reduce((sum, [name, total]) => (name === epoch ? sum : sum + total), 0);
    const needed = Math.max(own, question.counted);
    const granted = Math.max(own, Math.min(Math.max(needed, question.counted + question.wanted), this.limit - others));
    this.leases.set(epoch, Math.max(granted, question.counted));
    return { ...question, allowedTotal: granted, exhausted: others + granted >= this.limit };
  }
}

test('whatever is lost, repeated or reordered, and however often nodes restart: never more than the limit and one allowance per epoch', () => {
  const step = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ kind: fc.constant('spend' as const), node: fc.nat(2), count: fc.integer({ min: 1, max: 40 }) }),
    },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('deliver' as const), pick: fc.nat(50), repeat: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('lose' as const), pick: fc.nat(50) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), node: fc.nat(2) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3_000) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('step' as const), hours: fc.constantFrom(-1, 1) }) },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), fc.array(step, { maxLength: 200, size: 'max' }), (limit, steps) => {
      // A control plane per day: the clock may cross midnight, and each day has its own budget.
      const days = new Map<string, { control: ControlPlane; spent: number; epochs: Set<string> }>();
      const dayOf = (startDay: string) => {
        let day = days.get(startDay);
        if (day === undefined) days.set(startDay, (day = { control: new ControlPlane(limit), spent: 0, epochs: new Set() }));
        return day;
      };
      type Message =
        | { readonly epoch: string; readonly question: QuotaQuestion }
        | { readonly epoch: string; readonly answer: QuotaAnswer };
      const wire: Message[] = [];
      const nodes = new Map<number, { epoch: string; ledger: QuotaLedger }>();
      let epochs = 0;
      const start = (node: number) => {
        const epoch = `${node}/${epochs++}`;
        const ledger = new QuotaLedger({ requestMore: (question) => wire.push({ epoch, question }) });
        ledger.connected();
        const started = { epoch, ledger };
        nodes.set(node, started);
        return started;
      };
      let nowMs = Date.UTC(2026, 0, 1, 23, 30);
      for (const action of steps) {
        switch (action.kind) {
          case 'spend': {
            const { epoch, ledger } = nodes.get(action.node) ?? start(action.node);
            const day = dayOf(quotaPeriod('DAY', nowMs).startDay);
            day.epochs.add(epoch);
            day.spent += allowed(ledger, plan(limit), action.count, nowMs);
            break;
          }
          case 'deliver': {
            const index = action.pick % Math.max(1, wire.length);
            const message = wire[index];
            if (message === undefined) break;
            if (!action.repeat) wire.splice(index, 1);
            if ('question' in message) {
              wire.push({
                epoch: message.epoch,
                answer: dayOf(message.question.periodStart).control.question(message.epoch, message.question),
              });
            } else for (const node of nodes.values()) if (node.epoch === message.epoch) node.ledger.granted(message.answer);
            break;
          }
          case 'lose':
            wire.splice(action.pick % Math.max(1, wire.length), 1);
            break;
          case 'restart':
            start(action.node);
            break;
          case 'wait':
            nowMs += action.ms;
            break;
          case 'step':
            nowMs += action.hours * HOUR_MS;
            break;
        }
        for (const { spent, epochs: servedBy } of days.values()) {
          expect(spent).toBeLessThanOrEqual(limit + servedBy.size * provisionalAllowance(limit));
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('with a control plane that answers in time, no request within the quota is denied', () => {
  const limit = 5_000;
  const control = new ControlPlane(limit);
  const wire: QuotaQuestion[] = [];
  const ledger = new QuotaLedger({ requestMore: (question) => wire.push(question) });
  ledger.connected();
  let spent = 0;
  for (let i = 0; i < limit + 500; i++) {
    spent += allowed(ledger, plan(limit), 1, NOON_MS + i);
    if (i % 20 === 19) for (const question of wire.splice(0)) ledger.granted(control.question('e', question));
    if (i === limit - 1) expect(spent).toBe(limit);
  }
  expect(spent).toBe(limit);
});

describe('a strict plan', () => {
  const strict = (limit: number, fallback: 'OPEN' | 'CLOSED' = 'CLOSED') => ({
    ...plan(limit),
    limits: { mode: 'STRICT', fallback } as const,
  });
  const spend = (ledger: QuotaLedger, limit = 500) => ledger.spend(strict(limit), 'key', NOON_MS);

  test('lets nothing through that no lease covers, and a request waits for the answer', async () => {
    const { ledger, questions } = ledgerWithQuestions();
    expect([spend(ledger), spend(ledger)]).toEqual(['WAIT', 'WAIT']);
    expect(questions).toHaveLength(1);
    const answered = ledger.whenAnswered('plan', 'key');
    ledger.granted(answer(2));
    await answered;
    expect([spend(ledger), spend(ledger), spend(ledger)]).toEqual(['ALLOW', 'ALLOW', 'WAIT']);
  });

  test('asks again at once when a lease was used up, and not at once when there was none', () => {
    const { ledger, questions } = ledgerWithQuestions();
    spend(ledger);
    ledger.granted(answer(1));
    spend(ledger);
    expect(questions).toHaveLength(2);
    ledger.granted(answer(1));
    expect([spend(ledger), spend(ledger)], 'nobody waits where nothing is coming').toEqual(['DENY', 'DENY']);
    expect(questions).toHaveLength(2);
    expect(ledger.spend(strict(500), 'key', NOON_MS + SECOND_MS)).toBe('WAIT');
  });

  test('nobody waits for what is used up', () => {
    const { ledger } = ledgerWithQuestions();
    spend(ledger);
    ledger.granted(answer(0, true));
    expect(spend(ledger)).toBe('DENY');
  });

  for (const [fallback, verdict] of [
    ['OPEN', 'ALLOW'],
    ['CLOSED', 'DENY'],
  ] as const) {
    test(`takes its fallback (${fallback}) at once, counted, when the node is alone, when the book is lost, and after one wait in vain`, async () => {
      for (const lose of [
        async (ledger: QuotaLedger) => ledger.disconnected(),
        async (ledger: QuotaLedger) => ledger.bookState({ fastAvailable: true, strictAvailable: false }),
        (ledger: QuotaLedger) => ledger.whenAnswered('plan', 'key'),
      ]) {
        const fallbacks: string[] = [];
        const ledger = new QuotaLedger({ requestMore: () => undefined, onFallback: (taken) => fallbacks.push(taken) });
        ledger.connected();
        const asking = () => ledger.spend(strict(500, fallback), 'key', NOON_MS);
        expect(asking()).toBe('WAIT');
        await lose(ledger);
        expect([asking(), asking()]).toEqual([verdict, verdict]);
        expect(fallbacks).toEqual([fallback, fallback]);
        ledger.granted(answer(10));
      }
    });
  }

  test('a lost fast book is none of its business', () => {
    const { ledger } = ledgerWithQuestions();
    ledger.bookState({ fastAvailable: false, strictAvailable: true });
    expect(spend(ledger)).toBe('WAIT');
  });

  test('what it does not use it gives back, and spends none of it any more, whatever late answers say', () => {
    const { ledger, questions } = ledgerWithQuestions();
    spend(ledger);
    ledger.granted(answer(20));
    spend(ledger);
    for (const seconds of [1, 2, 3]) ledger.tick(NOON_MS + seconds * SECOND_MS);
    expect(questions.at(-1)).toMatchObject({ wanted: 0, counted: 1, held: 1, generation: 1 });
    ledger.granted(answer(20));
    expect(spend(ledger), 'asks anew').toBe('WAIT');
    expect(questions.at(-1)).toMatchObject({ generation: 1 });
    ledger.granted({ ...answer(3), generation: 1 });
    expect(spend(ledger)).toBe('ALLOW');
  });

  test('a lease in use is kept', () => {
    const { ledger, questions } = ledgerWithQuestions();
    spend(ledger);
    ledger.granted(answer(20));
    for (let seconds = 1; seconds <= 5; seconds++) {
      ledger.spend(strict(500), 'key', NOON_MS + seconds * SECOND_MS);
      ledger.tick(NOON_MS + seconds * SECOND_MS);
    }
    expect(questions).toHaveLength(1);
  });
});

test('a node that ends says so for every key, and admits nothing more', () => {
  const { ledger, questions } = ledgerWithQuestions();
  allowed(ledger, plan(500), 3, NOON_MS);
  ledger.granted(answer(40));
  ledger.close();
  expect(questions.at(-1)).toMatchObject({ counted: 3, held: 3, final: true });
  expect(allowed(ledger, plan(500), 5, NOON_MS)).toBe(0);
});

test('a fast plan that is closed admits without a book what its lease covers, and no more', () => {
  const closed = { ...plan(500), limits: { mode: 'FAST', fallback: 'CLOSED' } as const };
  const { ledger } = ledgerWithQuestions();
  ledger.spend(closed, 'key', NOON_MS);
  ledger.granted(answer(5));
  ledger.disconnected();
  const verdicts = Array.from({ length: 6 }, () => ledger.spend(closed, 'key', NOON_MS));
  expect(verdicts).toEqual(['ALLOW', 'ALLOW', 'ALLOW', 'ALLOW', 'DENY', 'DENY']);
});

test('a book that is back is told what this epoch holds', () => {
  const { ledger, questions } = ledgerWithQuestions();
  allowed(ledger, plan(500), 1, NOON_MS);
  ledger.granted(answer(40));
  ledger.bookState({ fastAvailable: false, strictAvailable: true });
  questions.length = 0;
  ledger.bookState({ fastAvailable: true, strictAvailable: true });
  expect(questions).toEqual([
    { usagePlanId: 'plan', apiKeyId: 'key', periodStart: '2026-01-01', wanted: 0, counted: 1, held: 40, reported: 0 },
  ]);
});

describe('leases can be had again, and no answer has come yet', () => {
  const open = { ...plan(500), limits: { mode: 'FAST', fallback: 'OPEN' } as const };

  for (const [what, lose, back] of [
    ['a control plane that is back', (ledger: QuotaLedger) => ledger.disconnected(), (ledger: QuotaLedger) => ledger.connected()],
    [
      'a book that is back',
      (ledger: QuotaLedger) => ledger.bookState({ fastAvailable: false, strictAvailable: true }),
      (ledger: QuotaLedger) => ledger.bookState({ fastAvailable: true, strictAvailable: true }),
    ],
  ] as const) {
    test(`${what}: the fallback holds until an answer decides, then the answer does`, () => {
      const { ledger, questions } = ledgerWithQuestions();
      allowed(ledger, open, 1, NOON_MS);
      ledger.granted(answer(20));
      lose(ledger);
      expect(allowed(ledger, open, 100, NOON_MS), 'by the fallback').toBe(100);
      back(ledger);
      expect(allowed(ledger, open, 100, NOON_MS)).toBe(100);
      ledger.granted(answer(20)); // to what it said it holds
      expect(allowed(ledger, open, 100, NOON_MS)).toBe(100);
      expect(questions.at(-1)?.wanted, 'it asks').toBeGreaterThan(0);
      ledger.granted(answer(310));
      expect(allowed(ledger, open, 100, NOON_MS), '9 of the grant and the provisional allowance of 10').toBe(19);
    });
  }

  test('it never counts beyond the limit of the plan, and nothing more when nothing is left', () => {
    for (const [granted, count] of [
      [null, 500],
      [answer(20, true), 101],
    ] as const) {
      const { ledger } = ledgerWithQuestions();
      ledger.disconnected();
      const before = allowed(ledger, open, 101, NOON_MS);
      ledger.connected();
      if (granted !== null) ledger.granted(granted);
      expect(before + allowed(ledger, open, 1_000, NOON_MS)).toBe(count);
    }
  });

  test('a key that the fallback let count nothing beyond its allowance has its allowance, and no more', () => {
    const { ledger } = ledgerWithQuestions();
    ledger.disconnected();
    const before = allowed(ledger, open, 10, NOON_MS);
    ledger.connected();
    expect([before, allowed(ledger, open, 100, NOON_MS)]).toEqual([10, 0]);
  });

  test('a closed plan has what its lease and its allowance cover', () => {
    const closed = { ...plan(500), limits: { mode: 'FAST', fallback: 'CLOSED' } as const };
    const { ledger } = ledgerWithQuestions();
    allowed(ledger, closed, 1, NOON_MS);
    ledger.granted(answer(20));
    ledger.disconnected();
    ledger.connected();
    expect(allowed(ledger, closed, 100, NOON_MS)).toBe(29);
  });
});
