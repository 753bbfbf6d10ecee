// What Linux says about processes and cores: CPU time, memory, children. All of it from /proc.
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

/** Kernel ticks in /proc are 1/100 s on every Linux (USER_HZ). */
const TICK_US = 10_000;

/** CPU time and parent out of one line of /proc/<pid>/stat. The program's name may hold spaces and brackets: fields count after it. */
export function parseStat(line) {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const ticks = (...names) => names.reduce((sum, index) => sum + Number(fields[index]), 0) * TICK_US;
  return { parentPid: Number(fields[1]), cpuUs: ticks(11, 12), endedChildrenUs: ticks(13, 14) };
}

function statOf(pid) {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return null; // ended since it was listed
  }
}

/** A process and all its descendants. */
export function processTree(rootPid) {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), parentPid: statOf(name)?.parentPid }));
  const tree = [rootPid];
  for (const pid of tree) tree.push(...parents.filter(({ parentPid }) => parentPid === pid).map((child) => child.pid));
  return tree;
}

/** Sum over the processes, user and system, every thread. */
export function cpuUs(pids) {
  return pids.reduce((sum, pid) => sum + (statOf(pid)?.cpuUs ?? 0), 0);
}

/** Of a server whose processes come and go, as PostgreSQL's: theirs counts when they have ended, too. */
export function serverCpuUs(rootPid) {
  return cpuUs(processTree(rootPid)) + (statOf(rootPid)?.endedChildrenUs ?? 0);
}

/** Resident memory, summed; pages shared between the processes count once for each. */
export function residentBytes(pids) {
  return pids.reduce((sum, pid) => {
    try {
      return sum + Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
    } catch {
      return sum;
    }
  }, 0);
}

/** Time a core spent working for anybody, and time the hypervisor took from it. Field order: proc(5), /proc/stat. */
export function parseCore(text, core) {
  const fields = new RegExp(`^cpu${core} (.*)$`, 'm').exec(text)?.[1].split(' ').map(Number);
  const [user, nice, system, , , irq, softirq, steal] = fields;
  return { busyUs: (user + nice + system + irq + softirq) * TICK_US, stolenUs: steal * TICK_US };
}

export function coreTimes(core) {
  return parseCore(readFileSync('/proc/stat', 'latin1'), core);
}

/** Keeps every thread of a running process on one core; what it starts later inherits that. */
export function pin(pid, core) {
  const { status, stderr } = spawnSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`Cannot pin process ${pid} to core ${core}: ${stderr}`);
}

/**
 * Puts running processes before all ordinary ones of their cores: in real time (SCHED_FIFO; a higher number goes first), or with 0 back among
 * them. For processes with one busy thread: a thread of V8 that spins for another never lets it have its turn then. False
 * where that takes more rights than we have.
 */
export function putFirst(pids, priority) {
  const policy = priority === 0 ? '-o' : '-f';
  return pids.every((pid) => spawnSync('chrt', ['-a', policy, '-p', String(priority), String(pid)]).status === 0);
}

/** Puts every thread of running processes at the head of the ordinary ones; what they start later inherits that. False: as of `putFirst`. */
export function prefer(pids) {
  const threads = pids.flatMap((pid) => readdirSync(`/proc/${pid}/task`));
  return spawnSync('renice', ['-n', '-20', '-p', ...threads]).status === 0;
}

/** Raises how many files (so connections) this process and what it starts may have open, as far as it may; returns the limit. */
export function raiseFileLimit(wanted) {
  const own = String(process.pid);
  const limit = () => Number(spawnSync('prlimit', ['-p', own, '-n', '-o', 'SOFT', '--noheadings'], { encoding: 'utf8' }).stdout);
  if (limit() < wanted) {
    const { status } = spawnSync('prlimit', ['-p', own, `--nofile=${wanted}:${wanted}`]); // root may
    if (status !== 0) spawnSync('prlimit', ['-p', own, `--nofile=${hardFileLimit()}:`]);
  }
  return limit();
}

function hardFileLimit() {
  return /^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))[1];
}
