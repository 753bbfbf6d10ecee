import { afterAll, beforeAll, expect, test } from 'vitest';
import { RunnerHarness, type TestFunction } from './testing/harness.js';

let runner: RunnerHarness;
beforeAll(async () => {
  runner = await RunnerHarness.start({ limits: { perFunction: 2, total: 8, idleMs: 60_000, queueMs: 0 } });
});
afterAll(() => runner.close());

let nameCounter = 0;
async function call(fn: TestFunction | string, event: unknown = {}, headers: Record<string, string> = {}) {
  const name = `fn-${nameCounter++}`;
  await runner.publish(name, typeof fn === 'string' ? { files: { 'index.js': fn } } : fn);
  return runner.invoke(name, event, headers);
}

for (const [form, files, handler] of [
  ['CommonJS, async', { 'index.js': 'exports.handler = async (event) => ({ got: event.n });' }, 'index.handler'],
  [
    'CommonJS, assigned late',
    {
      'index.js':
        'module.exports = Object.assign(Object.create(null), { [["hand", "ler"].join("")]: async (e) => ({ got: e.n }) });',
    },
    'index.handler',
  ],
  [
    'CommonJS, callback',
    { 'index.js': 'exports.handler = (event, context, callback) => setTimeout(callback, 1, null, { got: event.n });' },
    'index.handler',
  ],
  [
    'CommonJS, context.succeed',
    { 'index.js': 'exports.handler = (event, context) => { context.succeed({ got: event.n }); };' },
    'index.handler',
  ],
  ['ES module by extension', { 'index.mjs': 'export const handler = async (event) => ({ got: event.n });' }, 'index.handler'],
  [
    'ES module by package.json',
    { 'package.json': '{"type":"module"}', 'index.js': 'export const handler = async (event) => ({ got: event.n });' },
    'index.handler',
  ],
  [
    'ES module with top-level await',
    { 'index.mjs': 'const add = await Promise.resolve(0); export const handler = async (event) => ({ got: event.n + add });' },
    'index.handler',
  ],
  [
    'default export object',
    { 'index.mjs': 'export default { handler: async (event) => ({ got: event.n }) };' },
    'index.default.handler',
  ],
  ['in a folder', { 'src/app.js': 'exports.run = async (event) => ({ got: event.n });' }, 'src/app.run'],
  [
    'with a dependency',
    {
      'index.js': 'const v = require("dep"); exports.handler = async (e) => ({ got: e.n * v });',
      'node_modules/dep/index.js': 'module.exports = 1;',
    },
    'index.handler',
  ],
  [
    'answers after awaiting',
    {
      'index.js': 'exports.handler = async (event) => { await new Promise((r) => setTimeout(r, 5)); return { got: event.n }; };',
    },
    'index.handler',
  ],
] as const) {
  test(`handler form: ${form}`, async () => {
    const answer = await call({ files, handler }, { n: 7 });
    expect(answer.json).toEqual({ got: 7 });
    expect(answer.functionError).toBeNull();
    expect(answer.headers.get('x-amz-executed-version')).toBe('$LATEST');
  });
}

for (const [what, code, expected] of [
  ['undefined', 'exports.handler = async () => {}', 'null'],
  ['a string', 'exports.handler = async () => "x"', '"x"'],
  ['nothing from a callback handler', 'exports.handler = () => {}', 'null'],
  ['a function', 'exports.handler = async () => () => 1', 'null'],
] as const) {
  test(`a handler that returns ${what} answers ${expected}`, async () => {
    expect((await call(code)).body.toString()).toBe(expected);
  });
}

for (const [what, code, expected] of [
  [
    'throws an Error',
    'exports.handler = async () => { throw new TypeError("boom"); }',
    { errorType: 'TypeError', errorMessage: 'boom', trace: expect.arrayContaining(['TypeError: boom']) },
  ],
  [
    'throws before it returns a promise',
    'exports.handler = () => { throw new Error("boom"); }',
    { errorType: 'Error', errorMessage: 'boom', trace: expect.any(Array) },
  ],
  [
    'throws a string',
    'exports.handler = async () => { throw "boom"; }',
    { errorType: 'string', errorMessage: 'boom', trace: [] },
  ],
  ['rejects with a number', 'exports.handler = () => Promise.reject(7)', { errorType: 'number', errorMessage: '7', trace: [] }],
  [
    'throws undefined',
    'exports.handler = async () => { throw undefined; }',
    { errorType: 'handled', errorMessage: expect.stringContaining('there was a problem while retrieving') },
  ],
  [
    'calls back with an error',
    'exports.handler = (e, c, cb) => cb(new Error("boom"))',
    { errorType: 'Error', errorMessage: 'boom', trace: expect.any(Array) },
  ],
  [
    'calls context.fail',
    'exports.handler = (e, c) => c.fail(new Error("boom"))',
    { errorType: 'Error', errorMessage: 'boom', trace: expect.any(Array) },
  ],
  [
    'throws later',
    'exports.handler = async () => { setTimeout(() => { throw new RangeError("later"); }); await new Promise((r) => setTimeout(r, 2000)); }',
    { errorType: 'RangeError', errorMessage: 'later', trace: expect.any(Array) },
  ],
  [
    'leaves a rejection unhandled',
    'exports.handler = async () => { Promise.reject(new Error("lost")); await new Promise((r) => setTimeout(r, 2000)); }',
    { errorType: 'Runtime.UnhandledPromiseRejection', errorMessage: 'Error: lost', trace: expect.any(Array) },
  ],
  [
    'never settles',
    'exports.handler = () => new Promise(() => {})',
    {
      errorType: 'Runtime.NodeJsExit',
      errorMessage: expect.stringContaining('unexpected Node.js exit code'),
      trace: expect.any(Array),
    },
  ],
  [
    'returns a circle',
    'exports.handler = async () => { const a = {}; a.a = a; return a; }',
    { errorType: 'Error', errorMessage: 'Unable to stringify response body', trace: expect.any(Array) },
  ],
  [
    'exits with 0',
    'exports.handler = async () => process.exit()',
    {
      errorType: 'Runtime.ExitError',
      errorMessage: expect.stringMatching(/^RequestId: [0-9a-f-]{36} Error: Runtime exited without providing a reason$/),
    },
  ],
  [
    'exits with 3',
    'exports.handler = async () => process.exit(3)',
    { errorType: 'Runtime.ExitError', errorMessage: expect.stringMatching(/ Error: Runtime exited with error: exit status 3$/) },
  ],
  [
    'aborts',
    'exports.handler = async () => process.abort()',
    {
      errorType: 'Runtime.ExitError',
      errorMessage: expect.stringMatching(/ Error: Runtime exited with error: signal: aborted$/),
    },
  ],
  [
    'kills itself',
    'exports.handler = async () => process.kill(process.pid, "SIGKILL")',
    { errorType: 'Runtime.ExitError', errorMessage: expect.stringMatching(/signal: killed$/) },
  ],
  [
    'writes nonsense to the channel',
    'exports.handler = async () => { require("fs").writeSync(3, Buffer.alloc(100, 255)); await new Promise((r) => setTimeout(r, 5000)); }',
    { errorType: 'Runtime.ExitError', errorMessage: expect.stringContaining('something else than its protocol') },
  ],
  [
    'replies 6 MB and one byte',
    `exports.handler = async () => 'x'.repeat(6 * 1024 * 1024 - 1)`,
    {
      errorType: 'Function.ResponseSizeTooLarge',
      errorMessage: 'Response payload size exceeded maximum allowed payload size (6291456 bytes).',
    },
  ],
  [
    'starts a process',
    'exports.handler = async () => { for (;;) require("child_process").spawn(process.execPath, ["-e", ""]); }',
    { errorType: 'Error', errorMessage: expect.stringContaining('restricted'), trace: expect.any(Array) },
  ],
  [
    'starts a worker',
    'exports.handler = async () => { new (require("worker_threads").Worker)("", { eval: true }); }',
    { errorType: 'Error', errorMessage: expect.stringContaining('restricted'), trace: expect.any(Array) },
  ],
  [
    'reads a file of the machine',
    'exports.handler = async () => require("fs").readFileSync("/etc/passwd", "utf8")',
    { errorType: 'Error', errorMessage: expect.stringContaining('restricted'), trace: expect.any(Array) },
  ],
  [
    'writes into its code',
    'exports.handler = async () => require("fs").writeFileSync(__filename, "")',
    { errorType: 'Error', errorMessage: expect.stringContaining('restricted'), trace: expect.any(Array) },
  ],
  [
    'signals its parent',
    'exports.handler = async () => process.kill(process.ppid, "SIGTERM")',
    { errorType: 'Error', errorMessage: 'kill EPERM', trace: expect.any(Array) },
  ],
] as const) {
  test(`function error: a handler that ${what}`, async () => {
    const answer = await call(code);
    expect(answer.status).toBe(200);
    expect(answer.functionError).toBe('Unhandled');
    expect(answer.json).toEqual(expected);
  });
}

for (const [what, fn, expected] of [
  [
    'a file that is not there',
    { files: { 'index.js': '' }, handler: 'other.handler' },
    {
      errorType: 'Runtime.ImportModuleError',
      errorMessage: "Error: Cannot find module 'other'\nRequire stack:\n- /var/runtime/index.mjs",
      trace: expect.any(Array),
    },
  ],
  [
    'a missing dependency',
    { files: { 'index.js': 'require("nowhere")' } },
    {
      errorType: 'Runtime.ImportModuleError',
      errorMessage: expect.stringContaining("Cannot find module 'nowhere'"),
      trace: expect.any(Array),
    },
  ],
  [
    'an export that is not there',
    { files: { 'index.js': 'exports.other = 1' } },
    {
      errorType: 'Runtime.HandlerNotFound',
      errorMessage: 'index.handler is undefined or not exported',
      trace: expect.any(Array),
    },
  ],
  [
    'an export that is no function',
    { files: { 'index.js': 'exports.handler = 1' } },
    { errorType: 'Runtime.HandlerNotFound', errorMessage: 'index.handler is not a function', trace: expect.any(Array) },
  ],
  [
    'no dot in the handler',
    { files: { 'index.js': '' }, handler: 'index' },
    { errorType: 'Runtime.MalformedHandlerName', errorMessage: 'Bad handler', trace: expect.any(Array) },
  ],
  [
    'a way out of the package',
    { files: { 'index.js': '' }, handler: '../index.handler' },
    {
      errorType: 'Runtime.MalformedHandlerName',
      errorMessage: expect.stringContaining("'../index.handler' is not a valid handler name"),
      trace: expect.any(Array),
    },
  ],
  [
    'a syntax error',
    { files: { 'index.js': 'exports.handler = (' } },
    { errorType: 'Runtime.UserCodeSyntaxError', errorMessage: expect.stringMatching(/^SyntaxError: /), trace: expect.any(Array) },
  ],
  [
    'code that throws while loading',
    { files: { 'index.js': 'throw new EvalError("early")' } },
    { errorType: 'EvalError', errorMessage: 'early', trace: expect.any(Array) },
  ],
  [
    'code that exits while loading',
    { files: { 'index.js': 'process.exit(1)' } },
    { errorType: 'Runtime.ExitError', errorMessage: expect.stringMatching(/exit status 1$/) },
  ],
  [
    'a package that is no zip',
    { zip: Buffer.from('no zip') },
    { errorType: 'InvalidZipFileException', errorMessage: expect.stringContaining('Could not unzip') },
  ],
  [
    'a runtime nobody has',
    { runtime: 'java21', files: { 'index.js': '' } },
    { errorType: 'Runtime.Unsupported', errorMessage: 'Runtime java21 is not available on this runner.' },
  ],
] as const) {
  test(`initialisation error: ${what}`, async () => {
    const answer = await call(fn);
    expect(answer.functionError).toBe('Unhandled');
    expect(answer.json).toEqual(expected);
  });
}

test('a reply of exactly 6 MB passes', async () => {
  const answer = await call(`exports.handler = async () => 'x'.repeat(6 * 1024 * 1024 - 2)`);
  expect(answer.functionError).toBeNull();
  expect(answer.body.length).toBe(6 * 1024 * 1024);
});

test('an event of 6 MB arrives whole', async () => {
  const answer = await call('exports.handler = async (event) => event.text.length', { text: 'y'.repeat(6 * 1024 * 1024 - 100) });
  expect(answer.json).toBe(6 * 1024 * 1024 - 100);
});

test('an endless loop ends with the timeout, and the function answers again', async () => {
  const name = 'loops';
  await runner.publish(name, {
    timeoutMs: 500,
    files: { 'index.js': 'exports.handler = async (e) => { if (e.loop) for (;;); return process.pid; }' },
  });
  const before = await runner.invoke(name);
  const answer = await runner.invoke(name, { loop: true });
  const requestId = answer.headers.get('x-amzn-requestid');
  expect(answer.json).toEqual({
    errorType: 'Sandbox.Timedout',
    errorMessage: `RequestId: ${requestId} Error: Task timed out after 0.50 seconds`,
  });
  expect(answer.log).toContain(`${requestId} Task timed out after 0.50 seconds`);
  const after = await runner.invoke(name);
  expect(after.functionError).toBeNull();
  expect(after.json).not.toBe(before.json);
});

test('an endless loop while loading ends too', async () => {
  const answer = await RunnerHarness.start({ initTimeoutMs: 300 }).then(async (other) => {
    await other.publish('x', { timeoutMs: 200, files: { 'index.js': 'for (;;);' } });
    return other.invoke('x').finally(() => other.close());
  });
  expect(answer.json).toMatchObject({ errorType: 'Sandbox.Timedout' });
});

test('memory beyond the limit ends the environment, and the function answers again', async () => {
  await runner.publish('eats', {
    memoryMb: 128,
    files: {
      'index.js':
        'exports.handler = async (e) => { const kept = []; while (e.eat) { kept.push(Buffer.alloc(8e6, 1)); await new Promise((r) => setTimeout(r, 5)); } return 1; }',
    },
  });
  const answer = await runner.invoke('eats', { eat: true });
  expect(answer.json).toEqual({
    errorType: 'Runtime.OutOfMemory',
    errorMessage: expect.stringMatching(/^RequestId: .* Error: Runtime exited with error: signal: killed$/),
  });
  expect((await runner.invoke('eats')).json).toBe(1);
});

test('neighbours answer while one function loops, one exits and one floods its log', async () => {
  await runner.publish('n-loop', { timeoutMs: 1_500, files: { 'index.js': 'exports.handler = async () => { for (;;); }' } });
  await runner.publish('n-exit', { files: { 'index.js': 'exports.handler = async () => process.exit(1)' } });
  await runner.publish('n-flood', {
    timeoutMs: 1_500,
    files: { 'index.js': 'exports.handler = async () => { const line = "x".repeat(9999); for (;;) console.log(line); }' },
  });
  await runner.publish('n-good', { files: { 'index.js': 'exports.handler = async (e) => e.n' } });
  const bad = [runner.invoke('n-loop'), runner.invoke('n-exit'), runner.invoke('n-flood')];
  for (let n = 0; n < 50; n++) expect((await runner.invoke('n-good', { n })).json).toBe(n);
  const [loop, exit, flood] = await Promise.all(bad);
  expect(loop?.json).toMatchObject({ errorType: 'Sandbox.Timedout' });
  expect(exit?.json).toMatchObject({ errorType: 'Runtime.ExitError' });
  expect(flood?.json).toMatchObject({ errorType: 'Sandbox.Timedout' });
  expect(flood?.log.length).toBeLessThanOrEqual(4096);
});

test('an environment is used again, and keeps what the module holds', async () => {
  await runner.publish('warm', { files: { 'index.js': 'let calls = 0; exports.handler = async () => [process.pid, ++calls];' } });
  const [pid] = (await runner.invoke('warm')).json as [number, number];
  expect((await runner.invoke('warm')).json).toEqual([pid, 2]);
});

test('what a handler leaves running waits for the next call', async () => {
  await runner.publish('leftover', {
    files: {
      'index.js':
        'let ticks = 0; let seen = 0; exports.handler = async () => { if (seen++ === 0) setInterval(() => ticks++, 1); return ticks; };',
    },
  });
  await runner.invoke('leftover');
  await runner.invoke('warm-up-of-nobody'); // some time passes
  const busy = await call('exports.handler = async () => { const end = Date.now() + 300; while (Date.now() < end); return 1; }');
  expect(busy.json).toBe(1);
  expect((await runner.invoke('leftover')).json).toBeLessThan(100);
});

test('new code or configuration gets a new environment; a new permission does not', async () => {
  const files = { 'index.js': 'exports.handler = async () => [process.pid, process.env.COLOUR ?? null];' };
  await runner.publish('changes', { files });
  const [first] = (await runner.invoke('changes')).json as [number, string];
  await runner.publish('changes', { files, permissions: [{ principal: 'apigateway.amazonaws.com' }] });
  expect((await runner.invoke('changes')).json).toEqual([first, null]);
  await runner.publish('changes', { files, environment: { COLOUR: 'red' } });
  const [second, colour] = (await runner.invoke('changes')).json as [number, string];
  expect(second).not.toBe(first);
  expect(colour).toBe('red');
});

test('more calls at once than the function may have are refused at once', async () => {
  await runner.publish('narrow', {
    files: { 'index.js': 'exports.handler = async (e) => { await new Promise((r) => setTimeout(r, e.ms)); return 1; }' },
  });
  const calls = await Promise.all([1, 2, 3].map(() => runner.invoke('narrow', { ms: 300 })));
  expect(calls.map(({ status }) => status).sort()).toEqual([200, 200, 429]);
  const refused = calls.find(({ status }) => status === 429);
  expect(refused?.headers.get('x-amzn-errortype')).toBe('TooManyRequestsException');
  expect(refused?.json).toMatchObject({ Reason: 'ConcurrentInvocationLimitExceeded', Type: 'User', message: 'Rate Exceeded.' });
});

test('reserved concurrency of 0 shuts a function', async () => {
  const answer = await call({ reservedConcurrency: 0, files: { 'index.js': 'exports.handler = async () => 1' } });
  expect(answer.status).toBe(429);
  expect(answer.json).toMatchObject({ Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded' });
});

test('an idle environment gives way when no more may be alive', async () => {
  for (let n = 0; n < 20; n++) expect((await call('exports.handler = async () => 1')).json).toBe(1);
});

test('the environment holds what Lambda sets and what the function sets, and nothing of the runner', async () => {
  const { json } = await call({
    environment: { COLOUR: 'red', NODE_OPTIONS: '--allow-child-process', LD_PRELOAD: '/nowhere.so' },
    memoryMb: 512,
    files: { 'index.js': 'exports.handler = async () => process.env' },
  });
  const environment = json as Record<string, string>;
  expect(environment).toMatchObject({
    COLOUR: 'red',
    _HANDLER: 'index.handler',
    AWS_REGION: 'us-east-1',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x',
  });
  expect(Object.keys(environment).filter((name) => name.startsWith('GATEHOUSE'))).toEqual([]);
  expect(environment['VITEST']).toBeUndefined();
});

test('NODE_OPTIONS of a function does not widen its permissions', async () => {
  const answer = await call({
    environment: { NODE_OPTIONS: '--allow-child-process --allow-fs-read=*' },
    files: {
      'index.js':
        'exports.handler = async () => [process.permission.has("child"), process.permission.has("fs.read", "/etc/passwd")];',
    },
  });
  expect(answer.json).toEqual([false, false]);
});

test('scratch space is writable, is not shared, and goes with the environment', async () => {
  const code = `
    const fs = require('fs'); const file = require('path').join(require('os').tmpdir(), 'note');
    exports.handler = async () => { const had = fs.existsSync(file); fs.writeFileSync(file, 'x'); return [had, file]; };`;
  await runner.publish('writes-a', { files: { 'index.js': code } });
  await runner.publish('writes-b', { files: { 'index.js': code } });
  const [, file] = (await runner.invoke('writes-a')).json as [boolean, string];
  expect((await runner.invoke('writes-a')).json).toEqual([true, file]);
  expect((await runner.invoke('writes-b')).json).toEqual([false, expect.not.stringContaining(file)]);
});

test('the context tells the call apart and counts the time down', async () => {
  const code = `exports.handler = async (event, context) => ({
    ...context, keys: undefined, left: context.getRemainingTimeInMillis(), client: context.clientContext });`;
  const answer = await call(
    { timeoutMs: 3_000, files: { 'index.js': code } },
    {},
    { 'x-amz-client-context': Buffer.from('{"custom":{"a":"b"}}').toString('base64') },
  );
  const name = `fn-${nameCounter - 1}`;
  const context = answer.json as { left: number };
  expect(context).toMatchObject({
    awsRequestId: answer.headers.get('x-amzn-requestid'),
    functionName: name,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:us-east-1:111122223333:function:${name}`,
    memoryLimitInMB: '256',
    logGroupName: `/aws/lambda/${name}`,
    callbackWaitsForEmptyEventLoop: true,
    client: { custom: { a: 'b' } },
  });
  expect(context.left).toBeGreaterThan(0);
  expect(context.left).toBeLessThanOrEqual(3_000);
});

test('the log tail has the lines of the platform and of the function, in order', async () => {
  const answer = await call(
    'console.log("loading"); exports.handler = async () => { console.log("hello %s", "world"); console.error(new Error("oops")); process.stderr.write("raw\\n"); return 1; }',
  );
  const id = answer.headers.get('x-amzn-requestid');
  const lines = answer.log.split('\n');
  expect(lines[0]).toBe(`START RequestId: ${id} Version: $LATEST`);
  expect(answer.log).toMatch(new RegExp(`\\d\\dZ\\t${id}\\tINFO\\thello world\n`));
  expect(answer.log).toMatch(new RegExp(`\\t${id}\\tERROR\\tError: oops\n`));
  expect(answer.log).toContain('\nraw\n');
  expect(answer.log).toMatch(
    new RegExp(
      `END RequestId: ${id}\nREPORT RequestId: ${id}\tDuration: [\\d.]+ ms\tBilled Duration: \\d+ ms\tMemory Size: 256 MB\tMax Memory Used: [1-9]\\d* MB\tInit Duration: [\\d.]+ ms\t\n$`,
    ),
  );
});

test("the log holds the function's warnings, and none about the runner's own flags", async () => {
  const answer = await call(
    `process.emitWarning('mine', 'ExperimentalWarning'); process.emitWarning('old', 'DeprecationWarning');
     exports.handler = async () => { await new Promise(setImmediate); return 1; }`,
  );
  expect(answer.log.match(/\S+Warning: .*/g)?.sort()).toEqual(['DeprecationWarning: old', 'ExperimentalWarning: mine']);
});

test('the log tail is the last 4 KB of a long log', async () => {
  const answer = await call(
    'exports.handler = async () => { for (let i = 0; i < 5000; i++) console.log("line " + i); return 1; }',
  );
  expect(Buffer.byteLength(answer.log)).toBe(4096);
  expect(answer.log).toContain('line 4999\n');
});

test('a streamed response is collected whole', async () => {
  const code = `exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
    stream.setContentType('text/plain'); for (let i = 0; i < 100; i++) stream.write('part ' + i + ';'); stream.end(); });`;
  const answer = await call(code);
  expect(answer.body.toString()).toBe(Array.from({ length: 100 }, (_, i) => `part ${i};`).join(''));
  expect(answer.headers.get('content-type')).toBe('text/plain');
});

test('a streamed HTTP response begins with its metadata and eight zero bytes', async () => {
  const code = `exports.handler = awslambda.streamifyResponse(async (event, stream) => {
    const http = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' } }); http.write('body'); http.end(); });`;
  const answer = await call(code);
  expect(answer.body.toString('latin1')).toBe(`{"statusCode":201,"headers":{"a":"b"}}${'\0'.repeat(8)}body`);
  expect(answer.headers.get('content-type')).toBe('application/vnd.awslambda.http-integration-response');
});

test('a stream that fails after its first bytes is a function error', async () => {
  const code = `exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('half'); throw new Error('cut'); });`;
  const answer = await call(code);
  expect(answer.functionError).toBe('Unhandled');
  expect(answer.json).toMatchObject({ errorType: 'Error', errorMessage: 'cut' });
});

test('a stream of more than 6 MB is too large, and its environment lives on', async () => {
  await runner.publish('big-stream', {
    files: {
      'index.js': `const { pipeline } = require('stream/promises'); const { Readable } = require('stream');
      exports.handler = awslambda.streamifyResponse(async (e, stream) => {
        await pipeline(Readable.from(Array.from({ length: e.count }, () => Buffer.alloc(65536, 'x'))), stream); });`,
    },
  });
  expect((await runner.invoke('big-stream', { count: 120 })).json).toMatchObject({ errorType: 'Function.ResponseSizeTooLarge' });
  expect((await runner.invoke('big-stream', { count: 2 })).body.length).toBe(131072);
});
