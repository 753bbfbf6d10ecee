import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { detectSandbox } from './sandbox.js';
import { RunnerHarness, type TestFunction } from './testing/harness.js';

let runner: RunnerHarness;
beforeAll(async () => {
  runner = await RunnerHarness.start();
});
afterAll(() => runner.close());

let nameCounter = 0;
async function call(fn: TestFunction, event: unknown = {}, headers: Record<string, string> = {}) {
  const name = `fn-${nameCounter++}`;
  await runner.publish(name, fn);
  return runner.invoke(name, event, headers);
}

const sandbox = await detectSandbox();
const hasPython = ((): boolean => {
  try {
    execFileSync('python3', ['-c', '']);
    return true;
  } catch {
    return false;
  }
})();

describe.runIf(hasPython)('python', () => {
  const python = (code: string, over: TestFunction = {}): TestFunction => ({
    runtime: 'python3.12',
    handler: 'app.handler',
    files: { 'app.py': code },
    ...over,
  });

  test('a handler answers, again and again in one process', async () => {
    await runner.publish(
      'py',
      python(
        'import os\ncalls = 0\ndef handler(event, context):\n  global calls\n  calls += 1\n  return {"n": event["n"], "calls": calls}',
      ),
    );
    expect((await runner.invoke('py', { n: 7 })).json).toEqual({ n: 7, calls: 1 });
    expect((await runner.invoke('py', { n: 'ü' })).json).toEqual({ n: 'ü', calls: 2 });
  });

  test('the context', async () => {
    const code = `def handler(event, context):
      return [context.aws_request_id, context.function_name, context.memory_limit_in_mb, context.invoked_function_arn, context.get_remaining_time_in_millis() > 0]`;
    const answer = await call(python(code));
    const name = `fn-${nameCounter - 1}`;
    expect(answer.json).toEqual([
      answer.headers.get('x-amzn-requestid'),
      name,
      '256',
      `arn:aws:lambda:us-east-1:111122223333:function:${name}`,
      true,
    ]);
  });

  test('printed lines stand in the log tail before END', async () => {
    const answer = await call(python('def handler(event, context):\n  print("hello")\n  return 1'));
    expect(answer.log).toMatch(/^START RequestId: .*\nhello\nEND RequestId: /);
  });

  for (const [what, code, over, expected] of [
    [
      'raises',
      'def handler(e, c):\n  raise ValueError("boom")',
      {},
      {
        errorMessage: 'boom',
        errorType: 'ValueError',
        requestId: expect.any(String),
        stackTrace: [expect.stringContaining('in handler')],
      },
    ],
    [
      'returns what is no JSON',
      'def handler(e, c):\n  return {1, 2}',
      {},
      {
        errorType: 'Runtime.MarshalError',
        errorMessage: 'Unable to marshal response: Object of type set is not JSON serializable',
      },
    ],
    [
      'exits',
      'import sys\ndef handler(e, c):\n  sys.exit(3)',
      {},
      { errorType: 'Runtime.ExitError', errorMessage: expect.stringMatching(/exit status 3$/) },
    ],
    [
      'is missing',
      'x = 1',
      {},
      { errorType: 'Runtime.HandlerNotFound', errorMessage: "Handler 'handler' missing on module 'app'" },
    ],
    [
      'imports what is not there',
      'import nowhere',
      {},
      { errorType: 'Runtime.ImportModuleError', errorMessage: "Unable to import module 'app': No module named 'nowhere'" },
    ],
    [
      'does not parse',
      'def handler(',
      {},
      { errorType: 'Runtime.UserCodeSyntaxError', errorMessage: expect.stringContaining("Syntax error in module 'app'") },
    ],
    [
      'loops',
      'def handler(e, c):\n  while True: pass',
      { timeoutMs: 400 },
      { errorType: 'Sandbox.Timedout', errorMessage: expect.stringMatching(/Task timed out after 0\.40 seconds$/) },
    ],
    [
      'eats memory',
      'import time\ndef handler(e, c):\n  kept = []\n  while True:\n    kept.append(bytearray(8000000))\n    time.sleep(0.005)',
      { memoryMb: 128 },
      { errorType: 'Runtime.OutOfMemory', errorMessage: expect.stringMatching(/signal: killed$/) },
    ],
    [
      'replies too much',
      'def handler(e, c):\n  return "x" * (6 * 1024 * 1024 - 1)',
      {},
      { errorType: 'Function.ResponseSizeTooLarge' },
    ],
  ] as const) {
    test(`function error: a handler that ${what}`, async () => {
      const answer = await call(python(code, over));
      expect(answer.functionError).toBe('Unhandled');
      expect(answer.json).toMatchObject(expected);
    });
  }

  test('a fork bomb is ended with all its processes, and neighbours answer meanwhile', async () => {
    const bomb =
      'import os, time\ndef handler(e, c):\n  while True:\n    try:\n      os.fork()\n    except OSError:\n      time.sleep(0.01)';
    await runner.publish('bomb', python(bomb, { timeoutMs: 5_000, memoryMb: 10_240 }));
    await runner.publish('neighbour', { files: { 'index.js': 'exports.handler = async () => 1' } });
    const exploding = runner.invoke('bomb');
    let isOver = false;
    void exploding.finally(() => (isOver = true));
    while (!isOver) expect((await runner.invoke('neighbour')).json).toBe(1);
    expect((await exploding).functionError).toBe('Unhandled');
    expect((await runner.invoke('neighbour')).json).toBe(1);
  });

  test.runIf(sandbox.hidesProcesses)("a function sees neither the runner's processes nor its variables", async () => {
    const code = `import os
def handler(event, context):
  seen = []
  for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
      seen.append(open(f'/proc/{pid}/cmdline').read())
    except OSError:
      pass
  return [seen, dict(os.environ)]`;
    const [seen, environment] = (await call(python(code))).json as [string[], Record<string, string>];
    expect(environment['VITEST']).toBeUndefined();
    expect(seen.filter((line) => line.includes('vitest'))).toEqual([]);
  });

  test("another function's Runtime API does not answer a stranger", async () => {
    await runner.publish('victim', python('import os\ndef handler(e, c):\n  return os.environ["AWS_LAMBDA_RUNTIME_API"]'));
    const address = (await runner.invoke('victim')).json as string;
    const code = `exports.handler = async (e) => fetch('http://' + e.address + '/2018-06-01/runtime/invocation/next', { signal: AbortSignal.timeout(2000) }).then((r) => r.status, (error) => error.cause?.code ?? error.name);`;
    const answer = await call({ files: { 'index.js': code } }, { address });
    expect(answer.json).not.toBe(200);
    expect(answer.json).not.toBe('TimeoutError');
    expect((await runner.invoke('victim')).json).toBe(address);
  });
});

describe('provided', () => {
  /** A custom runtime as in the Lambda guide, "Building a custom runtime"; `answer` makes the path and body of its POST. */
  const bootstrap = (answer: string): string => `#!${process.execPath}
const api = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API + '/2018-06-01/runtime/invocation/';
const post = (path, body) => fetch(api + path, { method: 'POST', body });
(async () => {
  for (;;) {
    const next = await fetch(api + 'next');
    const id = next.headers.get('lambda-runtime-aws-request-id');
    const event = await next.text();
    ${answer}
  }
})();
`;
  const provided = (answer: string, over: TestFunction = {}): TestFunction => ({
    runtime: 'provided.al2023',
    files: { bootstrap: bootstrap(answer) },
    ...over,
  });

  test('a program of any kind answers through the Runtime API', async () => {
    const answer = await call(
      provided("process.stderr.write('event ' + event + '\\n'); await post(id + '/response', '[' + event + ']');"),
      { a: 1 },
    );
    expect(answer.json).toEqual([{ a: 1 }]);
    expect(answer.log).toContain('event {"a":1}\n');
  });

  test('an error it reports is the function error', async () => {
    const answer = await call(provided(`await post(id + '/error', '{"errorType":"Oops","errorMessage":"no"}');`));
    expect([answer.functionError, answer.json]).toEqual(['Unhandled', { errorType: 'Oops', errorMessage: 'no' }]);
  });

  test('an answer to another call is refused', async () => {
    const answer = await call(
      provided("const { status } = await post('other/response', '1'); await post(id + '/response', String(status));"),
    );
    expect(answer.json).toBe(400);
  });

  test.runIf(sandbox.hidesProcesses)('children end with their environment, also those that left its process group', async () => {
    const answer = await call(
      provided(
        "require('child_process').spawn('sleep', ['54321'], { detached: true, stdio: 'ignore' }).on('spawn', () => process.exit(0)); await new Promise(() => {});",
      ),
    );
    expect(answer.json).toMatchObject({ errorType: 'Runtime.ExitError' });
    await expect.poll(() => sleepers()).toEqual([]);
  });

  test.runIf(sandbox.endsWithRunner)(
    'between calls nothing runs, not even what left the process group; the next call finds it running',
    async () => {
      await runner.publish(
        'restless',
        provided(
          "globalThis.child ??= require('child_process').spawn('sleep', ['54321'], { detached: true, stdio: 'ignore' }); await new Promise((r) => setTimeout(r, JSON.parse(event).ms)); await post(id + '/response', '1');",
        ),
      );
      await runner.invoke('restless', { ms: 0 });
      await expect.poll(() => sleepers()).toEqual(['T']);
      const call = runner.invoke('restless', { ms: 500 });
      await expect.poll(() => sleepers()).toEqual(['S']);
      await call;
    },
  );

  test('no bootstrap', async () => {
    const answer = await call({ runtime: 'provided.al2', files: { other: '' } });
    expect(answer.json).toEqual({
      errorType: 'Runtime.InvalidEntrypoint',
      errorMessage: "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
    });
  });

  test('a bootstrap that ends', async () => {
    const answer = await call({ runtime: 'provided.al2', files: { bootstrap: '#!/bin/sh\nexit 7\n' } });
    expect(answer.json).toMatchObject({ errorType: 'Runtime.ExitError', errorMessage: expect.stringMatching(/exit status 7$/) });
  });

  test('an initialisation error', async () => {
    const script = `#!${process.execPath}
fetch('http://' + process.env.AWS_LAMBDA_RUNTIME_API + '/2018-06-01/runtime/init/error', { method: 'POST', body: '{"errorType":"Bad","errorMessage":"start"}' }).then(() => process.exit(1));`;
    expect((await call({ runtime: 'provided.al2', files: { bootstrap: script } })).json).toEqual({
      errorType: 'Bad',
      errorMessage: 'start',
    });
  });

  test('variables of the dynamic loader reach the program', async () => {
    const answer = await call(
      provided("await post(id + '/response', JSON.stringify(process.env.LD_LIBRARY_PATH));", {
        environment: { LD_LIBRARY_PATH: '/nowhere' },
      }),
    );
    expect(answer.json).toBe('/nowhere');
  });
});

/** State of each process that the specs above leave asleep: S waiting, T stopped. */
function sleepers(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sleep\x0054321\x00')) return [];
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return [stat.charAt(stat.lastIndexOf(')') + 2)];
      } catch {
        return [];
      }
    });
}
