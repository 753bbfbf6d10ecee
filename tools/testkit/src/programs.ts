/** Programs of the machine that tests use where they are, or that root may install. */
import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const INSTALL_MS = 180_000;
/** Debian asks this file before a package starts its service; 101 means no. */
const POLICY = '/usr/sbin/policy-rc.d';

export function onPath(name: string): string | null {
  const folders = [
    ...(process.env.PATH ?? '').split(path.delimiter),
    '/usr/bin',
    '/usr/local/bin',
    '/usr/sbin',
    '/usr/local/sbin',
  ];
  return folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file)) ?? null;
}

/** The command, made to end with this process however that ends, a kill -9 too. Where `setpriv` is not, it is left as it is. */
export function endingWithUs(command: readonly [string, readonly string[]]): readonly [string, readonly string[]] {
  const setpriv = onPath('setpriv');
  return setpriv === null ? command : [setpriv, ['--pdeathsig', 'KILL', command[0], ...command[1]]];
}

/** False when this process is not root, or Debian does not give it. No service of it is started. */
export async function installFromDebian(name: string): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  const options = { timeout: INSTALL_MS, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  const ownPolicy = !existsSync(POLICY);
  if (ownPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await promisify(execFile)(
      'apt-get',
      ['-o', 'DPkg::Lock::Timeout=120', 'install', '-y', '--no-install-recommends', name],
      options,
    );
    return true;
  } catch (error) {
    console.log(`${name} cannot be installed here (${(error as Error).message.split('\n')[0]})`);
    return false;
  } finally {
    if (ownPolicy) rmSync(POLICY, { force: true });
  }
}
