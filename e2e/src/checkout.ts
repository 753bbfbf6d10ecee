import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A checkout in which the README's set-up command has run. */
    checkout: string;
  }
}

/**
 * Clones the last commit into an empty folder and installs it with `npm ci`, as the README says. While developing,
 * GATEHOUSE_E2E_CHECKOUT names a checkout to use as it is.
 */
export default function prepareCheckout(project: TestProject): (() => void) | void {
  const given = process.env['GATEHOUSE_E2E_CHECKOUT'];
  if (given !== undefined) {
    project.provide('checkout', path.resolve(given));
    return;
  }
  const source = path.resolve(import.meta.dirname, '../..');
  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-clone-'));
  execFileSync('git', ['clone', '--quiet', '--no-hardlinks', source, folder], { stdio: 'inherit' });
  execFileSync('npm', ['ci', '--loglevel=error'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  project.provide('checkout', folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
