export { AccessKeys, type AccessKeyReport, type NewAccessKey, type PolicyReport } from './access-keys.service.js';
export { createTenant } from './create-tenant.js';
export { Sessions } from './sessions.service.js';
export { tenantOperations, type TenantDependencies, type TenantOperations } from './tenants.operations.js';
