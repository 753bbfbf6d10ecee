import { defineConfig } from 'vitest/config';

/** Shared by every project: libraries are read from source, so tests need no build. */
export default defineConfig({
  test: { include: ['src/**/*.spec.ts'], testTimeout: 20_000, hookTimeout: 60_000 },
  ssr: { resolve: { conditions: ['@gatehouse/source'] } },
});
