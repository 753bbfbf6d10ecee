import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { eventually, type Gatehouse } from './gatehouse.js';

type Part = 'data-plane' | 'function-runner';

/** Starts single processes of a stopped installation by hand, on its folders and ports. */
export async function startParts(
  gatehouse: Gatehouse,
  names: readonly Part[],
  extra: Record<string, string>,
): Promise<{ stop(): Promise<void> }> {
  const { nodeToken } = JSON.parse(readFileSync(path.join(gatehouse.home, 'secrets.json'), 'utf8')) as { nodeToken: string };
  const children = names.map((name) =>
    spawn(
      path.join(gatehouse.checkout, 'node_modules/.bin/node'),
      [path.join(gatehouse.checkout, 'apps', name, 'dist/main.js')],
      {
        env: {
          PATH: process.env['PATH'],
          ...gatehouse.environment,
          GATEHOUSE_NODE_TOKEN: nodeToken,
          GATEHOUSE_RUNNER_URL: gatehouse.url('GATEHOUSE_RUNNER_PORT'),
          GATEHOUSE_DATA_DIR: path.join(gatehouse.home, name),
          GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: '1',
          ...extra,
        },
        stdio: ['ignore', 'inherit', 'inherit'],
      },
    ),
  );
  const ports = { 'data-plane': 'GATEHOUSE_NODE_ADMIN_PORT', 'function-runner': 'GATEHOUSE_RUNNER_PORT' } as const;
  for (const name of names) {
    await eventually(
      `${name} is ready`,
      async () => (await fetch(`${gatehouse.url(ports[name])}/readyz`).catch(() => null))?.status === 200,
    );
  }
  return {
    stop: async () => {
      for (const child of children) {
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        await ended;
      }
    },
  };
}
