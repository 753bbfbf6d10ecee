import path from 'node:path';
import { mergeConfig } from 'vitest/config';
import base from '../../vitest.base.ts';

/** Where specs note what the AWS SDK called: `coverage.reporter.ts` makes a table of it. */
const calls = path.resolve(import.meta.dirname, 'node_modules/.recorded-calls');

export default mergeConfig(base, {
  test: {
    env: { GATEHOUSE_RECORD_CALLS: calls },
    reporters: [[path.resolve(import.meta.dirname, 'src/conformance/coverage.reporter.ts'), calls]],
  },
});
