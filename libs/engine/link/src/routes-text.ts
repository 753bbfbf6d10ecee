/**
 * Where the routes lie in a snapshot's text, so that those that stayed as they were are neither parsed nor checked again.
 *
 *   {"apiId":...,"routes":[{...},{...},{...}],"stage":...}
 *    `--- head --'         `0'   `1'   `2'   `-- head --'
 *
 * Where to cut is a guess that canonical JSON makes good. That it was right is shown by what is cut out: the head with a mark in the
 * place of the routes is JSON and has the mark as its routes, and each route by itself is JSON. Then the whole is JSON with that value.
 */
import { randomUUID } from 'node:crypto';
import type { RouteSnapshot } from '@gatehouse/contracts';
import type { Turns } from './turns.js';

const BEFORE_ROUTES = Buffer.from('"routes":[');
const BEHIND_ROUTES = Buffer.from('],"stage":');
const BETWEEN_ROUTES = Buffer.from(',{"apiKeyRequired":');
/** Stands where the routes were; no snapshot has it, because nobody knows it. */
const MARK = randomUUID();

/** Routes as text: `bytes` from `starts[i]` to the comma before `starts[i + 1]`. Of one that was given back, `bytes` has none. */
export interface RoutesText {
  /** The snapshot that the text is part of. */
  readonly content: Uint8Array;
  readonly bytes: Buffer;
  /** One more than there are routes. */
  readonly starts: readonly number[];
}

export interface SplitSnapshot {
  /** All members but the routes. */
  readonly head: Record<string, unknown>;
  readonly routes: RoutesText;
}

/** `null` when the text is none that can be cut like this; it may be a good snapshot all the same. */
export function splitSnapshot(content: Uint8Array): SplitSnapshot | null {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const start = bytes.lastIndexOf(BEFORE_ROUTES) + BEFORE_ROUTES.length;
  const end = bytes.lastIndexOf(BEHIND_ROUTES);
  if (start < BEFORE_ROUTES.length || end <= start) return null;
  const head = parsed(`${bytes.toString('utf8', 0, start - 1)}"${MARK}"${bytes.toString('utf8', end + 1)}`);
  if (typeof head !== 'object' || head === null || (head as Record<string, unknown>).routes !== MARK) return null;
  return { head: head as Record<string, unknown>, routes: { content, bytes: bytes.subarray(start, end), starts: [] } };
}

export interface ReadRoutes {
  readonly text: RoutesText;
  readonly routes: readonly RouteSnapshot[];
}

/**
 * What stands in both texts at the beginning or at the end are the routes of `latest`, the same objects. `check` gets the others. `null`: the
 * text cannot be cut like this.
 */
export async function readRoutes(
  { content, bytes }: RoutesText,
  latest: ReadRoutes | null,
  check: (route: unknown, index: number) => void,
  turns: Turns,
): Promise<ReadRoutes | null> {
  const former = latest === null || latest.text.bytes.length === 0 ? null : latest;
  if (former !== null && former.text.bytes.equals(bytes)) return former;
  const text = { content, bytes, starts: startsIn(bytes) };
  const count = text.starts.length - 1;
  const [before, behind] = former === null ? [0, 0] : sharedRoutes(former.text, text);
  const routes: RouteSnapshot[] = former === null ? [] : former.routes.slice(0, before);
  for (let index = before; index < count - behind; index++) {
    if (turns.isOverSoon) await turns.next();
    const route = parsed(bytes.toString('utf8', text.starts[index]!, text.starts[index + 1]! - 1));
    if (route === undefined) return null;
    check(route, index);
    routes.push(route as RouteSnapshot);
  }
  if (behind > 0) for (const route of former!.routes.slice(-behind)) routes.push(route);
  return { text, routes };
}

function startsIn(bytes: Buffer): number[] {
  const starts = [0];
  for (let at = bytes.indexOf(BETWEEN_ROUTES); at !== -1; at = bytes.indexOf(BETWEEN_ROUTES, at + 1)) starts.push(at + 1);
  starts.push(bytes.length + 1);
  return starts;
}

/** How many routes are the same from the first one on, and how many of the rest up to the last one. */
function sharedRoutes(former: RoutesText, text: RoutesText): [before: number, behind: number] {
  const most = Math.min(former.starts.length, text.starts.length) - 1;
  let before = 0;
  while (before < most && isSame(former, before, text, before)) before++;
  let behind = 0;
  const last = text.starts.length - 2;
  const formerLast = former.starts.length - 2;
  while (before + behind < most && isSame(former, formerLast - behind, text, last - behind)) behind++;
  return [before, behind];
}

function isSame(former: RoutesText, formerIndex: number, text: RoutesText, index: number): boolean {
  const formerStart = former.starts[formerIndex]!;
  const formerEnd = former.starts[formerIndex + 1]! - 1;
  const start = text.starts[index]!;
  const end = text.starts[index + 1]! - 1;
  return end - start === formerEnd - formerStart && former.bytes.compare(text.bytes, start, end, formerStart, formerEnd) === 0;
}

/**
 * At once, not when it is collected: V8 weighs bytes outside its heap like those in it, and a stage that is deployed again and again would have
 * it collect everything for the sake of texts that nobody reads.
 */
export function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** `undefined`, which no text means, for what is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
