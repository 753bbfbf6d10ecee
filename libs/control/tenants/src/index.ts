export { createTenant } from './create-tenant.js';
export { tenantOperations, type TenantDependencies, type TenantOperations } from './tenants.operations.js';
