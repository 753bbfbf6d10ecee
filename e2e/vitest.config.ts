import { defineConfig } from 'vitest/config';
import { reporters, secondTries } from '../vitest.base.ts';

/** The product as a user gets it: a clean clone, the README's commands, real processes. One file after the other: they share the machine. */
export default defineConfig({
  test: {
    include: ['src/**/*.spec.ts'],
    globalSetup: ['src/checkout.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 300_000,
    retry: secondTries,
    reporters,
  },
  ssr: { resolve: { conditions: ['@gatehouse/source'] } },
});
