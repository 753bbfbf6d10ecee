import type { Reporter, TestModule } from 'vitest/node';

/** Names every test that passed only when tried a second time, so that a race is seen before it fails twice. */
export default class SecondTryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules)
      for (const test of module.children.allTests('passed'))
        if (test.diagnostic()?.flaky) console.log(`PASSED ON A SECOND TRY: ${module.moduleId} > ${test.fullName}`);
  }
}
