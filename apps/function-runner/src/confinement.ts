/**
 * Keeps a program that nobody trusts from the files of the installation and of its neighbours. Node.js programs too: their
 * permission model is a second fence, but one with gaps (node:sqlite opens any file). What it is depends on what the runner
 * may do; found out once, by trying:
 *
 *   own-user    the runner is root: namespaces of its own, and a user id of its own without groups or capabilities
 *   own-files   it is not: the same namespaces inside of a user namespace, as far as the machine allows those
 *   none        it may do neither; the program can read what the runner can
 *
 * In its namespaces the program sees its own processes only (Node.js programs, which cannot start any, keep the machine's
 * process numbers), its scratch folder as /tmp, its package, and neither the state
 * folder nor the runner's home (runtime/confine.sh).
 */
import { execFile } from 'node:child_process';
import { chownSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { BOOTSTRAPS, interpreterFolders, type Folders } from './runtimes.js';

export interface ConfinementSettings {
  readonly dataDir: string;
  /** First of the user and group ids for environments; nobody else on the machine may have one of the range. */
  readonly userIdBase: number;
}

export interface Command {
  readonly argv: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  /** Cannot start processes. */
  readonly isSingle: boolean;
}

/** One environment's place; `close` when its last process has ended. */
export interface Cell {
  command(command: Command): Pick<Command, 'argv' | 'variables'>;
  close(): void;
}

/** More than environments can be alive, so that an id rests before it is used again. */
const USER_ID_COUNT = 20_000;
/** What programs and their libraries are made of: never hidden. */
const SYSTEM_FOLDER = /^\/(?:(?:bin|dev|etc|lib[^/]*|proc|sbin|sys|usr)(?:\/.*)?)?$/;
/** Become the scratch folder. */
const TEMPORARY_FOLDERS = ['/tmp', '/var/tmp'];
const OWN_PROCESSES = ['--pid', '--fork', '--kill-child', '--mount-proc'];
// The death signal once more: the kernel forgets it when a process changes its user.
const DROP_ALL = ['setpriv', '--no-new-privs', '--inh-caps=-all', '--bounding-set=-all', '--pdeathsig', 'KILL'];

export class Confinement {
  private readonly usedIds = new Set<number>();
  private lastId: number;

  private constructor(
    readonly kind: 'own-user' | 'own-files',
    private readonly settings: ConfinementSettings,
    private readonly stage: string,
    private readonly kept: readonly string[],
    private readonly covered: readonly string[],
  ) {
    this.lastId = settings.userIdBase;
  }

  /** `null` when this machine allows none. */
  static async open(settings: ConfinementSettings): Promise<Confinement | null> {
    const stage = path.join(settings.dataDir, 'stage');
    await mkdir(stage, { recursive: true, mode: 0o700 });
    const dataDir = await realpath(settings.dataDir);
    const interpreters = [BOOTSTRAPS, ...(await interpreterFolders())];
    const covered = await foldersToCover(dataDir, [dataDir, ...interpreters]);
    const kept = interpreters.filter((folder) => [...TEMPORARY_FOLDERS, ...covered].some((cover) => isInside(folder, cover)));
    for (const kind of process.getuid?.() === 0 ? (['own-user', 'own-files'] as const) : (['own-files'] as const)) {
      const confinement = new Confinement(kind, { ...settings, dataDir }, path.join(dataDir, 'stage'), kept, covered);
      if (await confinement.works()) return confinement;
    }
    return null;
  }

  /** Hands the scratch folder over to the environment. */
  cell(folders: Folders): Cell {
    const userId = this.kind === 'own-user' ? this.takeUserId() : null;
    if (userId !== null) chownSync(folders.scratch, userId, userId);
    return {
      command: (command) => this.wrap(command, folders, userId),
      close: () => {
        if (userId !== null) this.usedIds.delete(userId);
      },
    };
  }

  private wrap({ argv, variables, isSingle }: Command, { scratch, taskRoot }: Folders, userId: number | null) {
    const kept = [scratch, taskRoot, ...this.kept];
    const pairs = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const user = userId === null ? [] : ['--reuid', String(userId), '--regid', String(userId), '--clear-groups'];
    return {
      argv: [
        ...['unshare', '--mount', ...(isSingle ? [] : OWN_PROCESSES)],
        ...(userId === null ? ['--user', '--map-root-user'] : []),
        ...['sh', path.join(BOOTSTRAPS, 'confine.sh'), this.stage, String(kept.length), String(this.covered.length)],
        ...kept,
        ...this.covered,
        ...[...DROP_ALL, ...user],
        ...['sh', path.join(BOOTSTRAPS, 'enter.sh'), String(pairs.length)],
        ...argv,
      ],
      // The tenant's own names would speak to the programs above, which run with the runner's privileges.
      variables: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        ...Object.fromEntries(pairs.map((pair, index) => [`V${index}`, pair])),
      },
    };
  }

  private takeUserId(): number {
    const { userIdBase } = this.settings;
    do this.lastId = userIdBase + ((this.lastId - userIdBase + 1) % USER_ID_COUNT);
    while (this.usedIds.has(this.lastId));
    this.usedIds.add(this.lastId);
    return this.lastId;
  }

  /** Can a program be started in it, and does it see what it must? */
  private async works(): Promise<boolean> {
    const scratch = await mkdtemp(path.join(this.settings.dataDir, 'trial-'));
    const cell = this.cell({ scratch, taskRoot: BOOTSTRAPS });
    const trial = ['test', '-r', path.join(BOOTSTRAPS, 'python.py'), '-a', '-x', process.execPath];
    try {
      for (const isSingle of [true, false]) {
        const { argv, variables } = cell.command({ argv: trial, variables: {}, isSingle });
        const [file, ...args] = argv;
        await promisify(execFile)(file as string, args, { timeout: 10_000, env: variables });
      }
      return true;
    } catch {
      return false;
    } finally {
      cell.close();
      await rm(scratch, { recursive: true, force: true });
    }
  }
}

/** None where the user has no entry among the accounts and `HOME` is not set, as in clusters that make users up. */
function homeFolder(): string[] {
  try {
    return [os.homedir()];
  } catch {
    return [];
  }
}

/** The state folder, the home, shared memory, and what would keep another user from the folders in `needed`. */
async function foldersToCover(dataDir: string, needed: readonly string[]): Promise<string[]> {
  const state = path.dirname(dataDir); // GATEHOUSE_HOME when the launcher starts us
  const folders = [SYSTEM_FOLDER.test(state) ? dataDir : state, ...homeFolder(), ...(await closedAncestors(needed))];
  const covered = folders.filter((folder) => !SYSTEM_FOLDER.test(folder) && !TEMPORARY_FOLDERS.includes(folder));
  // Outer folders first: what lies in them is gone then, and its own cover is left out.
  return [...new Set([...covered, '/dev/shm'])].sort((a, b) => a.length - b.length);
}

async function closedAncestors(folders: readonly string[]): Promise<string[]> {
  const closed: string[] = [];
  for (const folder of folders) {
    for (let parent = path.dirname(folder); parent !== '/'; parent = path.dirname(parent)) {
      if (((await stat(parent)).mode & 0o001) === 0) closed.push(parent);
    }
  }
  return closed;
}

const isInside = (folder: string, outer: string): boolean => folder === outer || folder.startsWith(`${outer}/`);
