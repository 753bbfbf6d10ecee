export { functionEntryId } from './entries.js';
export { ScriptedInvoker, type FunctionAnswer, type FunctionCall, type FunctionInvoker } from './function-invoker.js';
export { functionOperations, type FunctionDependencies, type FunctionOperations } from './functions.operations.js';
export { HttpFunctionInvoker } from './http-function-invoker.js';
