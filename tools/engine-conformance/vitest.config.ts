import { mergeConfig } from 'vitest/config';
import base from '../../vitest.base.ts';

// Most tests wait for timers of their own gate; the soak test looks at the heap.
export default mergeConfig(base, { test: { maxConcurrency: 12, execArgv: ['--expose-gc'] } });
