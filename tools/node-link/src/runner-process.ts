/** A function runner as a process of its own, as it is built (`npm run build` comes first). */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TOKEN, type testFolder } from './harness.js';

const MAIN = path.resolve(import.meta.dirname, '../../../apps/function-runner/dist/main.js');

/** Resolves with its URL once it is ready. */
export async function startRunnerProcess(
  scope: Awaited<ReturnType<typeof testFolder>>,
  controlPort: number,
  { env = {} }: { readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const reserved = createServer().listen(0, '127.0.0.1');
  await once(reserved, 'listening');
  const { port } = reserved.address() as AddressInfo;
  reserved.close();
  const child = fork(MAIN, [], {
    env: {
      PATH: process.env['PATH'],
      GATEHOUSE_NODE_TOKEN: TOKEN.reveal(),
      GATEHOUSE_RUNNER_PORT: String(port),
      GATEHOUSE_DATA_DIR: path.join(scope.folder, 'runner'),
      GATEHOUSE_CONTROL_ADDRESS: `127.0.0.1:${controlPort}`,
      ...env,
    },
    execArgv: [], // the test runner's would read libraries from source
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  scope.cleanUps.push(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the runner ended with ${child.exitCode}`);
    const ready = await fetch(`${url}/readyz`).catch(() => null);
    if (ready?.status === 200) return url;
    await delay(20);
  }
}
