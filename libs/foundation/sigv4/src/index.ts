export { pathSegments } from './canonical.js';
export { readClaim, type ClaimResult, type SignatureClaim, type SignedRequest } from './claim.js';
export { SIGNATURE_FAULT_STATUS, type SignatureFault } from './faults.js';
export { SignatureVerifier, type ScopePolicy, type SigningCredential } from './verifier.js';
