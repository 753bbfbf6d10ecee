export {
  apiPartOperationNames,
  apiPartOperations,
  type ApiPartDependencies,
  type ApiPartOperations,
} from './api-parts.operations.js';
export {
  restApiOperationNames,
  restApiOperations,
  type RestApiDependencies,
  type RestApiOperations,
} from './rest-apis.operations.js';
export { importOperations, type ImportDependencies, type ImportOperations } from './imports.operations.js';
