/**
 * Every type of gateway response provoked through a real node, as it is and as its owner wants it (data-plane reference §1.5). A type is in
 * `TRIGGERS` or this does not compile.
 */
import { FAULTS } from '@gatehouse/engine-faults';
import { GATEWAY_RESPONSE_TYPES } from '@gatehouse/domain';
import { tenantOperations } from '@gatehouse/control-tenants';
import { usagePlanOperations } from '@gatehouse/control-usage-plans';
import { canonicalJson, randomIds, sha256Hex, systemClock } from '@gatehouse/kernel';
import { ScriptedUpstream } from '@gatehouse/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { publishInline, TENANT, testFolder } from './harness.js';
import { ask, CONTEXT, serveApi, type Answer, type Call, type ServedApi } from './imported-api.js';

type ResponseType = Extract<
  keyof typeof FAULTS,
  | 'ACCESS_DENIED'
  | 'API_CONFIGURATION_ERROR'
  | 'AUTHORIZER_CONFIGURATION_ERROR'
  | 'AUTHORIZER_FAILURE'
  | 'BAD_REQUEST_BODY'
  | 'BAD_REQUEST_PARAMETERS'
  | 'DEFAULT_4XX'
  | 'DEFAULT_5XX'
  | 'EXPIRED_TOKEN'
  | 'INTEGRATION_FAILURE'
  | 'INTEGRATION_TIMEOUT'
  | 'INVALID_API_KEY'
  | 'INVALID_SIGNATURE'
  | 'MISSING_AUTHENTICATION_TOKEN'
  | 'QUOTA_EXCEEDED'
  | 'REQUEST_TOO_LARGE'
  | 'RESOURCE_NOT_FOUND'
  | 'THROTTLED'
  | 'UNAUTHORIZED'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'WAF_FILTERED'
>;

interface Trigger {
  readonly path: string;
  readonly call?: Call;
  /** Access key id of a signature that is wrong. */
  readonly signedWith?: string;
  readonly answer: [status: number, body: string];
}

const MESSAGE = (text: string): string => `{"message":"${text}"}`;
const INTERNAL = MESSAGE('Internal server error');
const json = (body: string): Call => ({ httpMethod: 'POST', headers: { 'content-type': 'application/json' }, body });
const FUNCTION = 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111122223333:function';
const USED_UP = 'u'.repeat(40);
const BLOCKED = '127.0.0.9';

const TRIGGERS: Record<ResponseType, Trigger> = {
  ACCESS_DENIED: {
    path: '/denied',
    answer: [
      403,
      expect.stringMatching(
        /^\{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke .* with an explicit deny"\}$/,
      ) as string,
    ],
  },
  API_CONFIGURATION_ERROR: { path: '/without-status', answer: [500, INTERNAL] },
  AUTHORIZER_CONFIGURATION_ERROR: {
    path: '/asked',
    call: { headers: { authorization: 'nonsense' } },
    answer: [500, '{"message":null}'],
  },
  AUTHORIZER_FAILURE: { path: '/asked', call: { headers: { authorization: 'hang up' } }, answer: [500, '{"message":null}'] },
  BAD_REQUEST_BODY: { path: '/checked?shop=1', call: json('[]'), answer: [400, MESSAGE('Invalid request body')] },
  BAD_REQUEST_PARAMETERS: {
    path: '/checked',
    call: json('{}'),
    answer: [400, MESSAGE('Missing required request parameters: [shop]')],
  },
  DEFAULT_4XX: { path: '/mapped', call: json('{broken'), answer: [400, MESSAGE('Invalid JSON in request body')] },
  DEFAULT_5XX: { path: '/forbidden-header', answer: [500, INTERNAL] },
  EXPIRED_TOKEN: {
    path: '/signed',
    signedWith: 'ASIAIOSFODNN7EXAMPLE',
    call: { headers: { 'x-amz-security-token': 'of the session' } },
    answer: [403, MESSAGE('The security token included in the request is expired')],
  },
  INTEGRATION_FAILURE: { path: '/hung-up', answer: [504, MESSAGE('Network error communicating with endpoint')] },
  INTEGRATION_TIMEOUT: { path: '/silent', answer: [504, MESSAGE('Endpoint request timed out')] },
  INVALID_API_KEY: { path: '/keyed', answer: [403, MESSAGE('Forbidden')] },
  INVALID_SIGNATURE: {
    path: '/signed',
    signedWith: 'AKIAIOSFODNN7EXAMPLE',
    answer: [403, expect.stringContaining('The request signature we calculated does not match') as string],
  },
  MISSING_AUTHENTICATION_TOKEN: { path: '/signed', answer: [403, MESSAGE('Missing Authentication Token')] },
  QUOTA_EXCEEDED: { path: '/keyed', call: { headers: { 'x-api-key': USED_UP } }, answer: [429, MESSAGE('Limit Exceeded')] },
  REQUEST_TOO_LARGE: {
    path: '/checked?shop=1',
    call: { httpMethod: 'POST', body: Buffer.alloc(10 * 1024 * 1024 + 1) },
    answer: [413, MESSAGE('HTTP content length exceeded 10485760 bytes.')],
  },
  RESOURCE_NOT_FOUND: { path: '/no/such/path', answer: [404, MESSAGE('Not Found')] },
  THROTTLED: { path: '/throttled', answer: [429, MESSAGE('Too Many Requests')] },
  UNAUTHORIZED: { path: '/asked', answer: [401, MESSAGE('Unauthorized')] },
  UNSUPPORTED_MEDIA_TYPE: {
    path: '/mapped',
    call: { httpMethod: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' },
    answer: [415, MESSAGE('Unsupported Media Type')],
  },
  WAF_FILTERED: { path: '/throttled', call: { localAddress: BLOCKED }, answer: [403, MESSAGE('Forbidden')] },
};

const responses = { responses: { '200': { description: 'ok' } } };
const integration = (settings: object) => ({
  'x-amazon-apigateway-integration': { responses: { default: { statusCode: '200' } }, ...settings },
});
const mock = (template = '{"statusCode": 200}') => ({
  ...responses,
  ...integration({ type: 'mock', requestTemplates: { 'application/json': template } }),
});
const secured = (name: string) => ({ security: [{ [name]: [] }] });

const documentFor = (backend: string) => ({
  openapi: '3.0.1',
  info: { title: 'pets', version: '1' },
  'x-amazon-apigateway-policy': {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Principal: '*', Action: 'execute-api:Invoke', Resource: 'execute-api:/*' },
      { Effect: 'Deny', Principal: '*', Action: 'execute-api:Invoke', Resource: 'execute-api:/*/GET/denied' },
    ],
  },
  'x-amazon-apigateway-request-validators': { all: { validateRequestParameters: true, validateRequestBody: true } },
  components: {
    securitySchemes: {
      key: { type: 'apiKey', name: 'x-api-key', in: 'header' },
      iam: { type: 'apiKey', name: 'Authorization', in: 'header', 'x-amazon-apigateway-authtype': 'awsSigv4' },
      ask: {
        type: 'apiKey',
        name: 'Authorization',
        in: 'header',
        'x-amazon-apigateway-authtype': 'custom',
        'x-amazon-apigateway-authorizer': {
          type: 'token',
          authorizerUri: `${FUNCTION}:who/invocations`,
          authorizerResultTtlInSeconds: 0,
        },
      },
    },
  },
  paths: {
    '/denied': { get: mock() },
    '/without-status': { get: mock('{}') },
    '/asked': { get: { ...mock(), ...secured('ask') } },
    '/signed': { get: { ...mock(), ...secured('iam') } },
    '/keyed': { get: { ...mock(), ...secured('key') } },
    '/throttled': { get: mock() },
    '/checked': {
      post: {
        ...mock(),
        'x-amazon-apigateway-request-validator': 'all',
        parameters: [{ name: 'shop', in: 'query', required: true, schema: { type: 'string' } }],
        requestBody: { content: { 'application/json': { schema: { type: 'object' } } } },
      },
    },
    '/mapped': {
      post: {
        ...responses,
        ...integration({
          type: 'http',
          httpMethod: 'POST',
          uri: backend,
          requestParameters: { 'integration.request.header.X-Name': 'method.request.body.name' },
          requestTemplates: { 'application/json': '{}' },
          passthroughBehavior: 'never',
        }),
      },
    },
    '/forbidden-header': {
      get: {
        ...responses,
        ...integration({
          type: 'http',
          httpMethod: 'GET',
          uri: backend,
          requestParameters: { 'integration.request.header.Content-Length': "'1'" },
        }),
      },
    },
    '/hung-up': { get: { ...responses, ...integration({ type: 'http_proxy', httpMethod: 'GET', uri: `${backend}/hung-up` }) } },
    '/silent': {
      get: {
        ...responses,
        ...integration({ type: 'http_proxy', httpMethod: 'GET', uri: `${backend}/silent`, timeoutInMillis: 50 }),
      },
    },
  },
});

/** What an owner makes of each type. */
const CUSTOMISED = Object.fromEntries(
  GATEWAY_RESPONSE_TYPES.map((type) => [
    type,
    {
      ...(type.startsWith('DEFAULT') ? {} : { statusCode: '418' }),
      responseParameters: {
        'gatewayresponse.header.X-Type': `'${type}'`,
        'gatewayresponse.header.X-Request': 'context.requestId',
        'gatewayresponse.header.X-Asked': 'method.request.header.x-asked',
        'gatewayresponse.header.X-Query': 'method.request.querystring.q',
        'gatewayresponse.header.X-Colour': 'stageVariables.colour',
      },
      responseTemplates: {
        'application/json':
          '{"type":"$context.error.responseType","message":$context.error.messageString,"colour":"$stageVariables.colour"}',
        'text/plain': '$context.error.responseType',
      },
    },
  ]),
);

let scope: Awaited<ReturnType<typeof testFolder>>;
let api: ServedApi;

beforeAll(async () => {
  scope = await testFolder();
  const backend = await ScriptedUpstream.start(({ url, socket }) => void (url === '/hung-up' && socket.destroy()));
  const runner = await ScriptedUpstream.start(async ({ body, response, socket }) => {
    const { authorizationToken } = JSON.parse(String(await body)) as { authorizationToken: string };
    if (authorizationToken === 'hang up') socket.destroy();
    else response.end('{"nonsense": true}');
  });
  for (const upstream of [backend, runner]) scope.cleanUps.push(() => upstream.close());
  api = await serveApi(scope, documentFor(backend.url), {
    GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true',
    GATEHOUSE_RUNNER_URL: runner.url,
  });
  const { restApiId, deployments, store } = api;
  const key = {
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    tenant: TENANT,
    principalArn: `arn:aws:iam::${TENANT}:root`,
    userId: TENANT,
    policy: null,
  };
  const day = new Date().toISOString().slice(0, 10).replaceAll('-', '');
  const signingKeys = { [`${day}/us-east-1`]: Buffer.alloc(32).toString('base64') };
  await publishInline(store, 'ACCESS_KEY', key.accessKeyId, canonicalJson({ ...key, signingKeys }));
  const ended = { tokenDigest: sha256Hex('of the session'), expiresAtMs: Date.now(), madeBy: key.accessKeyId, signingKeys };
  await publishInline(
    store,
    'ACCESS_KEY',
    'ASIAIOSFODNN7EXAMPLE',
    canonicalJson({ ...key, accessKeyId: 'ASIAIOSFODNN7EXAMPLE', signingKeys: {}, session: ended }),
  );

  await api.merge({
    'x-amazon-apigateway-gateway-responses': CUSTOMISED,
    openapi: '3.0.1',
    info: { title: 'pets', version: '2' },
    paths: {},
  });
  await deployments.CreateDeployment(CONTEXT, { restApiId, stageName: 'custom', variables: { colour: 'blue' } });
  const plans = usagePlanOperations({ store: store.tenants, clock: systemClock, ids: randomIds });
  const apiStages = ['prod', 'custom'].map((stage) => ({ apiId: restApiId, stage }));
  const plan = await plans.CreateUsagePlan(CONTEXT, { name: 'gold', apiStages, quota: { limit: 1, period: 'DAY' } });
  const caller = await plans.CreateApiKey(CONTEXT, { name: 'caller', value: USED_UP, enabled: true });
  await plans.CreateUsagePlanKey(CONTEXT, { usagePlanId: plan.id!, keyId: caller.id!, keyType: 'API_KEY' });
  const { TagResource } = tenantOperations({ store: store.tenants });
  for (const stageName of ['prod', 'custom']) {
    const patchOperations = ['rateLimit', 'burstLimit'].map((limit) => ({
      op: 'replace' as const,
      path: `/~1throttled/GET/throttling/${limit}`,
      value: '0',
    }));
    await deployments.UpdateStage(CONTEXT, { restApiId, stageName, patchOperations });
    const resourceArn = `arn:aws:apigateway:us-east-1::/restapis/${restApiId}/stages/${stageName}`;
    await TagResource(CONTEXT, {
      resourceArn,
      tags: { 'gatehouse:blocked-networks': `203.0.113.0/24 ${BLOCKED}`, 'gatehouse:unknown-paths': 'not-found' },
    });
  }
  await vi.waitFor(async () => expect((await provoke('prod', 'QUOTA_EXCEEDED')).status).toBe(429), { timeout: 10_000 });
}, 60_000);
afterAll(() => scope.close());

async function provoke(stage: string, type: ResponseType, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const trigger = TRIGGERS[type];
  const own = trigger.signedWith === undefined ? {} : wrongSignature(trigger.signedWith);
  const call = { ...trigger.call, headers: { ...trigger.call?.headers, ...own, ...headers } };
  return ask(api.node.port, `/_aws/execute-api/${api.restApiId}/${stage}${trigger.path}`, call);
}

function wrongSignature(accessKeyId: string): Record<string, string> {
  const date = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const scopeText = `${accessKeyId}/${date.slice(0, 8)}/us-east-1/execute-api/aws4_request`;
  return {
    'x-amz-date': date,
    authorization: `AWS4-HMAC-SHA256 Credential=${scopeText}, SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`,
  };
}

test('no type is forgotten', () => expect(Object.keys(TRIGGERS).sort()).toEqual([...GATEWAY_RESPONSE_TYPES].sort()));

const all = Object.entries(TRIGGERS) as [ResponseType, Trigger][];

test.each(all)('%s as it is', async (type, { answer }) => {
  const { status, body, headers } = await provoke('prod', type);
  expect([status, String(body)]).toEqual(answer);
  expect(headers).toMatchObject({ 'content-type': 'application/json', 'x-amzn-errortype': FAULTS[type].errorType });
});

test.each(all.filter(([type]) => type !== 'REQUEST_TOO_LARGE'))('%s as its owner wants it', async (type, { answer }) => {
  const { status, body, headers } = await provoke('custom', type, { 'x-asked': 'by header' });
  expect(status).toBe(type.startsWith('DEFAULT') ? answer[0] : 418);
  expect(headers).toMatchObject({
    'x-type': type,
    'x-request': headers['x-amzn-requestid'],
    'x-asked': 'by header',
    'x-colour': 'blue',
    'x-amzn-errortype': FAULTS[type].errorType,
  });
  expect(headers).not.toHaveProperty('x-query');
  expect(JSON.parse(String(body))).toMatchObject({ type, colour: 'blue' });
  const plain = await provoke('custom', type, { accept: 'image/png, text/plain' });
  expect([plain.headers['content-type'], String(plain.body)]).toEqual(['text/plain', type]);
});

test('REQUEST_TOO_LARGE cannot be customised', async () => {
  const { status, headers } = await provoke('custom', 'REQUEST_TOO_LARGE');
  expect([status, headers['x-type']]).toEqual([413, undefined]);
});
