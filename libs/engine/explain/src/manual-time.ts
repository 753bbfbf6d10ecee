import type { Clock } from '@gatehouse/kernel';

/** Says the time it was told: of what happened earlier. */
export class ManualTime implements Clock {
  constructor(public ms: number) {}

  nowMs(): number {
    return this.ms;
  }
}
