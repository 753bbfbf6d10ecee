/** The runner as a process of its own: what happens to environments when it stops, is killed, or starts again alone. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { build } from 'vite';
import { detectSandbox } from './sandbox.js';
import { FakeControlPlane } from './testing/fake-control-plane.js';
import { ACCOUNT, functionEntry, TOKEN, zipOf } from './testing/harness.js';

const sandbox = await detectSandbox();
const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const MAIN = path.join(PROJECT, 'dist/process-spec.mjs');

let dataDir: string;
let port: number;
let controlPlane: FakeControlPlane;
const started: ChildProcess[] = [];

beforeAll(async () => {
  // Beside dist/main.js, so that the specs run what is in src whether or not it was built; the thread it starts is a file of its own.
  await build({
    configFile: false,
    logLevel: 'error',
    root: PROJECT,
    ssr: { noExternal: [/^@gatehouse\//], resolve: { conditions: ['@gatehouse/source'] } },
    build: {
      ssr: true,
      outDir: path.dirname(MAIN),
      emptyOutDir: false, // other projects' specs run what was built there
      rolldownOptions: {
        input: {
          [path.basename(MAIN, '.mjs')]: 'src/main.ts',
          'disk.worker': '../../libs/engine/control-link/src/disk.worker.ts',
        },
        output: { entryFileNames: '[name].mjs' },
      },
    },
  });
});
beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'gatehouse-runner-process-'));
  port = await freePort();
  controlPlane = new FakeControlPlane();
  await controlPlane.listen();
  const slow = 'exports.handler = async (e) => { await new Promise((r) => setTimeout(r, e.ms ?? 0)); return process.pid; };';
  controlPlane.publish(functionEntry('pid', { timeoutMs: 120_000 }), await zipOf({ 'index.js': slow }));
  controlPlane.publish(
    functionEntry('loop', { timeoutMs: 120_000 }),
    await zipOf({ 'index.js': 'exports.handler = async () => { for (;;); };' }),
  );
});
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  controlPlane.close();
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

async function startRunner(status = 200): Promise<ChildProcess> {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env['PATH'],
      GATEHOUSE_NODE_TOKEN: TOKEN,
      GATEHOUSE_RUNNER_PORT: String(port),
      GATEHOUSE_DATA_DIR: dataDir,
      GATEHOUSE_CONTROL_ADDRESS: controlPlane.address,
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  started.push(child);
  await expect.poll(ready, { timeout: 15_000 }).toBe(status);
  return child;
}

const ready = (): Promise<number> =>
  fetch(`http://127.0.0.1:${port}/readyz`).then(
    ({ status }) => status,
    () => 0,
  );

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return free;
}

const invoke = async (name: string, event: unknown = {}): Promise<unknown> => {
  const response = await fetch(`http://127.0.0.1:${port}/2015-03-31/functions/${ACCOUNT}:function:${name}/invocations`, {
    method: 'POST',
    body: JSON.stringify(event),
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  return response.json();
};
/** A zombie has ended; its new parent just has not looked yet. */
const isAlive = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return false;
  }
};
const allEnded = (pids: readonly number[]) => expect.poll(() => pids.filter(isAlive), { timeout: 5_000 }).toEqual([]);

test('it serves what the control plane publishes, and after a restart without one what its disk holds', async () => {
  const first = await startRunner();
  expect(controlPlane.tokens[0]).toBe(`Bearer ${TOKEN}`);
  expect(await invoke('pid')).toBeTypeOf('number');
  first.kill('SIGKILL');
  await once(first, 'exit');
  controlPlane.close();
  await startRunner();
  expect(await invoke('pid')).toBeTypeOf('number');
});

test('it serves on while control planes are gone, and takes what was published meanwhile when one is back', async () => {
  await startRunner();
  const before = await invoke('pid');
  controlPlane.close();
  expect(await invoke('pid'), 'the warm environment, as if nothing had happened').toBe(before);
  const again = new FakeControlPlane();
  const answering = await zipOf({ 'index.js': 'exports.handler = async () => "new";' });
  again.publish(functionEntry('pid', { timeoutMs: 120_000 }), answering);
  again.publish(functionEntry('late'), answering);
  await again.listen(controlPlane.address);
  controlPlane = again;
  await expect.poll(() => invoke('late'), { timeout: 15_000 }).toBe('new');
  expect(await invoke('pid')).toBe('new');
});

test('with an empty disk and no control plane it is alive and not ready, until there is one', async () => {
  const { address } = controlPlane;
  controlPlane.close();
  await startRunner(503);
  expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  expect(await invoke('pid')).toMatchObject({ Type: 'User' });
  controlPlane = new FakeControlPlane();
  controlPlane.publish(functionEntry('pid'), await zipOf({ 'index.js': 'exports.handler = async () => "new";' }));
  await controlPlane.listen(address);
  await expect.poll(ready, { timeout: 15_000 }).toBe(200);
  expect(await invoke('pid')).toBe('new');
});

test('SIGTERM lets the calls in progress answer, then ends every environment', async () => {
  const runner = await startRunner();
  const idle = (await invoke('pid')) as number;
  const call = invoke('pid', { ms: 500 });
  const other = invoke('pid', { ms: 500 });
  await expect.poll(() => childrenOf(runner).length).toBe(2);
  const ended = once(runner, 'exit');
  runner.kill('SIGTERM');
  const pids = [idle, (await call) as number, (await other) as number];
  expect(await ended).toEqual([0, null]);
  await allEnded(pids);
});

test('it stops when its launcher is gone', async () => {
  const runner = await startRunner();
  const pid = (await invoke('pid')) as number;
  expect(isAlive(pid)).toBe(true);
  const ended = once(runner, 'exit');
  runner.disconnect();
  expect(await ended).toEqual([0, null]);
  await allEnded([pid]);
});

// Without setpriv an endless loop notices nothing; the README says so.
test.runIf(sandbox.endsWithRunner)('kill -9 of the runner leaves no environment behind: idle, busy or looping', async () => {
  const runner = await startRunner();
  const idle = (await invoke('pid')) as number;
  const calls = [invoke('pid', { ms: 60_000 }), invoke('pid', { ms: 60_000 }), invoke('loop')].map((call) =>
    call.catch(() => null),
  );
  await expect.poll(() => childrenOf(runner).length).toBe(3);
  const pids = childrenOf(runner);
  expect(pids).toContain(idle);
  runner.kill('SIGKILL');
  await Promise.all(calls);
  await allEnded(pids);
});

function childrenOf({ pid }: ChildProcess): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}
