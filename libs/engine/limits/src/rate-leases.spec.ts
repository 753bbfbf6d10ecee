import { RATE_SHARE_MS, strictRateLease } from '@gatehouse/contracts';
import { describe, expect, test } from 'vitest';
import { RateLeases, type RateQuestion } from './rate-leases.js';

const FAST = { mode: 'FAST', fallback: 'OPEN' } as const;
const CLOSED = { mode: 'FAST', fallback: 'CLOSED' } as const;
const STRICT = { mode: 'STRICT', fallback: 'CLOSED' } as const;
const settings = { ratePerSecond: 10, burst: 20 };
const NOW = 1_000_000;

function setUp() {
  const questions: RateQuestion[] = [];
  const fallbacks: string[] = [];
  const rates = new RateLeases({ request: (asked) => questions.push(...asked), onFallback: (taken) => fallbacks.push(taken) });
  rates.connected();
  const answer = (fields: { share?: number; tokens?: number }, nowMs = NOW) =>
    rates.granted([{ bucket: 'b', question: questions.at(-1)!.question, share: 0, tokens: 0, ...fields }], nowMs);
  const allowed = (attempts: number, nowMs: number, limits: typeof FAST | typeof CLOSED | typeof STRICT = FAST) => {
    let count = 0;
    for (let i = 0; i < attempts; i++) if (rates.tryTake('b', settings, limits, nowMs) === 'ALLOW') count++;
    return count;
  };
  return { rates, questions, fallbacks, answer, allowed };
}

describe('a fast throttle', () => {
  test('begins with the whole rate and asks for a share with its first request', () => {
    const { questions, allowed } = setUp();
    expect(allowed(100, NOW)).toBe(20);
    expect(questions).toHaveLength(1);
    expect(questions[0]).toMatchObject({ bucket: 'b', ratePerSecond: 10, burst: 20, strict: false });
  });

  test('a share takes its part of rate and burst, and a larger one brings no tokens', () => {
    const { answer, allowed, rates } = setUp();
    allowed(1, NOW);
    answer({ share: 0.5 });
    expect(allowed(100, NOW)).toBe(10);
    expect(allowed(100, NOW + 1_000), 'half of the rate').toBe(5);
    rates.tick(NOW + 1_000);
    answer({ share: 1 }, NOW + 1_000);
    expect(allowed(100, NOW + 1_000)).toBe(0);
    expect(allowed(100, NOW + 2_000)).toBe(10);
  });

  test('shares are renewed every second while there is demand, which is told per second', () => {
    const { rates, questions, answer, allowed } = setUp();
    allowed(1, NOW);
    answer({ share: 1 });
    allowed(30, NOW + 500);
    rates.tick(NOW + 1_000);
    expect(questions.at(-1)!.demandedPerSecond).toBe(30);
    rates.tick(NOW + 2_000);
    expect(questions, 'no demand, no question').toHaveLength(2);
  });

  test('an answer to an older question, or one that comes twice, changes nothing', () => {
    const { rates, questions, answer, allowed } = setUp();
    allowed(1, NOW);
    const first = questions[0]!.question;
    answer({ share: 0.5 });
    allowed(1, NOW);
    rates.tick(NOW + 1_000);
    rates.granted([{ bucket: 'b', question: first, share: 1, tokens: 0 }], NOW + 1_000);
    expect(allowed(100, NOW + 1_000)).toBe(10);
  });

  test('open without a book: the whole rate on this node, at once, and counted', () => {
    for (const lose of [
      (rates: RateLeases) => rates.disconnected(),
      (rates: RateLeases) => rates.bookState({ fastAvailable: false, strictAvailable: true }),
    ]) {
      const { rates, fallbacks, answer, allowed } = setUp();
      allowed(20, NOW);
      answer({ share: 0.5 });
      lose(rates);
      expect(allowed(100, NOW + 1_000)).toBe(5); // what flowed in at the old share
      expect(allowed(100, NOW + 2_000)).toBe(10);
      expect(fallbacks.every((taken) => taken === 'OPEN')).toBe(true);
      expect(fallbacks).toHaveLength(200);
    }
  });

  test('closed without a book: the share while it holds, then nothing, at once, and counted', () => {
    const { rates, fallbacks, answer, allowed } = setUp();
    allowed(1, NOW, CLOSED);
    answer({ share: 0.5 });
    rates.disconnected();
    expect(allowed(100, NOW, CLOSED)).toBe(10);
    expect(fallbacks).toEqual([]);
    expect(allowed(3, NOW + RATE_SHARE_MS, CLOSED)).toBe(0);
    expect(fallbacks).toEqual(['CLOSED', 'CLOSED', 'CLOSED']);
  });
});

describe('a strict throttle', () => {
  test('admits leased tokens alone, and a request without one waits for the answer', async () => {
    const { rates, questions, answer, allowed } = setUp();
    expect(rates.tryTake('b', settings, STRICT, NOW)).toBe('WAIT');
    const answered = rates.whenAnswered('b');
    answer({ tokens: 3 });
    await answered;
    expect(allowed(10, NOW, STRICT)).toBe(3);
    expect(questions[0]).toMatchObject({ strict: true, ratePerSecond: 10, burst: 20 });
  });

  test('a token dies at its time, counted from the question', () => {
    const { answer, allowed } = setUp();
    allowed(1, NOW, STRICT);
    answer({ tokens: 3 }, NOW + 100);
    const { lifeMs } = strictRateLease(settings);
    expect(allowed(1, NOW + lifeMs - 1, STRICT)).toBe(1);
    expect(allowed(5, NOW + lifeMs, STRICT)).toBe(0);
  });

  test('a doubled answer gives nothing twice', () => {
    const { answer, allowed } = setUp();
    allowed(1, NOW, STRICT);
    answer({ tokens: 3 });
    answer({ tokens: 3 });
    expect(allowed(10, NOW, STRICT)).toBe(3);
  });

  test('nobody waits where no token is coming', () => {
    const { rates, answer } = setUp();
    rates.tryTake('b', settings, STRICT, NOW);
    answer({ tokens: 0 });
    expect(rates.tryTake('b', settings, STRICT, NOW + 1)).toBe('DENY');
    expect(rates.tryTake('b', settings, STRICT, NOW + 50)).toBe('WAIT');
  });

  test('takes its fallback at once without a book, and after one wait in vain', async () => {
    const { rates, fallbacks } = setUp();
    expect(rates.tryTake('b', settings, STRICT, NOW)).toBe('WAIT');
    await rates.whenAnswered('b');
    expect(rates.tryTake('b', settings, STRICT, NOW + 250)).toBe('DENY');
    rates.bookState({ fastAvailable: true, strictAvailable: false });
    expect(rates.tryTake('c', settings, STRICT, NOW)).toBe('DENY');
    expect(rates.tryTake('c', settings, { mode: 'STRICT', fallback: 'OPEN' }, NOW)).toBe('ALLOW');
    expect(fallbacks).toEqual(['CLOSED', 'CLOSED', 'OPEN']);
  });
});

test('no limit asks nobody', () => {
  const { rates, questions } = setUp();
  expect(rates.tryTake('b', { ratePerSecond: -1, burst: 5 }, STRICT, NOW)).toBe('ALLOW');
  expect(questions).toEqual([]);
});

test('beyond the bound the oldest bucket goes', () => {
  const questions: RateQuestion[] = [];
  const rates = new RateLeases({ request: (asked) => questions.push(...asked), bucketsMax: 2 });
  rates.connected();
  for (const bucket of ['a', 'b', 'c', 'a']) rates.tryTake(bucket, settings, FAST, NOW);
  expect(questions.map(({ bucket }) => bucket)).toEqual(['a', 'b', 'c', 'a']);
});

describe('one of several processes of a node', () => {
  const OPEN = { mode: 'STRICT', fallback: 'OPEN' } as const;
  for (const limits of [FAST, OPEN])
    test(`${limits.mode}, open without a book: an even part until the node says which it has, and nothing of that later`, () => {
      const questions: RateQuestion[] = [];
      const rates = new RateLeases({ request: (asked) => questions.push(...asked), processCount: 4 });
      const take = (attempts: number, nowMs: number) => {
        let count = 0;
        for (let i = 0; i < attempts; i++) if (rates.tryTake('b', settings, limits, nowMs) === 'ALLOW') count++;
        return count;
      };
      expect(take(100, NOW)).toBe(5);
      expect(questions).toMatchObject([{ alone: true, strict: false }]);
      const [{ bucket, question }] = questions as [RateQuestion];
      rates.granted([{ bucket, question, share: 1, tokens: 0 }], NOW);
      expect(take(100, NOW + 1_000), 'the whole rate, and no tokens that were not there').toBe(10);
      rates.tick(NOW + 1_000);
      expect(questions.at(-1)).toMatchObject({ alone: true, demandedPerSecond: 200 - 1 });
      rates.connected();
      take(1, NOW + 1_500);
      expect(questions.at(-1)!.alone).toBeUndefined();
    });

  test('closed: it asks nobody for a part, and has what it holds until that lapses', () => {
    const questions: RateQuestion[] = [];
    const rates = new RateLeases({ request: (asked) => questions.push(...asked), processCount: 4 });
    rates.connected();
    rates.tryTake('b', settings, CLOSED, NOW);
    rates.granted([{ bucket: 'b', question: questions[0]!.question, share: 0.5, tokens: 0 }], NOW);
    rates.disconnected();
    expect(rates.tryTake('b', settings, CLOSED, NOW + RATE_SHARE_MS - 1)).toBe('ALLOW');
    expect(rates.tryTake('b', settings, CLOSED, NOW + RATE_SHARE_MS)).toBe('DENY');
    rates.tick(NOW + RATE_SHARE_MS);
    expect(questions).toHaveLength(1);
  });
});
