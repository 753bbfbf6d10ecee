export { authorizeSigned, mayInvalidateCache, refuseCaller } from './authorize-signed.js';
export { bothAllow, denyingStatement, eitherAllows, evaluate, EXPLICIT_DENY, INVOKE } from './judge.js';
export { apiArnOf, limitMethodArn, maskedArn, methodArnOf } from './method-arn.js';
export { inTurn, needAllow, resourcePolicyOf, unlessDenied, type LinkedPolicy } from './resource-policy.js';
export { throughEndpoint, type VpcEndpoints } from './private-endpoint.js';
