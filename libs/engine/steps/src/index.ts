export { admitUnrouted, authorize, type AuthorizerConnectors } from './authorize.js';
export {
  decide,
  UserPoolAuthorizer,
  FunctionAuthorizer,
  type AuthorizerAnswer,
  type AuthorizerOutcome,
} from './authorizer/index.js';
export { convertProxyAnswer } from './content-handling.js';
export { compressResponse } from './compress-response.js';
export { identifyKey } from './identify-key.js';
export { integrate } from './integrate.js';
export { BODY_BYTES_MAX, limitBody } from './limit-body.js';
export { mapFunctionResponse } from './map-function-response.js';
export { mapProxyResponse, mapStreamedProxyResponse } from './map-proxy-response.js';
export { mapStreamedResponse } from './map-streamed-response.js';
export { sourceArn } from './function-caller.js';
export { answeringErrors, bodyOfFunction, errorMessageOf } from './map-function-call.js';
export { mapRequest, type RequestMapping } from './map-request.js';
export { mapResponse, type ResponseMapping } from './map-response.js';
export { openJournal } from './open-journal.js';
export { readBody } from './read-body.js';
export { selectResponse } from './select-response.js';
export { settleUsage, settlingFaults } from './settle-usage.js';
export { throttle, type Limits } from './throttle.js';
export { bodyToCheck, checkBody, checkParameters } from './validate-request.js';
export { mayInvalidateCache } from './iam/index.js';
