/**
 * Whether an instant that was set at most `lengthMs` ahead is still to come. If it is further away, the clock was stepped back
 * meanwhile, and it counts as over: nobody stays locked out for as long as the step was.
 */
export function isAhead(untilMs: number, nowMs: number, lengthMs: number): boolean {
  return nowMs < untilMs && untilMs - nowMs <= lengthMs;
}
