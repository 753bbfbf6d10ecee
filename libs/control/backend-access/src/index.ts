export {
  backendAccessOperations,
  type BackendAccessDependencies,
  type BackendAccessOperations,
} from './backend-access.operations.js';
export { VpcLinks } from './vpc-links.service.js';
