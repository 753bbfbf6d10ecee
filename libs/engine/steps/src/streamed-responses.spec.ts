import { CONTINUE, Exchange, readAll, type Verdict } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { PassThrough, Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { endWhenIdle, IdleStream } from './end-when-idle.js';
import { mapStreamedProxyResponse, mapStreamedResponse } from './index.js';

const ZEROS = '\0'.repeat(8);

async function answered(body: Readable | Buffer): Promise<{ x: Exchange; verdict: Verdict }> {
  const x = new Exchange();
  x.traceId = 'Root=1-2-3';
  x.upstreamAnswer = { status: 200, headers: [], body };
  return { x, verdict: (await mapStreamedResponse(10_000)(x)) as Verdict };
}

async function outcome(bytes: Buffer, cut: readonly number[]): Promise<unknown[]> {
  const pieces = [0, ...cut].map((from, i) => bytes.subarray(from, cut[i] ?? bytes.length)).filter(({ length }) => length > 0);
  const { x, verdict } = await answered(Readable.from(pieces, { objectMode: false }));
  if (verdict !== CONTINUE) return [x.fault!.name];
  return [x.status, x.responseHeaders, (await readAll(x.responseBody as Readable, 1e6)).toString('latin1')];
}

const REPLY = { statusCode: 201, headers: { 'X-A': 'b' }, multiValueHeaders: { 'X-M': ['1', '2'] }, cookies: ['a=1', 'b=2'] };

test('metadata become status and headers, and what follows eight zero bytes the body, however the bytes are cut', async () => {
  const bytes = Buffer.from(`${JSON.stringify(REPLY)}${ZEROS}a body with ${ZEROS} in it`);
  const headers = ['X-M', '1', 'X-M', '2', 'X-A', 'b', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'];
  const expected = [201, [...headers, 'Content-Type', 'application/json', 'X-Amzn-Trace-Id', 'Root=1-2-3'], `a body with ${ZEROS} in it`]; // prettier-ignore
  expect(await outcome(bytes, [])).toEqual(expected);
  for (let cut = 1; cut < bytes.length; cut++) expect(await outcome(bytes, [cut]), `cut at ${cut}`).toEqual(expected);
  expect(
    await outcome(
      bytes,
      Array.from({ length: bytes.length - 1 }, (_, i) => i + 1),
    ),
  ).toEqual(expected);
});

for (const [what, text, expected] of [
  ['no delimiter', '{"statusCode":200}', 'MALFORMED_STREAM'],
  ['seven zero bytes', `{"statusCode":200}${'\0'.repeat(7)}body`, 'MALFORMED_STREAM'],
  ['nothing', '', 'MALFORMED_STREAM'],
  ['a delimiter behind 16 KB', `{"a":"${'x'.repeat(16 * 1024)}"}${ZEROS}`, 'MALFORMED_STREAM'],
  ['no JSON', `hello${ZEROS}`, 'MALFORMED_FUNCTION_RESPONSE'],
  ['an unknown member', `{"body":"x"}${ZEROS}`, 'MALFORMED_FUNCTION_RESPONSE'],
  ['a status that is none', `{"statusCode":99}${ZEROS}`, 'MALFORMED_FUNCTION_RESPONSE'],
  ['a cookie with a line break', `{"cookies":["a\\nb"]}${ZEROS}`, 'MALFORMED_FUNCTION_RESPONSE'],
] as const) {
  test(`a stream with ${what} is ${expected}`, async () => {
    expect(await outcome(Buffer.from(text), [])).toEqual([expected]);
    const whole = await answered(Buffer.from(text));
    expect(whole.x.fault, 'in a test run, which has it whole').toBe(FAULTS[expected]);
  });
}

test('metadata that fill 16 KB with their delimiter are taken', async () => {
  const filler = 16 * 1024 - 8 - '{"headers":{"a":""}}'.length;
  const text = `{"headers":{"a":"${'x'.repeat(filler)}"}}${ZEROS}body`;
  expect((await outcome(Buffer.from(text), []))[2]).toBe('body');
});

test('a stream that breaks before its metadata is the failure of the function', async () => {
  const body = new PassThrough();
  body.write('{"statusCode"');
  setImmediate(() => body.destroy(new Error('reset')));
  expect((await answered(body)).x.fault).toBe(FAULTS.FUNCTION_FAILED);
});

test('the body is read no faster than it is taken, and breaks with its source', async () => {
  const body = new PassThrough();
  body.write(`{}${ZEROS}`);
  const { x } = await answered(body);
  let written = 0;
  while (body.write(Buffer.alloc(65_536)) && written < 100) written++;
  expect(written).toBeLessThan(100);
  const reading = readAll(x.responseBody as Readable, 1e9);
  body.destroy(new Error('the function failed'));
  await expect(reading).rejects.toThrow('the function failed');
});

test('a stream that says nothing for too long breaks off; one that nobody reads does not', async () => {
  const silent = new PassThrough();
  await expect(readAll(endWhenIdle(silent, 30), 1e6)).rejects.toThrow(IdleStream);
  expect(silent.destroyed).toBe(true);
  const unread = endWhenIdle(Readable.from([Buffer.alloc(200_000), Buffer.from('end')], { objectMode: false }), 30);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect((await readAll(unread, 1e6)).length).toBe(200_003);
});

test('a reader that leaves ends the call', async () => {
  const source = new PassThrough();
  const guarded = endWhenIdle(source, 10_000);
  guarded.destroy();
  await new Promise((resolve) => source.once('close', resolve));
  expect(source.destroyed).toBe(true);
});

test('HTTP_PROXY: the same headers, and a body that breaks off when it says nothing', async () => {
  const x = new Exchange();
  x.upstreamAnswer = { status: 203, headers: ['X-A', 'b', 'Content-Length', '5'], body: new PassThrough() };
  expect(mapStreamedProxyResponse(20)(x)).toBe(CONTINUE);
  expect([x.status, x.responseBodyBytes]).toEqual([203, 5]);
  await expect(readAll(x.responseBody as Readable, 10)).rejects.toThrow('no byte of the answer within 20 ms');
});
