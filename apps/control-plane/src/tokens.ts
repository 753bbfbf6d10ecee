/** Names of injected things that have no class of their own. */
export const CLOCK = Symbol('Clock');
export const NODE_ADMIN = Symbol('NodeAdmin');
export const TENANT_STORE = Symbol('TenantStore');
export const REQUEST_EXPLAINER = Symbol('RequestExplainer');
export const READINESS = Symbol('Readiness');
export const METRICS = Symbol('MetricsRegistry');
