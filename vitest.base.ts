import path from 'node:path';
import { defineConfig } from 'vitest/config';

/**
 * `npm test` gives a failed test one second try, as its neighbours take the machine from it; `tools/workspace/second-try.reporter.ts` names it.
 * Seeds are fixed, so what is wrong fails twice. While working on a project there is none.
 */
export const secondTries = Number(process.env.GATEHOUSE_SECOND_TRIES ?? 0);

/** Named by path: every project reads this file from its own folder. */
export const reporters = ['default', path.resolve(import.meta.dirname, 'tools/workspace/second-try.reporter.ts')];

/** Shared by every project: libraries are read from source, so tests need no build. */
export default defineConfig({
  test: { include: ['src/**/*.spec.ts'], testTimeout: 20_000, hookTimeout: 60_000, retry: secondTries, reporters },
  ssr: { resolve: { conditions: ['@gatehouse/source'] } },
});
