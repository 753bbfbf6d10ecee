/**
 * Generated and mutated requests to every engine, to nginx and to node:http. What an engine forwards, the others must have read as the
 * same message: then it is the stricter one. differences.cases.md says where that is not so, and why.
 */
import { RawUpstream, ScriptedUpstream, type RawUpstreamCall } from '@gatehouse/testkit';
import fc from 'fast-check';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { escaped } from './cases.js';
import { readDifferences } from './differences.js';
import { ENGINES } from './engines.js';
import { Gate } from './gate.js';
import { FUZZ_MS, FUZZ_RUNS, requests, SEED, shortened } from './mutations.js';
import { Nginx } from './nginx.js';
import { beyond, originForm, Reader, sendAndWait, textOf, type Message } from './opinions.js';

const LANES = 6;
const QUIET_MS = 15;
/** For those that looked bad: a reader that was only slow. */
const PATIENT_MS = 250;
/** Before anything is said to be wrong: the whole machine may be slow. */
const VERY_PATIENT_MS = 1_500;

interface Lane {
  readonly ours: readonly Reader[];
  readonly others: readonly Reader[];
}

let nginx: Nginx | null = null;
let lanes: Lane[] = [];
const differences = readDifferences('differences.cases.md').filter(({ of }) => of === 'request');

beforeAll(async () => {
  const ups = await Promise.all(Array.from({ length: LANES }, () => ScriptedUpstream.start()));
  nginx = await Nginx.start(ups.map(({ port }) => port));
  const fronts = nginx === null ? [] : Reader.behindNginx(ups, nginx);
  if (nginx === null) await Promise.all(ups.map((up) => up.close()));
  lanes = await Promise.all(
    Array.from({ length: LANES }, async (_, i) => ({
      ours: await Promise.all(ENGINES.map((engine) => Reader.engine(engine))),
      others: [await Reader.node(), ...fronts.slice(i, i + 1)],
    })),
  );
  console.info(
    `compared with node:http of ${process.version}${nginx === null ? ' (no nginx here)' : ` and nginx ${nginx.version}`}, seed ${SEED}`,
  );
});

afterAll(async () => {
  for (const { ours, others } of lanes) for (const reader of [...ours, ...others]) await reader.close();
  await nginx?.close();
});

/** Sentences about what is wrong with how the bytes were read. */
async function complaints({ ours, others }: Lane, text: string, quietMs: number): Promise<string[]> {
  const bytes = Buffer.from(text, 'latin1');
  const read = async (readers: readonly Reader[]): Promise<(readonly [Reader, readonly Message[]])[]> =>
    Promise.all(readers.map(async (reader) => [reader, await reader.read(bytes, quietMs)] as const));
  const [mine, theirs] = await Promise.all([read(ours), read(others)]);
  const found: string[] = [];
  for (const [reader, messages] of mine) {
    if (reader.unreadable.length > 0) found.push(`${reader.name} forwarded what is no request: ${reader.unreadable.join(', ')}`);
    for (const [other, otherMessages] of theirs) {
      if (other.isStrict && !reader.isStrict) continue;
      const extra = beyond(messages, otherMessages);
      if (extra.length === 0 || differences.some((known) => known.excuses(other.name, text))) continue;
      found.push(
        `${reader.name} forwarded ${extra.map(textOf).join(' + ')}, ${other.name} read ${otherMessages.map(textOf).join(' + ') || 'nothing'}`,
      );
    }
  }
  return found;
}

async function check(lane: Lane, text: string): Promise<void> {
  if ((await complaints(lane, text, QUIET_MS)).length === 0) return;
  const isBad = async (shorter: string): Promise<boolean> => (await complaints(lane, shorter, PATIENT_MS)).length > 0;
  if (!(await isBad(text)) || (await complaints(lane, text, VERY_PATIENT_MS)).length === 0) return;
  const shortest = await shortened(text, isBad, 60);
  const [complaint = 'not every time'] = await complaints(lane, shortest, PATIENT_MS);
  throw new Error(`${escaped(shortest)}\n  ${complaint}`);
}

/** All lanes work through the inputs until the time is up; how many there were. */
async function inLanes(count: number, work: (lane: Lane, text: string) => Promise<void>): Promise<number> {
  const texts = fc.sample(requests, { seed: SEED, numRuns: count });
  const until = performance.now() + FUZZ_MS;
  let next = 0;
  const failures: Error[] = [];
  await Promise.all(
    lanes.map(async (lane) => {
      while (next < texts.length && performance.now() < until && failures.length === 0) {
        await work(lane, texts[next++]!).catch((cause: Error) => failures.push(cause));
      }
    }),
  );
  if (failures.length > 0) throw failures[0]!;
  return next;
}

test('what an engine forwards, the others read as the same message', { timeout: 120_000 + 2 * FUZZ_MS }, async () => {
  const count = await inLanes(FUZZ_RUNS, check);
  console.info(`${count} inputs`);
  expect(count).toBeGreaterThan(50);
});

test('every difference that is excused is one', { timeout: 60_000 + FUZZ_MS }, async () => {
  for (const { where, peer, bytes, isExcused } of differences) {
    const [lane] = lanes;
    if (!ENGINES.some(({ isStrict }) => isStrict)) return; // the others are compared with node:http only
    const other = lane!.others.find(({ name }) => name.startsWith(peer));
    if (other === undefined) continue; // no nginx here
    expect(isExcused, `${where}: the expression does not fit the bytes`).toBe(true);
    const theirs = await other.read(Buffer.from(bytes, 'latin1'), PATIENT_MS);
    const forwarded = await Promise.all(lane!.ours.map((reader) => reader.read(Buffer.from(bytes, 'latin1'), PATIENT_MS)));
    expect(
      forwarded.some((messages) => beyond(messages, theirs).length > 0),
      `${where}: no engine differs from ${peer} any more`,
    ).toBe(true);
  }
});

for (const engine of ENGINES) {
  test(
    `what ${engine.name} forwards, byte for byte, is one message to every other reader`,
    { timeout: 60_000 + FUZZ_MS },
    async () => {
      const up = await RawUpstream.start(async (call) => {
        const body = await call.body.catch(() => null);
        if (body !== null) call.socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
      });
      const gate = await Gate.open(engine);
      await gate.proxyTo(`${up.url}/dev`);
      const until = performance.now() + FUZZ_MS / 2;
      let forwarded = 0;
      for (const text of fc.sample(requests, { seed: SEED + 1, numRuns: FUZZ_RUNS })) {
        if (performance.now() > until) break;
        const before = up.calls.length;
        await sendAndWait(connect(gate.port, '127.0.0.1'), Buffer.from(text, 'latin1'), QUIET_MS);
        for (const call of up.calls.slice(before)) {
          await forwardedMeans(call, up.received[call.connection - 1]!, text);
          forwarded++;
        }
        expect(up.unreadable, escaped(text)).toEqual([]);
        expect(new Set(up.calls.map(({ connection }) => connection)).size, 'one message per connection').toBe(up.calls.length);
      }
      expect(forwarded).toBeGreaterThan(10);
      await gate.close();
      await up.close();
    },
  );
}

/** Each message came over a connection of its own, so `bytes` are all of it. */
async function forwardedMeans(call: RawUpstreamCall, bytes: string, text: string): Promise<void> {
  const body = await call.body.catch(() => null);
  const expected = body === null ? [] : [textOf({ ...call, body, rawHeaders: [], target: originForm(call.target) })];
  for (const other of lanes[0]!.others) {
    let read: readonly Message[] = [];
    for (const quietMs of [QUIET_MS, PATIENT_MS, VERY_PATIENT_MS]) {
      if (quietMs > QUIET_MS && read.length === expected.length) break;
      read = await other.read(Buffer.from(bytes, 'latin1'), quietMs);
    }
    expect(read.map(textOf), `${escaped(text)} became ${escaped(bytes)}, as ${other.name} reads it`).toEqual(expected);
  }
}
