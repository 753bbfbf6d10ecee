/**
 * One call to the backend for all who ask the same at once: the first leads, the others wait for what it brings. Nobody waits for somebody of
 * another stage, since keys differ; nobody waits longer than the deadline; and a leader that fails does not fail the others.
 */
import type { Exchange } from '@gatehouse/engine-exchange';
import type { StoredResponse } from './stored-response.js';

/** Look again: what the leader brought is kept, and may be an answer for this caller or not. */
export const LOOK_AGAIN = 0;
/** Ask the backend yourself. */
export const GO_ALONE = 1;
/** The leader's caller is gone: lead in its place. */
export const LEAD = 2;

/** What a wait ended in: an answer, or what to do. */
export type Landing = StoredResponse | typeof LOOK_AGAIN | typeof GO_ALONE | typeof LEAD;
export type Wake = (x: Exchange, landing: Landing, flight: Flight) => void;

/** Of one flight; further callers ask the backend themselves. */
const WAITING_MAX = 4_096;

export class Flight {
  private readonly waiting = new Map<Exchange, Wake>();
  private timer: NodeJS.Timeout | null = null;
  private isOver = false;

  constructor(
    private readonly flights: Map<string, Flight>,
    readonly key: string,
    private readonly deadlineMs: number,
  ) {}

  /** False when it is full. `wake` is called once, never before this has returned; not if the caller leaves: then `left` is. */
  wait(x: Exchange, wake: Wake, left: (x: Exchange) => void): boolean {
    if (this.waiting.size >= WAITING_MAX) return false;
    this.timer ??= setTimeout(() => this.end(GO_ALONE), this.deadlineMs).unref();
    this.waiting.set(x, wake);
    x.onCallerLeft = () => {
      this.waiting.delete(x);
      x.onCallerLeft = null;
      left(x);
    };
    return true;
  }

  /** May be called again, and after `fail`: then nothing happens. */
  land(response: StoredResponse | typeof LOOK_AGAIN): void {
    this.end(response);
  }

  /** With `isLeaderGone` the first who waits leads from here on. */
  fail(isLeaderGone: boolean): void {
    if (this.isOver) return;
    const next = isLeaderGone ? this.waiting.entries().next().value : undefined;
    if (next === undefined) this.end(GO_ALONE);
    else this.tell(next[0], next[1], LEAD);
  }

  private end(landing: Landing): void {
    if (this.isOver) return;
    this.isOver = true;
    if (this.flights.get(this.key) === this) this.flights.delete(this.key);
    if (this.timer !== null) clearTimeout(this.timer);
    for (const [x, wake] of this.waiting) this.tell(x, wake, landing);
  }

  /** In a turn of its own: the leader's answer does not wait until all others are out, and what breaks breaks for one. */
  private tell(x: Exchange, wake: Wake, landing: Landing): void {
    this.waiting.delete(x);
    x.onCallerLeft = null;
    queueMicrotask(() => wake(x, landing, this));
  }
}

export class Flights {
  private readonly byKey = new Map<string, Flight>();

  get size(): number {
    return this.byKey.size;
  }

  get(key: string): Flight | undefined {
    return this.byKey.get(key);
  }

  /** Whoever leads it ends it: `land` or `fail`. */
  open(key: string, deadlineMs: number): Flight {
    const flight = new Flight(this.byKey, key, deadlineMs);
    this.byKey.set(key, flight);
    return flight;
  }
}
