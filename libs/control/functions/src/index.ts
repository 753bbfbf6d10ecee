export { ScriptedInvoker, type FunctionAnswer, type FunctionCall, type FunctionInvoker } from './function-invoker.js';
export {
  FUNCTION_OPERATION_NAMES,
  functionOperations,
  type FunctionDependencies,
  type FunctionOperationName,
  type FunctionOperations,
} from './functions.operations.js';
export { HttpFunctionInvoker } from './http-function-invoker.js';
