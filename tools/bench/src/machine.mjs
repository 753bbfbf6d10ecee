// What a figure belongs to: the machine and the code.
import { spawnSync } from 'node:child_process';
import os from 'node:os';

export function machine() {
  const cpus = os.cpus();
  return {
    cpu: cpus[0].model,
    cores: cpus.length,
    memoryBytes: os.totalmem(),
    kernel: `${os.type()} ${os.release()}`,
    arch: os.arch(),
    node: process.versions.node,
  };
}

/** The commit, and whether tracked files differed from it. */
export function revision(root) {
  const git = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  const head = git('rev-parse', '--short', 'HEAD');
  if (head.status !== 0) return { commit: null, isDirty: false };
  return { commit: head.stdout.trim(), isDirty: git('status', '--porcelain', '-uno', 'apps', 'libs').stdout !== '' };
}
