// Runs one command after the other with its output shown, and stops at the first that fails.
import { spawn } from 'node:child_process';
import path from 'node:path';

export const root = path.resolve(import.meta.dirname, '../..');

/** The Node that npm installed for this checkout; falls back to the one running. */
export const environment = {
  ...process.env,
  NX_DAEMON: 'false',
  NX_NO_CLOUD: 'true',
  NX_TUI: 'false',
  FORCE_COLOR: process.env.FORCE_COLOR ?? '0',
  PATH: `${path.join(root, 'node_modules/.bin')}${path.delimiter}${process.env.PATH ?? ''}`,
};

/** Resolves when the command exits with 0; rejects with its name and exit code otherwise. */
export function run(title, command, args, options = {}) {
  const startedMs = performance.now();
  console.log(`\n== ${title}`);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env: environment, stdio: ['ignore', 'inherit', 'inherit'], ...options });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
      if (code === 0) {
        console.log(`== ${title}: ok (${seconds} s)`);
        resolve();
      } else {
        reject(new Error(`${title} failed with ${signal ?? `exit code ${code}`} after ${seconds} s`));
      }
    });
  });
}
