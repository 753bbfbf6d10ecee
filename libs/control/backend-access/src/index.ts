export {
  backendAccessOperations,
  type BackendAccessDependencies,
  type BackendAccessOperations,
} from './backend-access.operations.js';
