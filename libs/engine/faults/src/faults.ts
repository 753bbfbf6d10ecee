/**
 * Every way a request can fail at the gateway. Source: data-plane reference §1.1, §1.4, §1.5, §3.13, §4.4.
 *
 * One row per cause. Several causes may share a response type (what the API's owner customises): the status a type is listed
 * with and the status a cause has at run time differ, e.g. INTEGRATION_FAILURE is listed as 504, and a malformed answer of a
 * function is 502.
 */
import type { FaultKind } from '@gatehouse/engine-exchange';

const INTERNAL = 'Internal server error';

const SPECS = {
  // Before a stage is known, and so never customised.
  UNKNOWN_HOST: fault('DEFAULT_4XX', 403, 'ForbiddenException', 'Forbidden', 'caller'),
  MALFORMED_TARGET: fault('DEFAULT_4XX', 400, 'BadRequestException', 'Bad Request', 'caller'),

  // One row per gateway response type, in the type's own name.
  ACCESS_DENIED: fault('ACCESS_DENIED', 403, 'AccessDeniedException', 'User is not authorized to access this resource', 'caller'),
  API_CONFIGURATION_ERROR: fault('API_CONFIGURATION_ERROR', 500, 'InternalServerErrorException', INTERNAL, 'owner'),
  AUTHORIZER_CONFIGURATION_ERROR: fault('AUTHORIZER_CONFIGURATION_ERROR', 500, 'AuthorizerConfigurationException', null, 'owner'),
  AUTHORIZER_FAILURE: fault('AUTHORIZER_FAILURE', 500, 'AuthorizerFailureException', null, 'upstream', true),
  BAD_REQUEST_BODY: fault('BAD_REQUEST_BODY', 400, 'BadRequestException', 'Invalid request body', 'caller'),
  BAD_REQUEST_PARAMETERS: fault(
    'BAD_REQUEST_PARAMETERS',
    400,
    'BadRequestException',
    'Missing required request parameters: []',
    'caller',
  ),
  DEFAULT_4XX: fault('DEFAULT_4XX', 400, 'BadRequestException', 'Bad Request', 'caller'),
  DEFAULT_5XX: fault('DEFAULT_5XX', 500, 'InternalServerErrorException', INTERNAL, 'gateway'),
  EXPIRED_TOKEN: fault(
    'EXPIRED_TOKEN',
    403,
    'ExpiredTokenException',
    'The security token included in the request is expired',
    'caller',
  ),
  INTEGRATION_FAILURE: fault(
    'INTEGRATION_FAILURE',
    504,
    'InternalServerErrorException',
    'Network error communicating with endpoint',
    'upstream',
    true,
  ),
  INTEGRATION_TIMEOUT: fault(
    'INTEGRATION_TIMEOUT',
    504,
    'InternalServerErrorException',
    'Endpoint request timed out',
    'upstream',
    true,
  ),
  INVALID_API_KEY: fault('INVALID_API_KEY', 403, 'ForbiddenException', 'Forbidden', 'caller'),
  INVALID_SIGNATURE: fault(
    'INVALID_SIGNATURE',
    403,
    'InvalidSignatureException',
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    'caller',
  ),
  MISSING_AUTHENTICATION_TOKEN: fault(
    'MISSING_AUTHENTICATION_TOKEN',
    403,
    'MissingAuthenticationTokenException',
    'Missing Authentication Token',
    'caller',
  ),
  QUOTA_EXCEEDED: fault('QUOTA_EXCEEDED', 429, 'LimitExceededException', 'Limit Exceeded', 'caller'),
  REQUEST_TOO_LARGE: fault(
    'REQUEST_TOO_LARGE',
    413,
    'RequestTooLargeException',
    'HTTP content length exceeded 10485760 bytes.',
    'caller',
  ),
  RESOURCE_NOT_FOUND: fault('RESOURCE_NOT_FOUND', 404, 'NotFoundException', 'Not Found', 'caller'),
  THROTTLED: fault('THROTTLED', 429, 'TooManyRequestsException', 'Too Many Requests', 'caller', true),
  UNAUTHORIZED: fault('UNAUTHORIZED', 401, 'UnauthorizedException', 'Unauthorized', 'caller'),
  UNSUPPORTED_MEDIA_TYPE: fault('UNSUPPORTED_MEDIA_TYPE', 415, 'BadRequestException', 'Unsupported Media Type', 'caller'),
  WAF_FILTERED: fault('WAF_FILTERED', 403, 'ForbiddenException', 'Forbidden', 'caller'),

  // Causes with a status or text of their own.
  UNKNOWN_ACCESS_KEY: fault(
    'ACCESS_DENIED',
    403,
    'AccessDeniedException',
    'The security token included in the request is invalid.',
    'caller',
  ),
  /** A private API, and a caller that comes another way. */
  NOT_THROUGH_ENDPOINT: fault('ACCESS_DENIED', 403, 'ForbiddenException', 'Forbidden', 'caller'),
  INCOMPLETE_SIGNATURE: fault(
    'INVALID_SIGNATURE',
    403,
    'IncompleteSignatureException',
    "Authorization header requires 'Credential' parameter.",
    'caller',
  ),
  /** Of a method that somebody is authorized for. The type in the header is ours: none is on record. */
  METHOD_ARN_TOO_LONG: fault('DEFAULT_4XX', 414, 'BadRequestException', 'Request URI too long', 'caller'),
  INVALID_JSON_BODY: fault('DEFAULT_4XX', 400, 'BadRequestException', 'Invalid JSON in request body', 'caller'),
  MALFORMED_PATH_VALUE: fault('DEFAULT_4XX', 400, 'BadRequestException', 'Bad Request', 'caller'),
  FORBIDDEN_HEADER_MAPPING: fault('DEFAULT_5XX', 500, 'InternalServerErrorException', INTERNAL, 'owner'),
  INVALID_ENDPOINT: fault('INTEGRATION_FAILURE', 500, 'InternalServerErrorException', INTERNAL, 'owner'),
  INTEGRATION_NOT_PERMITTED: fault('INTEGRATION_FAILURE', 500, 'InternalServerErrorException', INTERNAL, 'owner'),
  FUNCTION_FAILED: fault('INTEGRATION_FAILURE', 502, 'InternalServerErrorException', INTERNAL, 'upstream'),
  MALFORMED_STREAM: fault('INTEGRATION_FAILURE', 500, 'InternalServerErrorException', INTERNAL, 'owner'),
  MALFORMED_FUNCTION_RESPONSE: fault('INTEGRATION_FAILURE', 502, 'InternalServerErrorException', INTERNAL, 'owner'),
  UPSTREAM_UNAVAILABLE: fault('INTEGRATION_FAILURE', 503, 'ServiceUnavailableException', 'Service Unavailable', 'upstream', true),
  RESPONSE_TOO_LARGE: fault('INTEGRATION_FAILURE', 500, 'InternalServerErrorException', INTERNAL, 'upstream'),
  RESPONSE_NOT_JSON: fault('DEFAULT_5XX', 500, 'InternalFailureException', INTERNAL, 'upstream'),
  /** A step threw: our bug. */
  BUG: fault('DEFAULT_5XX', 500, 'InternalServerErrorException', INTERNAL, 'gateway'),
  /** Nobody is there to read the answer. */
  CALLER_LEFT: fault('DEFAULT_4XX', 400, 'BadRequestException', 'Bad Request', 'caller', true),
} as const satisfies Record<string, FaultSpec>;

export type FaultName = keyof typeof SPECS;

export const FAULTS = Object.freeze(
  Object.fromEntries(Object.entries(SPECS).map(([name, spec]) => [name, Object.freeze({ name, ...spec })])),
) as Readonly<Record<FaultName, FaultKind>>;

type FaultSpec = Omit<FaultKind, 'name'>;

function fault(
  responseType: string,
  status: number,
  errorType: string,
  message: string | null,
  source: FaultKind['source'],
  retry = false,
): FaultSpec {
  return { responseType, status, errorType, message, source, retry };
}
