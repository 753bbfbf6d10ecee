/** Payloads as they come: what a caller of the streaming path sees of a function, and what a function sees of its caller. */
import { INVOKE_HEADERS } from '@gatehouse/contracts';
import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ACCOUNT, RunnerHarness, TOKEN, type TestFunction } from './testing/harness.js';

let runner: RunnerHarness;
beforeAll(async () => {
  runner = await RunnerHarness.start();
});
afterAll(() => runner.close());

/** Resolves with the head of the answer. */
async function stream(name: string, event: unknown = {}): Promise<IncomingMessage> {
  const target = `/2021-11-15/functions/${encodeURIComponent(`${ACCOUNT}:function:${name}`)}/response-streaming-invocations`;
  const asked = request(`${runner.url}${target}`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` } });
  asked.end(JSON.stringify(event));
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return response;
}

const handler = (body: string): TestFunction => ({
  files: { 'index.js': `exports.handler = awslambda.streamifyResponse(async (event, stream) => { ${body} });` },
});

async function next(response: IncomingMessage): Promise<string> {
  const [chunk] = (await once(response, 'data')) as [Buffer];
  response.pause();
  return chunk.toString();
}

test('a part reaches the caller before the next one is written', async () => {
  await runner.publish(
    'step',
    handler(
      `stream.write('one'); const fs = require('fs'); const go = process.env.TMPDIR + '/go';
       setTimeout(() => fs.writeFileSync(go, ''), 50); while (!fs.existsSync(go)) await new Promise((r) => setTimeout(r, 5));
       stream.write('two'); stream.end();`,
    ),
  );
  const response = await stream('step');
  expect([response.statusCode, await next(response)]).toEqual([200, 'one']);
  expect((await buffer(response)).toString()).toBe('two');
});

test('more than a whole payload may have streams through, in a bounded memory', async () => {
  await runner.publish(
    'large',
    handler(
      `const { pipeline } = require('stream/promises'); const { Readable } = require('stream'); let made = 0;
       await pipeline(new Readable({ read() { this.push(made++ < 1 ? Buffer.alloc(9000000, 'y') : made < 400 ? Buffer.alloc(65536, 'x') : null); } }), stream);`,
    ),
  );
  const response = await stream('large');
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) bytes += chunk.length;
  expect(bytes).toBe(9_000_000 + 398 * 65_536);
});

test('a function does not get ahead of a caller that reads nothing', async () => {
  const bytes = 100_000_000;
  await runner.publish(
    'ahead',
    handler(
      `const fs = require('fs'); const { Readable } = require('stream'); const { pipeline } = require('stream/promises'); let made = 0;
       await pipeline(new Readable({ read() { fs.writeFileSync(process.env.TMPDIR + '/made', String(made));
         this.push(made >= ${bytes} ? null : Buffer.alloc(65536)); made += 65536; } }), stream);`,
    ),
  );
  const response = await stream('ahead');
  response.pause();
  const scratch = path.join(runner.dataDir, 'scratch');
  const made = (): number => {
    const files = readdirSync(scratch).map((name) => path.join(scratch, name, 'made'));
    const file = files.find((candidate) => existsSync(candidate));
    return file === undefined ? 0 : Number(readFileSync(file, 'utf8'));
  };
  let last = -1;
  for (; last !== made() || last === 0; await new Promise((resolve) => setTimeout(resolve, 200))) last = made();
  expect(last, 'it stands still, with what sockets hold on its way').toBeLessThan(bytes / 2);
  expect((await buffer(response)).length).toBeGreaterThanOrEqual(bytes);
});

test('a function that fails before its first byte is answered as ever', async () => {
  await runner.publish('early', handler(`throw new Error('no');`));
  const response = await stream('early');
  expect(response.headers[INVOKE_HEADERS.functionError]).toBe('Unhandled');
  expect(JSON.parse((await buffer(response)).toString())).toMatchObject({ errorMessage: 'no' });
});

test('a function that fails after its first bytes is cut off, never ended as if it were whole; its environment lives on', async () => {
  await runner.publish('late', handler(`if (event.ok) return stream.end('ok'); stream.write('half'); throw new Error('no');`));
  const response = await stream('late');
  expect(await next(response)).toBe('half');
  await expect(buffer(response)).rejects.toThrow();
  expect((await buffer(await stream('late', { ok: true }))).toString()).toBe('ok');
});

test('a caller that leaves does not stop the function: it runs to its end, and its environment is free again', async () => {
  await runner.publish('left', {
    ...handler(
      `if (event.ask) return stream.end(String(globalThis.ends)); stream.write('first'); const end = Date.now() + 300;
       while (Date.now() < end) { await new Promise((r) => setTimeout(r, 10)); stream.write(Buffer.alloc(65536)); }
       globalThis.ends = (globalThis.ends ?? 0) + 1; stream.end();`,
    ),
    reservedConcurrency: 1,
  });
  const response = await stream('left');
  await next(response);
  response.destroy();
  await vi.waitFor(async () => expect((await buffer(await stream('left', { ask: true }))).toString()).toBe('1'), 10_000);
});

test('a handler that does not stream is answered whole', async () => {
  await runner.publish('plain', { files: { 'index.js': 'exports.handler = async () => ({ a: 1 });' } });
  const response = await stream('plain');
  expect(response.headers['content-length']).toBe('7');
  expect((await buffer(response)).toString()).toBe('{"a":1}');
});

test('a custom runtime streams by the Runtime API; an error in its trailers cuts off', async () => {
  const bootstrap = `#!${process.execPath}
const http = require('http'); const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const next = () => http.get({ host, port, path: '/2018-06-01/runtime/invocation/next' }, async (answer) => {
  let text = ''; for await (const part of answer) text += part; const event = JSON.parse(text);
  const id = answer.headers['lambda-runtime-aws-request-id'];
  const post = http.request({ host, port, method: 'POST', path: '/2018-06-01/runtime/invocation/' + id + '/response',
    headers: { 'Lambda-Runtime-Function-Response-Mode': 'streaming', 'Transfer-Encoding': 'chunked', Trailer: 'Lambda-Runtime-Function-Error-Body' } }, (r) => { r.resume(); r.on('end', next); });
  post.write('one');
  setTimeout(() => { post.write('two'); if (event.fails) post.addTrailers({ 'Lambda-Runtime-Function-Error-Body': Buffer.from('{}').toString('base64') }); post.end(); }, 50);
});
next();
`;
  await runner.publish('custom', { runtime: 'provided.al2023', handler: 'x', files: { bootstrap } });
  const response = await stream('custom');
  expect(await next(response)).toBe('one');
  expect((await buffer(response)).toString()).toBe('two');
  await expect(buffer(await stream('custom', { fails: true }))).rejects.toThrow();
});
