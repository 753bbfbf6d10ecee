export { askAuthorizer } from './ask-authorizer.js';
export { decide, type AuthorizerAnswer } from './authorizer-answer.js';
export { FunctionAuthorizer, type AuthorizerOutcome } from './function-authorizer.js';
export { checkToken } from './check-token.js';
export { UserPoolAuthorizer, type PoolOutcome } from './user-pool-authorizer.js';
