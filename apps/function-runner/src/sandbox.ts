/**
 * The operating system's part of an execution environment: the command line that a tenant's program runs under.
 *
 *   setpriv   kills the program when the runner dies, however it dies; no set-user-id programs
 *   unshare   own process numbers and own /proc: the program sees and signals only itself, and ends with all its children
 *   prlimit   no core files, bounded descriptors and file size
 *
 * Each is used where the machine has it. Node.js programs need no `unshare`: their permission model denies children and /proc.
 * Where confinement.ts can do more for the others, it takes its place.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface Sandbox {
  /** Programs die with the runner even when stopped, so idle ones can be frozen. */
  readonly endsWithRunner: boolean;
  /** Untrusted programs see only their own processes, and all of those end together. */
  readonly hidesProcesses: boolean;
  /** `argv` in its wrapper; `isConfined` programs bring their own confinement. */
  wrap(argv: readonly string[], settings: { readonly isConfined: boolean; readonly fileBytesMax: number }): string[];
}

const DESCRIPTORS_MAX = 1024; // Lambda's limit
const SETPRIV = ['setpriv', '--pdeathsig', 'KILL', '--no-new-privs'];
const UNSHARE = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
const UNSHARE_AS_USER = [...UNSHARE, '--user', '--map-current-user'];
const PRLIMIT = ['prlimit', '--core=0', `--nofile=${DESCRIPTORS_MAX}:${DESCRIPTORS_MAX}`];

/** Finds out what this machine offers, once, by trying. */
export async function detectSandbox(): Promise<Sandbox> {
  const [setpriv, unshare, unshareAsUser, prlimit] = await Promise.all([
    works([...SETPRIV, 'true']),
    works([...UNSHARE, 'true']),
    works([...UNSHARE_AS_USER, 'true']),
    works([...PRLIMIT, 'true']),
  ]);
  const own = unshare ? UNSHARE : unshareAsUser ? UNSHARE_AS_USER : [];
  return {
    endsWithRunner: setpriv,
    hidesProcesses: own.length > 0,
    wrap: (argv, { isConfined, fileBytesMax }) => [
      ...(setpriv ? SETPRIV : []),
      ...(isConfined ? [] : own),
      ...(prlimit ? [...PRLIMIT, `--fsize=${fileBytesMax}:${fileBytesMax}`] : []),
      ...argv,
    ],
  };
}

const run = promisify(execFile);

async function works([file, ...args]: readonly string[]): Promise<boolean> {
  try {
    await run(file as string, args, { timeout: 5_000 });
    return true;
  } catch {
    return false;
  }
}
