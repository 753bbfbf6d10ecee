// PostgreSQL refuses to run as root. When we are root, its programs run as another user of the machine.
import { readFile, stat } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';

export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** `null` when we are not root (or on Windows): the programs run as ourselves. */
export async function findServerUser(): Promise<ServerUser | null> {
  if (process.getuid?.() !== 0) return null;
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const wanted of ['postgres', 'nobody']) {
    const line = lines.find(([name]) => name === wanted);
    if (line !== undefined) return { name: wanted, uid: Number(line[2]), gid: Number(line[3]) };
  }
  throw new Error(
    'PostgreSQL cannot run as root, and this machine has neither a user "postgres" nor "nobody". Run as another user.',
  );
}

/** Whether every folder on the way to `target` may be entered by everybody. */
export async function isOpenToOthers(target: string): Promise<boolean> {
  for (let folder = path.resolve(target); ; folder = path.dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return false;
    if (folder === path.dirname(folder)) return true;
  }
}

/** The command line that runs `command` as `user`, allowed to pass through the closed folders above `dataFolder`. */
export async function commandAs(
  user: ServerUser | null,
  dataFolder: string,
  command: string,
  args: readonly string[],
): Promise<string[]> {
  if (user === null) return [command, ...args];
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((program) => existsSync(program));
  if (setpriv === undefined)
    throw new Error('PostgreSQL cannot run as root, and setpriv (util-linux) is not installed. Run as another user.');
  const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  if (await isOpenToOthers(path.dirname(dataFolder))) {
    return [setpriv, ...identity, '--bounding-set=-all', '--inh-caps=-all', '--', command, ...args];
  }
  const capability = await passingCapability();
  if (capability === null) {
    throw new Error(
      `user "${user.name}", as which PostgreSQL runs for root, may not enter ${path.dirname(dataFolder)}. Set GATEHOUSE_HOME to another folder.`,
    );
  }
  const only = `-all,+${capability}`;
  return [setpriv, ...identity, `--bounding-set=${only}`, `--inh-caps=${only}`, `--ambient-caps=${only}`, '--', command, ...args];
}

/** The weakest capability we hold that lets a process enter any folder. Docker's default set has only the second. */
async function passingCapability(): Promise<string | null> {
  const status = await readFile('/proc/self/status', 'utf8');
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  const capabilities = [
    ['dac_read_search', 2n],
    ['dac_override', 1n],
  ] as const;
  return capabilities.find(([, bit]) => (effective & (1n << bit)) !== 0n)?.[0] ?? null;
}
