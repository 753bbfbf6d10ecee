import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Breaker, CLOSED, HALF_OPEN, OPEN } from './breaker.js';
import { upstreamSettings } from './index.js';

const settings = upstreamSettings({
  breaker: { windowMs: 1_000, volumeMin: 4, failureShare: 0.5, openMs: 500, probeTimeoutMs: 2_000 },
}).breaker!;
const START_MS = 1_000_000;
const NAMES = ['CLOSED', 'OPEN', 'HALF_OPEN'];

/**
 * One letter per event, at the same instant unless time passes: `s`uccess and `f`ailure are a call that is admitted and reports at
 * once, `p` is admitted and stays out, `S` `F` `A` report of what stays out (success, failure, abandoned), longest out first;
 * `x` must be refused; a number lets milliseconds pass.
 */
function play(script: string): string {
  const breaker = new Breaker(settings);
  const out: number[] = [];
  let nowMs = START_MS;
  const admit = (): number => {
    expect(breaker.refuses(nowMs), `refused in "${script}"`).toBe(false);
    breaker.admit(nowMs);
    return breaker.epoch;
  };
  for (const event of script.match(/-?\d+|[a-zA-Z]/g) ?? []) {
    if (event === 's') breaker.succeeded(admit(), nowMs);
    else if (event === 'f') breaker.failed(admit(), nowMs);
    else if (event === 'p') out.push(admit());
    else if (event === 'S') breaker.succeeded(out.shift()!, nowMs);
    else if (event === 'F') breaker.failed(out.shift()!, nowMs);
    else if (event === 'A') breaker.abandoned(out.shift()!);
    else if (event === 'x') expect(breaker.refuses(nowMs), `let through in "${script}"`).toBe(true);
    else nowMs += Number(event);
  }
  return NAMES[breaker.state]!;
}

describe('the breaker', () => {
  for (const [name, script, expected] of [
    ['starts closed', '', 'CLOSED'],
    ['concludes nothing from too few calls', 'fff', 'CLOSED'],
    ['opens when enough calls failed', 'ffff x', 'OPEN'],
    ['opens at exactly its share', 'ssff x', 'OPEN'],
    ['stays closed below its share', 'sssff', 'CLOSED'],
    ['forgets failures that left the window', 'ff 1100 ff', 'CLOSED'],
    ['remembers failures within the window', 'ff 800 ff', 'OPEN'],
    ['refuses until its time is over', 'ffff 499 x', 'OPEN'],
    ['lets one probe through then, and no second', 'ffff 500 p x', 'HALF_OPEN'],
    ['closes when the probe succeeds', 'ffff 500 p S', 'CLOSED'],
    ['opens for its whole time again when the probe fails', 'ffff 500 p F 499 x', 'OPEN'],
    ['lets the next probe through after that', 'ffff 500 p F 500 p x', 'HALF_OPEN'],
    ['has forgotten the old failures once closed', 'ffff 500 s fff', 'CLOSED'],
    ['gives the place of an abandoned probe to the next call', 'ffff 500 p A p x S', 'CLOSED'],
    ['gives up a probe that never reports', 'ffff 500 p 1999 x 1 p x', 'HALF_OPEN'],
    ['ignores the late report of a probe it gave up', 'ffff 500 p 2000 p F x', 'HALF_OPEN'],
    ['ignores late failures from before it opened', 'p ffff 500 p F x S', 'CLOSED'],
    ['ignores late successes from before it opened', 'p ffff S x', 'OPEN'],
    ['ignores late failures after it closed', 'pppp ffff 500 s FFFF', 'CLOSED'],
    ['is not locked by a clock that steps back', 'ffff -3600000 p x', 'HALF_OPEN'],
    ['does not count twice what a clock steps back over', 'fff -3600000 f', 'CLOSED'],
  ] as const) {
    test(name, () => expect(play(script)).toBe(expected));
  }

  test('says when another attempt makes sense', () => {
    const breaker = new Breaker(settings);
    expect(breaker.retryAfterMs(START_MS)).toBe(0);
    for (let i = 0; i < 4; i++) breaker.failed(breaker.epoch, START_MS);
    expect(breaker.retryAfterMs(START_MS + 0.5)).toBe(500);
    expect(breaker.retryAfterMs(START_MS + 200)).toBe(300);
    breaker.admit(START_MS + 500);
    expect(breaker.retryAfterMs(START_MS + 500)).toBe(1_000);
  });
});

/** The same rules from a full record of what happened. */
class RecordedBreaker {
  state: number = CLOSED;
  private readonly ended: { slice: number; failed: boolean }[] = [];
  private openedAtMs = 0;
  private probe: { id: number; sinceMs: number } | null = null;
  /** Calls whose report would count. */
  private live = new Set<number>();

  tryAdmit(id: number, nowMs: number): boolean {
    if (this.state === OPEN && nowMs < this.openedAtMs + settings.openMs) return false;
    if (this.state === HALF_OPEN && this.probe !== null && nowMs < this.probe.sinceMs + settings.probeTimeoutMs) return false;
    if (this.state !== CLOSED) {
      this.state = HALF_OPEN;
      this.probe = { id, sinceMs: nowMs };
      this.live.clear();
    }
    this.live.add(id);
    return true;
  }

  report(id: number, outcome: 'succeeded' | 'failed' | 'abandoned', nowMs: number): void {
    if (!this.live.delete(id)) return;
    if (this.state === HALF_OPEN) {
      this.probe = null;
      if (outcome !== 'abandoned') this.enter(outcome === 'failed' ? OPEN : CLOSED, nowMs);
    } else if (outcome !== 'abandoned') {
      const slice = Math.floor(nowMs / (settings.windowMs / 10));
      this.ended.push({ slice, failed: outcome === 'failed' });
      const recent = this.ended.filter((call) => call.slice > slice - 10);
      const failures = recent.filter((call) => call.failed).length;
      const isBad = recent.length >= settings.volumeMin && failures >= recent.length * settings.failureShare;
      if (outcome === 'failed' && isBad) this.enter(OPEN, nowMs);
    }
  }

  private enter(state: number, nowMs: number): void {
    this.state = state;
    this.openedAtMs = nowMs;
    this.live.clear();
    this.ended.length = 0;
  }
}

test('whatever the order of calls and reports: the states of the naive breaker, and one probe at a time', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('call' as const) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('report' as const),
        which: fc.nat(50),
        outcome: fc.constantFrom('succeeded' as const, 'failed' as const, 'failed' as const, 'abandoned' as const),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(700) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1_900, max: 2_100 }) }) },
  );
  const seen = new Set<number>();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => {
      const breaker = new Breaker(settings);
      const naive = new RecordedBreaker();
      const out: { id: number; epoch: number }[] = [];
      let nowMs = START_MS;
      let nextId = 0;
      for (const step of steps) {
        if (step.kind === 'wait') nowMs += step.ms;
        else if (step.kind === 'call') {
          const admitted = !breaker.refuses(nowMs);
          const id = nextId++;
          expect(admitted).toBe(naive.tryAdmit(id, nowMs));
          if (!admitted) continue;
          breaker.admit(nowMs);
          out.push({ id, epoch: breaker.epoch });
          if (breaker.state === HALF_OPEN) expect(breaker.refuses(nowMs), 'a second probe').toBe(true);
        } else if (out.length > 0) {
          const [call] = out.splice(step.which % out.length, 1);
          if (step.outcome === 'abandoned') breaker.abandoned(call!.epoch);
          else breaker[step.outcome](call!.epoch, nowMs);
          naive.report(call!.id, step.outcome, nowMs);
        }
        expect(breaker.state).toBe(naive.state);
        seen.add(breaker.state);
      }
      // Recovery: whatever happened, an upstream that works again is called again.
      nowMs += settings.openMs + settings.probeTimeoutMs;
      expect(breaker.refuses(nowMs)).toBe(false);
      breaker.admit(nowMs);
      breaker.succeeded(breaker.epoch, nowMs);
      expect(breaker.state).toBe(CLOSED);
    }),
    { numRuns: 300, seed: 36 },
  );
  expect([...seen].sort()).toEqual([CLOSED, OPEN, HALF_OPEN]);
});
