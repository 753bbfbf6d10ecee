import { Exchange, LinkRefusal, type RawHeaders } from '@gatehouse/engine-exchange';
import type { GatewayResponseSnapshot } from '@gatehouse/contracts';
import { expect, test } from 'vitest';
import { BUILT_IN_FAULTS, FAULTS, linkFaults, type FaultName } from './index.js';

function rendered(
  name: FaultName,
  responses: Partial<GatewayResponseSnapshot>[] = [],
  requestHeaders: RawHeaders = [],
): Exchange {
  const x = new Exchange();
  x.requestId = 'request-1';
  x.path = '/dev/pets';
  x.requestHeaders = requestHeaders;
  x.fail(FAULTS[name]);
  const faults = linkFaults({
    gatewayResponses: responses.map((response) => ({
      responseType: name,
      statusCode: null,
      headers: {},
      templates: {},
      ...response,
    })),
    stageVariables: { colour: 'blue' },
  });
  faults.render(x);
  return x;
}

const body = (x: Exchange): string => String(x.responseBody);

// Byte for byte: data-plane reference §1.4, §1.5, §3.13, §4.4.
const BUILT_IN: Record<FaultName, [status: number, errorType: string, body: string]> = {
  UNKNOWN_HOST: [403, 'ForbiddenException', '{"message":"Forbidden"}'],
  MALFORMED_TARGET: [400, 'BadRequestException', '{"message":"Bad Request"}'],
  ACCESS_DENIED: [403, 'AccessDeniedException', '{"Message":"User is not authorized to access this resource"}'],
  API_CONFIGURATION_ERROR: [500, 'InternalServerErrorException', '{"message":"Internal server error"}'],
  AUTHORIZER_CONFIGURATION_ERROR: [500, 'AuthorizerConfigurationException', '{"message":null}'],
  AUTHORIZER_FAILURE: [500, 'AuthorizerFailureException', '{"message":null}'],
  BAD_REQUEST_BODY: [400, 'BadRequestException', '{"message":"Invalid request body"}'],
  BAD_REQUEST_PARAMETERS: [400, 'BadRequestException', '{"message":"Missing required request parameters: []"}'],
  DEFAULT_4XX: [400, 'BadRequestException', '{"message":"Bad Request"}'],
  DEFAULT_5XX: [500, 'InternalServerErrorException', '{"message":"Internal server error"}'],
  EXPIRED_TOKEN: [403, 'ExpiredTokenException', '{"message":"The security token included in the request is expired"}'],
  INTEGRATION_FAILURE: [504, 'InternalServerErrorException', '{"message":"Network error communicating with endpoint"}'],
  INTEGRATION_TIMEOUT: [504, 'InternalServerErrorException', '{"message":"Endpoint request timed out"}'],
  INVALID_API_KEY: [403, 'ForbiddenException', '{"message":"Forbidden"}'],
  INVALID_SIGNATURE: [
    403,
    'InvalidSignatureException',
    '{"message":"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}',
  ],
  MISSING_AUTHENTICATION_TOKEN: [403, 'MissingAuthenticationTokenException', '{"message":"Missing Authentication Token"}'],
  QUOTA_EXCEEDED: [429, 'LimitExceededException', '{"message":"Limit Exceeded"}'],
  REQUEST_TOO_LARGE: [413, 'RequestTooLargeException', '{"message":"HTTP content length exceeded 10485760 bytes."}'],
  RESOURCE_NOT_FOUND: [404, 'NotFoundException', '{"message":"Not Found"}'],
  THROTTLED: [429, 'TooManyRequestsException', '{"message":"Too Many Requests"}'],
  UNAUTHORIZED: [401, 'UnauthorizedException', '{"message":"Unauthorized"}'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'BadRequestException', '{"message":"Unsupported Media Type"}'],
  WAF_FILTERED: [403, 'ForbiddenException', '{"message":"Forbidden"}'],
  UNKNOWN_ACCESS_KEY: [403, 'AccessDeniedException', '{"message":"The security token included in the request is invalid."}'],
  NOT_THROUGH_ENDPOINT: [403, 'ForbiddenException', '{"message":"Forbidden"}'],
  INCOMPLETE_SIGNATURE: [
    403,
    'IncompleteSignatureException',
    `{"message":"Authorization header requires 'Credential' parameter."}`,
  ],
  METHOD_ARN_TOO_LONG: [414, 'BadRequestException', '{"message":"Request URI too long"}'],
  INVALID_JSON_BODY: [400, 'BadRequestException', '{"message":"Invalid JSON in request body"}'],
  MALFORMED_PATH_VALUE: [400, 'BadRequestException', '{"message":"Bad Request"}'],
  FORBIDDEN_HEADER_MAPPING: [500, 'InternalServerErrorException', '{"message":"Internal server error"}'],
  INVALID_ENDPOINT: [500, 'InternalServerErrorException', '{"message":"Internal server error"}'],
  INTEGRATION_NOT_PERMITTED: [500, 'InternalServerErrorException', '{"message":"Internal server error"}'],
  FUNCTION_FAILED: [502, 'InternalServerErrorException', '{"message":"Internal server error"}'],
  MALFORMED_STREAM: [500, 'InternalServerErrorException', '{"message":"Internal server error"}'],
  MALFORMED_FUNCTION_RESPONSE: [502, 'InternalServerErrorException', '{"message":"Internal server error"}'],
  UPSTREAM_UNAVAILABLE: [503, 'ServiceUnavailableException', '{"message":"Service Unavailable"}'],
  RESPONSE_TOO_LARGE: [500, 'InternalServerErrorException', '{"message":"Internal server error"}'],
  RESPONSE_NOT_JSON: [500, 'InternalFailureException', '{"message":"Internal server error"}'],
  BUG: [500, 'InternalServerErrorException', '{"message":"Internal server error"}'],
  CALLER_LEFT: [400, 'BadRequestException', '{"message":"Bad Request"}'],
};

for (const [name, [status, errorType, expected]] of Object.entries(BUILT_IN) as [FaultName, [number, string, string]][]) {
  test(`${name} has its status, type and body, byte for byte`, () => {
    const x = rendered(name);
    expect([x.status, x.responseHeaders, body(x)]).toEqual([
      status,
      ['Content-Type', 'application/json', 'x-amzn-ErrorType', errorType],
      expected,
    ]);
  });
}

test('all 21 gateway response types have a fault of their own name', () => {
  const types = new Set(Object.values(FAULTS).map((kind) => kind.responseType));
  expect(types.size).toBe(21);
  for (const type of types) expect(FAULTS[type as FaultName].responseType).toBe(type);
});

test("the owner's status, headers and template replace the built-in ones", () => {
  const x = rendered(
    'THROTTLED',
    [
      {
        statusCode: 503,
        headers: {
          'Retry-After': "'5'",
          'X-Colour': 'stageVariables.colour',
          'X-Id': 'context.requestId',
          'X-Tag': 'method.request.header.tag',
        },
        templates: {
          'application/json': '{"m":$context.error.messageString,"t":"$context.error.responseType","c":"$stageVariables.colour"}',
        },
      },
    ],
    ['tag', 'seven'],
  );
  expect([x.status, body(x)]).toEqual([503, '{"m":"Too Many Requests","t":"THROTTLED","c":"blue"}']);
  expect(x.responseHeaders.slice(4)).toEqual(['Retry-After', '5', 'X-Colour', 'blue', 'X-Id', 'request-1', 'X-Tag', 'seven']);
});

test("when to come again is the owner's to say", () => {
  for (const [headers, expected] of [
    [{ 'Retry-After': "'5'" }, -1],
    [{ 'X-Other': "'5'" }, 250],
  ] as const) {
    const x = new Exchange();
    x.retryAfterMs = 250;
    x.fail(FAULTS.THROTTLED);
    linkFaults({
      gatewayResponses: [{ responseType: 'THROTTLED', statusCode: null, headers, templates: {} }],
      stageVariables: {},
    }).render(x);
    expect(x.retryAfterMs).toBe(expected);
  }
});

test('DEFAULT_4XX applies to a type without an entry of its own, and only to its class', () => {
  const general = { responseType: 'DEFAULT_4XX', statusCode: 499, templates: { 'text/plain': 'no: $context.error.message' } };
  const refused = rendered('INVALID_API_KEY', [general]);
  expect([refused.status, refused.responseHeaders[1], body(refused)]).toEqual([499, 'text/plain', 'no: Forbidden']);
  expect(rendered('INTEGRATION_TIMEOUT', [general]).status).toBe(504);
});

test('the entry of the type wins over the entry of its class, whose status still fills a gap', () => {
  const x = rendered('THROTTLED', [
    { responseType: 'DEFAULT_4XX', statusCode: 499, headers: { A: "'general'" } },
    { headers: { A: "'own'" } },
  ]);
  expect([x.status, x.responseHeaders.slice(4)]).toEqual([499, ['A', 'own']]);
});

test('ACCESS_DENIED writes a capital Message only while nobody customised it', () => {
  expect(body(rendered('ACCESS_DENIED', [{ headers: { A: "'1'" } }]))).toBe(
    '{"message":"User is not authorized to access this resource"}',
  );
  expect(body(rendered('ACCESS_DENIED', [{ responseType: 'DEFAULT_4XX', statusCode: 400 }]))).toContain('"message"');
});

test('REQUEST_TOO_LARGE cannot be customised', () => {
  expect(rendered('REQUEST_TOO_LARGE', [{ statusCode: 200 }, { responseType: 'DEFAULT_4XX', statusCode: 201 }]).status).toBe(413);
});

test('Accept picks the template; without a match it is JSON', () => {
  const templates = { 'text/plain': 'plain', 'application/json': '{}' };
  expect(body(rendered('THROTTLED', [{ templates }], ['Accept', 'image/png, text/plain;q=0.5']))).toBe('plain');
  expect(body(rendered('THROTTLED', [{ templates }], ['Accept', 'image/png']))).toBe('{}');
});

test('a template is no Velocity: directives and unknown references are text and nothing', () => {
  const template = '#if($x)$context.nothing.here|$context.path.|$price';
  expect(body(rendered('THROTTLED', [{ templates: { 'text/plain': template } }]))).toBe('#if($x)|/dev/pets.|$price');
});

test('a name in a template may hold what names of authorizers hold', () => {
  const x = new Exchange();
  x.authorizer = { principalId: 'ann', context: new Map([['team_name', 'red']]), usageIdentifierKey: null, claims: null };
  x.fail(FAULTS.THROTTLED);
  const templates = { 'text/plain': '$context.authorizer.team_name, $context.authorizer.principalId.' };
  linkFaults({
    gatewayResponses: [{ responseType: 'THROTTLED', statusCode: null, headers: {}, templates }],
    stageVariables: {},
  }).render(x);
  expect(body(x)).toBe('red, ann.');
});

test('a value that would end its header line leaves the header out', () => {
  const entry = { responseType: 'THROTTLED', statusCode: null, headers: { A: 'method.request.querystring.a' }, templates: {} };
  const headersFor = (rawQuery: string): RawHeaders => {
    const x = new Exchange();
    x.rawQuery = rawQuery;
    x.fail(FAULTS.THROTTLED);
    linkFaults({ gatewayResponses: [entry], stageVariables: {} }).render(x);
    return x.responseHeaders.slice(4);
  };
  expect(headersFor('a=1')).toEqual(['A', '1']);
  expect(headersFor('a=1%0d%0aX-Evil:1')).toEqual([]);
});

test('a header that frames the message is renamed or left out, never overwritten', () => {
  const x = rendered('THROTTLED', [{ headers: { 'Content-Length': "'9'", 'Transfer-Encoding': "'chunked'" } }]);
  expect(x.responseHeaders.slice(4)).toEqual(['x-amzn-Remapped-Content-Length', '9']);
});

for (const [what, response] of [
  ['a mapping nobody knows', { headers: { A: 'method.request.body.x' } }],
  ['a header name that is none', { headers: { 'A B': "'1'" } }],
  ['an impossible status', { statusCode: 99 }],
  ['an unknown type', { responseType: 'TEAPOT' }],
] as const) {
  test(`${what} refuses the stage instead of being ignored`, () => {
    expect(() => rendered('THROTTLED', [response])).toThrow(LinkRefusal);
  });
}

test('the built-in responder renders without a stage', () => {
  const x = new Exchange();
  x.fail(FAULTS.UNKNOWN_HOST);
  BUILT_IN_FAULTS.render(x);
  expect([x.status, body(x)]).toEqual([403, '{"message":"Forbidden"}']);
});
