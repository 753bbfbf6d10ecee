/** Reads /proc: memory and processes of an execution environment. On machines without /proc nothing is known. */
import { readdirSync, readFileSync } from 'node:fs';

export interface TreeUse {
  /** Resident memory of all its processes. */
  readonly residentBytes: number;
  readonly pids: readonly number[];
}

/** Of one process that cannot have children; `null` when it is gone. */
export function processUse(pid: number): TreeUse | null {
  const resident = residentBytes(pid);
  return resident === null ? null : { residentBytes: resident, pids: [pid] };
}

/** Highest resident memory of a process so far, in bytes; 0 when it is gone. */
export function peakResidentBytes(pid: number): number {
  return statusBytes(pid, 'VmHWM:') ?? 0;
}

/**
 * Of a session leader with everything below it: its descendants, and the members of its session whose parents are gone.
 * One pass over /proc serves all leaders.
 */
export function treeUses(leaders: readonly number[]): Map<number, TreeUse> {
  const uses = new Map<number, TreeUse>();
  for (const [pid, leader] of leadersByProcess(new Set(leaders))) {
    const resident = residentBytes(pid);
    if (resident === null) continue;
    const use = uses.get(leader) ?? { residentBytes: 0, pids: [] };
    uses.set(leader, { residentBytes: use.residentBytes + resident, pids: [...use.pids, pid] });
  }
  return uses;
}

/** The processes of one leader, itself included. */
export function treeOf(leader: number): number[] {
  return [...leadersByProcess(new Set([leader])).keys()];
}

type Processes = ReadonlyMap<number, { readonly parent: number; readonly session: number }>;

function leadersByProcess(leaders: ReadonlySet<number>): Map<number, number> {
  const processes = new Map<number, { parent: number; session: number }>();
  for (const name of listProcesses()) {
    const stat = readStat(name);
    if (stat !== null) processes.set(Number(name), stat);
  }
  const found = new Map<number, number>();
  for (const pid of processes.keys()) {
    const leader = leaderOf(pid, processes, leaders);
    if (leader !== null) found.set(pid, leader);
  }
  return found;
}

function leaderOf(pid: number, processes: Processes, leaders: ReadonlySet<number>): number | null {
  const session = processes.get(pid)?.session;
  if (session !== undefined && leaders.has(session)) return session;
  let current = pid;
  // Bounded: /proc is read while it changes, so the parents may form a circle.
  for (let depth = 0; depth < 1_000; depth++) {
    if (leaders.has(current)) return current;
    const next = processes.get(current)?.parent;
    if (next === undefined || next === 0) return null;
    current = next;
  }
  return null;
}

function listProcesses(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** The name in parentheses may hold anything, so fields are counted from the last parenthesis. proc(5), /proc/pid/stat. */
function readStat(pid: string): { parent: number; session: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), session: Number(fields[3]) };
  } catch {
    return null;
  }
}

const residentBytes = (pid: number): number | null => statusBytes(pid, 'VmRSS:');

function statusBytes(pid: number, field: string): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    const start = text.indexOf(field);
    return start < 0 ? null : Number.parseInt(text.slice(start + field.length), 10) * 1024;
  } catch {
    return null;
  }
}
