import { Secret } from '@gatehouse/kernel';
import type { Page, PageRequest } from '../store.js';

/** The text of a composite key; parts cannot run into each other. */
export function keyText(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}

/** A table as one transaction sees it: copied at its first write, handed back at the commit. */
export class Rows<E> {
  #rows: Map<string, E>;
  #isCopy = false;
  #isOver = false;

  constructor(committed: Map<string, E>) {
    this.#rows = committed;
  }

  get(key: string): E | null {
    this.#assertOpen();
    return this.#rows.get(key) ?? null;
  }

  where(matches: (row: E) => boolean): E[] {
    this.#assertOpen();
    return [...this.#rows.values()].filter(matches);
  }

  set(key: string, row: E): void {
    this.#writable().set(key, row);
  }

  delete(key: string): boolean {
    return this.#rows.has(key) && this.#writable().delete(key);
  }

  deleteWhere(matches: (row: E) => boolean): void {
    for (const [key, row] of [...this.#rows]) if (matches(row)) this.delete(key);
  }

  /** Ends the transaction's access; what is returned becomes the committed table. */
  finish(): Map<string, E> {
    this.#isOver = true;
    return this.#rows;
  }

  #writable(): Map<string, E> {
    this.#assertOpen();
    if (!this.#isCopy) this.#rows = new Map(this.#rows);
    this.#isCopy = true;
    return this.#rows;
  }

  #assertOpen(): void {
    if (this.#isOver) throw new Error('a repository was used after its transaction ended; is an await missing?');
  }
}

/** A deep copy, so that nobody shares an object with the store. Secrets are immutable and stay; `undefined` members go. */
export function copyOf<T>(value: T): T {
  if (value === null || typeof value !== 'object' || value instanceof Secret) return value;
  if (Array.isArray(value)) return value.map(copyOf) as T;
  const copy: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) if (member !== undefined) copy[name] = copyOf(member);
  return copy as T;
}

export type Order = 'ascending' | 'descending';

export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

export function sortedBy<E>(rows: readonly E[], position: (row: E) => string, order: Order = 'ascending'): E[] {
  const sign = order === 'ascending' ? 1 : -1;
  return rows.toSorted((left, right) => sign * compareText(position(left), position(right)));
}

/** Position in lists ordered by age; the id decides between equals. */
export function ageText(createdAtMs: number, id: string): string {
  return `${String(createdAtMs).padStart(15, '0')}.${id}`;
}

export function pageOf<E>(rows: readonly E[], position: (row: E) => string, order: Order, request: PageRequest): Page<E> {
  const { after, limit } = request;
  const isAfter = (row: E) => after === null || (order === 'ascending' ? position(row) > after : position(row) < after);
  const rest = sortedBy(rows, position, order).filter(isAfter);
  const items = rest.slice(0, limit);
  return { items: items.map(copyOf), next: rest.length > limit ? position(items[limit - 1]!) : null };
}
