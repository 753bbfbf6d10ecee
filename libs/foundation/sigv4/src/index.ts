export { pathSegments, strictPath, strictQuery } from './canonical.js';
export { incompleteAuthorization, readClaim, type ClaimResult, type SignatureClaim, type SignedRequest } from './claim.js';
export { SIGNATURE_FAULT_STATUS, wrongSignature, type SignatureFault } from './faults.js';
export { RequestSigner, type Credentials, type RequestToSign, type SigningScope } from './signer.js';
export { deriveSigningKey, SignatureVerifier, type DerivedKeys, type ScopePolicy, type SigningCredential } from './verifier.js';
