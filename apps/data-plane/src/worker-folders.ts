/**
 * Where worker processes count: one folder for each process that ever served, below the node's usage folder.
 *
 *   usage/                         batches with their names for good, of the node (UsageJournal)
 *   usage/worker-{epoch}-{n}/      the journal of the n-th worker process of that epoch; its files have no batch's name yet
 *       owner                      which process writes here
 *
 * A file gets its batch's name by a rename into `usage/`: when its worker says it is closed, or once that process is gone. Until
 * then nobody reads it, so a worker that outlives its supervisor counts to its end. Nothing is lost or doubled whoever is
 * killed, and it does not matter how many workers the next start has.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CountedUsage, UsageBatch, UsageJournal } from '@gatehouse/engine-limits';
import type { Logger } from 'pino';

export interface WorkerFoldersOptions {
  /** The node's usage folder. */
  readonly folder: string;
  /** The node's journal, in that folder. */
  readonly journal: Pick<UsageJournal, 'epoch' | 'takeOver'>;
  readonly log: Pick<Logger, 'error' | 'info'>;
}

const NAME = /^worker-(\d{1,15})-(\d{1,15})$/;
const LOOK_AGAIN_MS = 1_000;

export class WorkerFolders {
  /** Of this epoch, whose processes live. */
  private readonly own = new Set<string>();
  /** Looked at, and not to be taken over: a human's. */
  private readonly unreadable = new Set<string>();
  private timer: NodeJS.Timeout | null = null;
  private isWatchOver = false;

  constructor(private readonly options: WorkerFoldersOptions) {}

  /** Makes the folder of a new process, which is alive as far as others can tell until it ends. */
  make(worker: number, pid: number): string {
    const { folder, journal } = this.options;
    const name = `worker-${journal.epoch}-${worker}`;
    this.own.add(name);
    mkdirSync(path.join(folder, name), { recursive: true });
    writeFileSync(path.join(folder, name, 'owner'), JSON.stringify({ pid, startedAt: startOf(pid) }));
    return path.join(folder, name);
  }

  /** A worker of this epoch closed a file: it is a batch of the node from here on. `null` if it holds nothing. Throws as `takeOver`. */
  takeOver(worker: number, sequence: number, counts: readonly CountedUsage[]): UsageBatch | null {
    const { folder, journal } = this.options;
    const file = `${journal.epoch}-${sequence}.usage`;
    return journal.takeOver(path.join(folder, `worker-${journal.epoch}-${worker}`, file), counts);
  }

  /** The process is gone and nothing it said is unheard: takes over what it left. `isWhole`: that is all it counted. */
  ended(worker: number): { readonly batches: readonly UsageBatch[]; readonly isWhole: boolean } {
    const name = `worker-${this.options.journal.epoch}-${worker}`;
    if (!this.own.delete(name)) return { batches: [], isWhole: true };
    const batches = this.empty(name, false);
    return { batches, isWhole: !this.unreadable.has(name) };
  }

  /** Takes over what earlier processes left, now or as soon as they are gone. */
  watch(onBatch: (batch: UsageBatch) => void): void {
    this.timer = null;
    this.isWatchOver = this.takeOverEarlier(onBatch);
    if (this.isWatchOver) return;
    this.timer = setTimeout(() => this.watch(onBatch), LOOK_AGAIN_MS);
  }

  /** Nothing that an earlier process counted is outside of the node's journal. */
  get isEarlierTakenOver(): boolean {
    return this.isWatchOver && this.unreadable.size === 0;
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** True when nothing is left of earlier epochs. */
  private takeOverEarlier(onBatch: (batch: UsageBatch) => void): boolean {
    const { folder, journal } = this.options;
    let isDone = true;
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      const match = NAME.exec(name);
      if (match === null || Number(match[1]) === journal.epoch || this.unreadable.has(name)) continue;
      if (isOwned(path.join(folder, name))) isDone = false;
      else for (const batch of this.empty(name, true)) onBatch(batch);
    }
    return isDone;
  }

  private empty(name: string, isEarlier: boolean): UsageBatch[] {
    const { folder, journal, log } = this.options;
    const own = path.join(folder, name);
    const batches: UsageBatch[] = [];
    try {
      for (const file of readdirSync(own).filter((candidate) => candidate.endsWith('.usage'))) {
        const batch = journal.takeOver(path.join(own, file), null, isEarlier);
        if (batch !== null) batches.push(batch);
      }
      rmSync(own, { recursive: true, force: true });
    } catch (cause) {
      this.unreadable.add(name);
      log.error({ err: cause, folder: own }, 'usage of a worker cannot be taken over');
    }
    return batches;
  }
}

/** Whether the process that counts in this folder lives. */
function isOwned(folder: string): boolean {
  try {
    const { pid, startedAt } = JSON.parse(readFileSync(path.join(folder, 'owner'), 'utf8')) as {
      pid: number;
      startedAt: string | null;
    };
    process.kill(pid, 0);
    // A process id is used again; its start is not. Where there is no /proc, the id has to do.
    return startedAt === null || startOf(pid) === startedAt;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When the process started, in the kernel's ticks; `null` when nobody can say, 'ended' for one that only waits to be reaped. */
function startOf(pid: number): string | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // Behind the name in parentheses, which may hold anything: state is field 3, start field 22 (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : (fields[19] ?? null);
}
