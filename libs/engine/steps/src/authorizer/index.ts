export { decide, type AuthorizerAnswer, type ContextValue } from './authorizer-answer.js';
export { FunctionAuthorizer, type AuthorizerOutcome } from './function-authorizer.js';
