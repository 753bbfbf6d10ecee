export { TestRuns, type TestRequest, type TestResult, type TestRunsOptions } from './test-runs.js';
