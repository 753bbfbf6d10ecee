import { defineConfig } from 'vitest/config';

/** The product as a user gets it: a clean clone, the README's commands, real processes. One file after the other: they share the machine. */
export default defineConfig({
  test: {
    include: ['src/**/*.spec.ts'],
    globalSetup: ['src/checkout.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 300_000,
  },
  ssr: { resolve: { conditions: ['@gatehouse/source'] } },
});
