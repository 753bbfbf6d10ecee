export {
  restApiOperationNames,
  restApiOperations,
  type RestApiDependencies,
  type RestApiOperations,
} from './rest-apis.operations.js';
