import { mergeConfig } from 'vitest/config';
import base from '../../vitest.base.ts';

/** `npx vitest run --update` writes the goldens anew (testdata/out). */
export default mergeConfig(base, {
  test: { provide: { updateGoldens: process.argv.includes('--update') || process.argv.includes('-u') } },
});
