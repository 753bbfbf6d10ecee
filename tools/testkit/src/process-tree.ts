import { readdirSync, readFileSync } from 'node:fs';

/** A process and all below it now, parents before their children. Linux. */
export function processTree(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      // "pid (name) state ppid ...": the name may hold anything, also brackets.
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // it ended meanwhile
    }
  }
  const tree = [root];
  for (const parent of tree) for (const [pid, ppid] of parents) if (ppid === parent) tree.push(pid);
  return tree;
}
