export { PolicyError } from './policy-error.js';
export { ALLOWED, DENIED, NO_MATCH, Policy, type PolicyDecision, type PolicyRequest, type PolicySettings } from './policy.js';
export { ANONYMOUS, type Caller } from './principals.js';
export type { KeyValues } from './wildcard.js';
