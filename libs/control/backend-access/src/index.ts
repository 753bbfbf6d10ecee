export {
  backendAccessOperations,
  type BackendAccessDependencies,
  type BackendAccessOperations,
} from './backend-access.operations.js';
export { ServiceAccessAdmin, type RoleReport, type ServiceReport } from './service-access.service.js';
export { VpcLinks } from './vpc-links.service.js';
