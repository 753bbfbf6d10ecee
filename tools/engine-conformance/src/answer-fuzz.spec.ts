/**
 * Generated and mutated answers of an upstream. What a caller gets, read by Node's parser, is what the same parser reads from the
 * upstream itself, or our own 502 or 504, or a cut. And it never touches the next caller's answer.
 */
import { RawUpstream } from '@gatehouse/testkit';
import fc from 'fast-check';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { escaped } from './cases.js';
import { readDifferences } from './differences.js';
import { ENGINES } from './engines.js';
import { Gate, HOST } from './gate.js';
import { answers, FUZZ_MS, FUZZ_RUNS, SEED, shortened } from './mutations.js';

const LANES = 6;
/** The upstream ends its connection so long after its answer: nobody has to wait for a body without end. */
const OPEN_MS = 10;
const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood';

const differences = readDifferences('differences.cases.md').filter(({ of }) => of === 'answer');

interface Answer {
  readonly status: number;
  readonly body: string;
  /** `name: value` in lower case names. */
  readonly headers: readonly string[];
  readonly isOurs: boolean;
  /** False: cut, or no answer at all. */
  readonly isWhole: boolean;
}

const NONE: Answer = { status: 0, body: '', headers: [], isOurs: false, isWhole: false };

function ask(port: number, path: string, httpMethod: string): Promise<Answer> {
  return new Promise((resolve) => {
    const call = request({
      port,
      host: '127.0.0.1',
      path,
      method: httpMethod,
      agent: false,
      headers: { Host: HOST },
      insecureHTTPParser: false,
    });
    let hasAnswer = false;
    // Bytes behind a whole answer are an error to Node, but the answer stands.
    call.on('error', () => hasAnswer || resolve(NONE));
    call.on('upgrade', (_response, socket) => {
      socket.destroy();
      resolve(NONE);
    });
    call.on('response', (response) => {
      hasAnswer = true;
      let body = '';
      response.setEncoding('latin1');
      response.on('data', (text: string) => (body += text));
      response.on('error', () => undefined);
      response.on('close', () => {
        const headers: string[] = [];
        for (let i = 0; i < response.rawHeaders.length; i += 2)
          headers.push(`${response.rawHeaders[i]!.toLowerCase()}: ${response.rawHeaders[i + 1]!}`);
        const isOurs = headers.some((header) => header.startsWith('x-amzn-errortype:'));
        resolve({ status: response.statusCode!, body, headers, isOurs, isWhole: response.complete });
      });
    });
    call.end();
  });
}

/** Fields that we write ourselves, and those of the connection. */
const OWN =
  /^(x-amzn-requestid|x-amz-apigw-id|date|connection|keep-alive|content-length|transfer-encoding|content-type|retry-after):/;

/** What is wrong with `got`, where Node reads `meant` from the upstream itself; `null` for nothing. A strict engine takes nothing that Node refuses. */
export function complaint(got: Answer, meant: Answer, isStrict = true): string | null {
  if (got.isOurs) return got.status === 502 || got.status === 504 ? null : `our own answer is ${got.status}`;
  if (!got.isWhole) {
    return meant.isWhole && !meant.body.startsWith(got.body) ? `a cut answer begins with ${JSON.stringify(got.body)}` : null;
  }
  if (!meant.isWhole && !isStrict) return null;
  if (!meant.isWhole) return `an answer that Node refuses came out as ${got.status} ${JSON.stringify(got.body)}`;
  if (got.status !== meant.status || got.body !== meant.body) {
    return `${meant.status} ${JSON.stringify(meant.body)} came out as ${got.status} ${JSON.stringify(got.body)}`;
  }
  const known = new Set(meant.headers);
  const strange = got.headers.filter((header) => !OWN.test(header) && !known.has(header.replace(/^x-amzn-remapped-/, '')));
  return strange.length === 0 ? null : `headers from nowhere: ${strange.join(', ')}`;
}

for (const engine of ENGINES) {
  describe(engine.name, () => {
    let lanes: { readonly gate: Gate; readonly up: RawUpstream; next: string }[] = [];

    beforeAll(async () => {
      lanes = await Promise.all(
        Array.from({ length: LANES }, async () => {
          const up = await RawUpstream.start();
          const gate = await Gate.open(engine, { timeoutMs: 2_000 });
          await gate.proxyTo(up.url);
          const lane = { gate, up, next: '' };
          up.does((call) => {
            call.send(call.target === '/good' ? GOOD : lane.next);
            if (call.target !== '/good') setTimeout(() => call.socket.end(), OPEN_MS);
          });
          return lane;
        }),
      );
    });

    afterAll(async () => {
      for (const { gate, up } of lanes) {
        await gate.close();
        await up.close();
        expect(gate.bugs).toEqual([]);
      }
    });

    async function judge(lane: (typeof lanes)[number], text: string, httpMethod: string): Promise<string | null> {
      lane.next = text;
      const meant = await ask(lane.up.port, '/x', httpMethod);
      const got = await ask(lane.gate.port, '/dev/x', httpMethod);
      const good = await ask(lane.gate.port, '/dev/good', 'GET');
      if (good.body !== 'good' && (engine.isStrict || !good.isOurs))
        return `the next caller got ${good.status} ${JSON.stringify(good.body)}`;
      if (differences.some((known) => known.excuses('node:http', text))) return null;
      return complaint(got, meant, engine.isStrict);
    }

    for (const { where, bytes, isExcused } of engine.isStrict ? differences : []) {
      test(`the difference that is excused is one (${where})`, async () => {
        const [lane] = lanes;
        lane!.next = bytes;
        const meant = await ask(lane!.up.port, '/x', 'GET');
        const got = await ask(lane!.gate.port, '/dev/x', 'GET');
        expect([isExcused, complaint(got, meant) !== null]).toEqual([true, true]);
      });
    }

    test('what a caller gets is what the upstream meant, or nothing of it', { timeout: 120_000 + 2 * FUZZ_MS }, async () => {
      const texts = fc.sample(answers, { seed: SEED, numRuns: FUZZ_RUNS });
      const until = performance.now() + FUZZ_MS;
      const found: string[] = [];
      let next = 0;
      let whole = 0;
      await Promise.all(
        lanes.map(async (lane) => {
          while (next < texts.length && performance.now() < until && found.length === 0) {
            const httpMethod = next % 8 === 7 ? 'HEAD' : 'GET';
            const text = texts[next++]!;
            const isBad = async (shorter: string): Promise<boolean> =>
              (await judge(lane, shorter, httpMethod)) !== null && (await judge(lane, shorter, httpMethod)) !== null;
            if ((await judge(lane, text, httpMethod)) === null) whole++;
            else if (await isBad(text)) {
              const shortest = await shortened(text, isBad);
              found.push(`${httpMethod} ${escaped(shortest)}\n  ${await judge(lane, shortest, httpMethod)}`);
            }
          }
        }),
      );
      expect(found).toEqual([]);
      expect(whole).toBeGreaterThan(50);
      expect(lanes.flatMap(({ up }) => up.unreadable)).toEqual([]);
    });
  });
}

test('the judge sees what is wrong', () => {
  const fine: Answer = { status: 200, body: 'hello', headers: ['x: y'], isOurs: false, isWhole: true };
  expect(complaint(fine, fine)).toBe(null);
  expect(complaint({ ...fine, isOurs: true, status: 504 }, NONE)).toBe(null);
  expect(complaint({ ...fine, body: 'he', isWhole: false }, fine)).toBe(null);
  for (const wrong of [
    { body: 'hell' },
    { status: 201 },
    { headers: ['x: y', 'set-cookie: z'] },
    { isOurs: true },
    { body: 'x', isWhole: false },
  ])
    expect(complaint({ ...fine, ...wrong }, fine), JSON.stringify(wrong)).not.toBe(null);
  expect(complaint(fine, NONE)).not.toBe(null);
});
