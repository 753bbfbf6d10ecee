export { testInvokeOperations, type TestInvokeDependencies, type TestInvokeOperations } from './test-invoke.operations.js';
