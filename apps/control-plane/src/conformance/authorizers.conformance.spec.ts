/** Lambda authorizers: from the SDK to a real node, from there to a real function; tested by TestInvokeAuthorizer, and in front of routes. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type {
  CreateAuthorizerCommandInput,
  CreateRestApiCommandInput,
  TestInvokeAuthorizerCommandInput,
} from '@aws-sdk/client-api-gateway';
import {
  makeCertificates,
  packageOf,
  refusalOf,
  ScriptedUpstream,
  startControlPlaneHouse,
  type ControlPlaneHouse,
  type TestTenant,
} from '@gatehouse/testkit';
import { startProcess, startRunnerProcess, testFolder, type NodeProcess } from '@gatehouse/tools-node-link';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

/** Does what the token says. Of a REQUEST, the token is the query's. */
const CODE = `
const policy = (effect, resource) =>
  ({ Version: '2012-10-17', Statement: [{ Action: 'execute-api:Invoke', Effect: effect, Resource: resource }] });
exports.handler = async (event) => {
  const [word] = (event.authorizationToken ?? event.queryStringParameters.token).split(' ');
  if (word === 'unknown') throw new Error('Unauthorized');
  if (word === 'broken') throw new Error('no database');
  if (word === 'list') return { principalId: 'me', policyDocument: policy('Allow', '*'), context: { a: [1] } };
  if (word === 'text') return 'allow';
  return {
    principalId: 'user-' + word,
    policyDocument: policy(word === 'deny' ? 'Deny' : 'Allow', event.methodArn),
    usageIdentifierKey: word,
    context: { word, count: 3, call: Math.random(), isFirst: true, seen: JSON.stringify(event) },
  };
};`;

const FOREIGN_ROLE = 'arn:aws:iam::999999999999:role/r';

let house: ControlPlaneHouse<ControlPlane>;
let scope: Awaited<ReturnType<typeof testFolder>>;
let tenant: TestTenant;
let api: TestTenant['apiGateway'];
let restApiId: string;
let functionArn: string;
let node: NodeProcess;
let upstream: ScriptedUpstream;
let issuer: Issuer;

const uriOf = (arn: string): string => `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${arn}/invocations`;

beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
  tenant = await house.tenant();
  api = tenant.apiGateway;
  ({ id: restApiId } = (await api.createRestApi({ name: 'guarded' })) as { id: string });
  const early = await create({ type: 'TOKEN' });
  expect(await refusalOf(api.testInvokeAuthorizer({ restApiId, authorizerId: early }))).toBe(
    '400 BadRequestException: The authorizer cannot be tested: no node that serves the API is connected to this control plane.',
  );
  scope = await testFolder();
  const env = { GATEHOUSE_NODE_TOKEN: house.config.nodeToken.reveal() };
  const runnerUrl = await startRunnerProcess(scope, house.plane.grpcPort, { env });
  upstream = await ScriptedUpstream.start();
  const { authority, good } = makeCertificates();
  issuer = await startIssuer(good, tenant.account);
  const trusted = path.join(scope.folder, 'authority.crt');
  await writeFile(trusted, authority);
  node = await startProcess(scope, house.plane.grpcPort, {
    env: { ...env, GATEHOUSE_RUNNER_URL: runnerUrl, GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true', NODE_EXTRA_CA_CERTS: trusted },
  });
  const { lambda, account } = tenant;
  functionArn = `arn:aws:lambda:us-east-1:${account}:function:guard`;
  await lambda.createFunction({
    FunctionName: 'guard',
    Role: `arn:aws:iam::${account}:role/r`,
    Runtime: 'nodejs22.x',
    Handler: 'index.handler',
    Code: { ZipFile: await packageOf('index.js', CODE) },
  });
  await lambda.addPermission({
    FunctionName: 'guard',
    StatementId: 'gateway',
    Action: 'lambda:InvokeFunction',
    Principal: 'apigateway.amazonaws.com',
    SourceArn: `arn:aws:execute-api:us-east-1:${account}:*/authorizers/*`,
  });
  const authorizerId = await create({ type: 'TOKEN' });
  const isThere = async () => expect((await run({ authorizerId, headers: { Auth: 'allow' } })).clientStatus).toBe(0);
  await vi.waitFor(isThere, { timeout: 30_000, interval: 200 });
}, 60_000);
/** An API may have ten. */
afterEach(async () => {
  for (const { id } of (await api.getAuthorizers({ restApiId })).items!)
    await api.deleteAuthorizer({ restApiId, authorizerId: id! });
});
afterAll(async () => {
  await scope.close();
  await house.close();
  await upstream.close();
  issuer.close();
  expect(bugs).toEqual([]);
});

let count = 0;
async function create(over: Partial<CreateAuthorizerCommandInput> & Pick<CreateAuthorizerCommandInput, 'type'>): Promise<string> {
  const { id } = await api.createAuthorizer({
    restApiId,
    name: `guard-${++count}`,
    authorizerUri: uriOf(functionArn ?? `arn:aws:lambda:us-east-1:${tenant.account}:function:guard`),
    identitySource: 'method.request.header.Auth',
    ...over,
  });
  return id!;
}

const run = (input: Omit<TestInvokeAuthorizerCommandInput, 'restApiId'>) => api.testInvokeAuthorizer({ restApiId, ...input });

/** Without times, ids and latency. */
function linesOf(log: string): string[] {
  const [first, ...rest] = log.split('\n');
  const id = /^Execution log for request ([0-9a-f-]{36})$/.exec(first!)![1]!;
  expect(rest.pop(), 'an empty last line').toBe('');
  return rest.map((line) =>
    line.replace(/^[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4} : /, '').replace(id, '{id}'),
  );
}

/** The event that the function got. */
const seenIn = ({ authorization }: Awaited<ReturnType<typeof run>>) =>
  JSON.parse(authorization!['seen']![0]!) as Record<string, unknown>;

describe('a TOKEN authorizer', () => {
  test('answers principal, policy and context, with the lines of an execution log', async () => {
    const authorizerId = await create({ type: 'TOKEN' });
    const result = await run({
      authorizerId,
      headers: { auth: 'allow a-secret-of-the-caller', Cookie: 'another-secret' },
      pathWithQueryString: '/pets/7?a=b',
    });
    const methodArn = `arn:aws:execute-api:us-east-1:${tenant.account}:${restApiId}/ESTestInvoke-stage/GET/pets/7`;
    expect(result).toMatchObject({
      $metadata: { httpStatusCode: 200 },
      clientStatus: 0,
      latency: expect.any(Number),
      principalId: 'user-allow',
      authorization: { word: ['allow'], count: ['3'], isFirst: ['true'] },
    });
    expect(JSON.parse(result.policy!)).toEqual({
      Version: '2012-10-17',
      Statement: [{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: methodArn }],
    });
    expect(seenIn(result)).toEqual({ type: 'TOKEN', methodArn, authorizationToken: 'allow a-secret-of-the-caller' });
    const uri = `https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/${functionArn}/invocations`;
    expect(linesOf(result.log!)).toEqual([
      `Starting authorizer: ${authorizerId} for request: {id}`,
      'Incoming identity: **********************caller',
      `Endpoint request URI: ${uri}`,
      expect.stringMatching(/^Endpoint request headers: \{.*X-Amzn-Trace-Id=Root=1-/),
      `Endpoint request body after transformations: ${JSON.stringify({ type: 'TOKEN', methodArn, authorizationToken: '**********************caller' })}`,
      `Sending request to ${uri}`,
      expect.stringMatching(/^Authorizer result body before parsing: \{"principalId":"user-allow",/),
      'Using valid authorizer policy for principal: **********',
      'Successfully completed authorizer execution',
    ]);
  });

  test('that denies has answered as well', async () => {
    const result = await run({ authorizerId: await create({ type: 'TOKEN' }), headers: { Auth: 'deny' } });
    expect([result.clientStatus, result.principalId]).toEqual([0, 'user-deny']);
    expect(result.policy).toContain('"Deny"');
  });

  test.each([
    ['is not sent', {}],
    ['is empty', { Auth: '' }],
    ['does not match', { Auth: 'allow!' }],
  ])('is not asked for a token that %s', async (_, headers) => {
    const authorizerId = await create({ type: 'TOKEN', identityValidationExpression: '[a-z]+' });
    const { clientStatus, principalId, policy, log } = await run({ authorizerId, headers: headers as Record<string, string> });
    expect([clientStatus, principalId, policy]).toEqual([401, undefined, undefined]);
    expect(linesOf(log!)).toEqual([`Starting authorizer: ${authorizerId} for request: {id}`, 'Unauthorized request: {id}']);
  });

  test.each([
    ['unknown', 401, 'Unauthorized request: {id}'],
    ['broken', 500, 'Execution failed due to configuration error: the function failed: no database'],
    ['text', 500, 'Execution failed due to configuration error: Invalid JSON in response: it is no object'],
    [
      'list',
      500,
      'Execution failed due to configuration error: Invalid JSON in response: context.a is no text, number, true or false',
    ],
  ])('whose function says "%s" answers %i', async (word, status, line) => {
    const { clientStatus, principalId, log } = await run({
      authorizerId: await create({ type: 'TOKEN' }),
      headers: { Auth: word },
    });
    expect([clientStatus, principalId]).toEqual([status, undefined]);
    expect(linesOf(log!).at(-1)).toBe(line);
  });

  test('whose function may not be invoked by it answers 500', async () => {
    await tenant.lambda.createFunction({
      FunctionName: 'closed',
      Role: `arn:aws:iam::${tenant.account}:role/r`,
      Runtime: 'nodejs22.x',
      Handler: 'index.handler',
      Code: { ZipFile: await packageOf('index.js', CODE) },
    });
    const authorizerUri = uriOf(`arn:aws:lambda:us-east-1:${tenant.account}:function:closed`);
    const authorizerId = await create({ type: 'TOKEN', authorizerUri });
    const { clientStatus, log } = await run({ authorizerId, headers: { Auth: 'allow' } });
    expect(clientStatus).toBe(500);
    expect(linesOf(log!).at(-1)).toMatch(/^Execution failed due to configuration error: /);
  });
});

describe('a REQUEST authorizer', () => {
  test('sees the request as a proxy integration would, and stage variables and context of the test', async () => {
    const authorizerId = await create({
      type: 'REQUEST',
      identitySource:
        'method.request.header.X-Id, method.request.querystring.token, stageVariables.tier, context.identity.vpceId',
      authorizerUri: uriOf(functionArn.replace(':guard', ':${stageVariables.name}')),
    });
    const given = {
      authorizerId,
      pathWithQueryString: '/pets?token=allow&a=1&a=2',
      multiValueHeaders: { 'X-Id': ['i', 'j'] },
      stageVariables: { tier: 'gold', name: 'guard' },
    };
    expect((await run(given)).clientStatus, 'a context variable without a value').toBe(401);
    const result = await run({ ...given, additionalContext: { 'identity.vpceId': 'vpce-1' } });
    expect([result.clientStatus, result.principalId]).toEqual([0, 'user-allow']);
    expect(linesOf(result.log!)[1]).toBe('Incoming identity: *, *****, ****, ******');
    expect(seenIn(result)).toMatchObject({
      type: 'REQUEST',
      resource: '/',
      path: '/pets',
      httpMethod: 'GET',
      headers: { 'X-Id': 'j' },
      multiValueHeaders: { 'X-Id': ['i', 'j'] },
      queryStringParameters: { token: 'allow', a: '2' },
      pathParameters: null,
      stageVariables: { tier: 'gold', name: 'guard' },
      requestContext: { stage: 'ESTestInvoke-stage', apiId: restApiId, identity: { sourceIp: 'test-invoke-source-ip' } },
    });
  });

  test('with a role of another account is not asked, and the log says why', async () => {
    const authorizerId = await create({ type: 'REQUEST', authorizerCredentials: FOREIGN_ROLE });
    const { clientStatus, log } = await run({ authorizerId, headers: { Auth: 'allow' } });
    expect(clientStatus).toBe(401);
    expect(linesOf(log!).at(-1)).toBe(
      `Execution failed due to configuration error: authorizerCredentials: role ${FOREIGN_ROLE} belongs to another account`,
    );
  });
});

test('refusals', async () => {
  expect(await refusalOf(run({ authorizerId: 'zzzzzz' }))).toBe('404 NotFoundException: Invalid Authorizer identifier specified');
  const authorizerId = await create({ type: 'TOKEN' });
  expect(await refusalOf(run({ authorizerId, headers: { 'a b': 'c' } }))).toBe(
    '400 BadRequestException: Invalid header specified: "a b"',
  );
});

describe('tokens of an issuer', () => {
  test('are checked by its keys, and their claims known', async () => {
    const authorizerId = await create({ type: 'COGNITO_USER_POOLS', authorizerUri: undefined, providerARNs: [issuer.arn] });
    const test = async (token: string) => {
      const { clientStatus, claims, log } = await run({ authorizerId, headers: { Auth: token } });
      return [clientStatus, claims, linesOf(log!).slice(2)];
    };
    const claims = { sub: 'u1', token_use: 'id', exp: Math.ceil(Date.now() / 1000) + 600 };
    expect(await test(issuer.token(claims))).toEqual([
      0,
      { iss: issuer.url, sub: 'u1', token_use: 'id', exp: String(claims.exp) },
      ['Successfully completed authorizer execution'],
    ]);
    expect(await test(issuer.token({ ...claims, exp: 1 }))).toEqual([
      401,
      undefined,
      ['The incoming token has expired', 'Unauthorized request: {id}'],
    ]);
    expect((await test('a.b.c'))[0]).toBe(401);
  });

  test('of a pool that names none are not asked for', async () => {
    const pool = `arn:aws:cognito-idp:us-east-1:${tenant.account}:userpool/eu-west-1_abc`;
    const authorizerId = await create({ type: 'COGNITO_USER_POOLS', authorizerUri: undefined, providerARNs: [pool] });
    const { clientStatus, claims, log } = await run({ authorizerId, headers: { Auth: 'a.b.c' } });
    expect([clientStatus, claims]).toEqual([401, undefined]);
    expect(linesOf(log!).at(-1)).toBe(`Execution failed due to configuration error: ${pool} names no issuer of tokens`);
  });
});

/** An OpenID Connect issuer, by TLS on a port of its own. */
interface Issuer {
  readonly url: string;
  readonly arn: string;
  /** Signed by its key. */
  token(claims: object): string;
  close(): void;
}

async function startIssuer(certificate: { readonly key: string; readonly cert: string }, account: string): Promise<Issuer> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const server = createServer(certificate, ({ url: asked }, response) => {
    const document =
      asked === '/keys'
        ? { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1' }] }
        : { issuer: url, jwks_uri: `${url}/keys` };
    response.end(JSON.stringify(document));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = `https://${place}`;
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    url,
    arn: `arn:aws:iam::${account}:oidc-provider/${place}`,
    token: (claims) => {
      const signed = `${encode({ alg: 'RS256', kid: 'k1' })}.${encode({ iss: url, ...claims })}`;
      return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

describe('in front of a route', () => {
  /** What a template shows of the authorizer. */
  const SHOWN =
    '{"principal":"$context.authorizer.principalId","word":"$context.authorizer.word","count":"$context.authorizer.count",' +
    '"first":"$context.authorizer.isFirst","call":"$context.authorizer.call","none":"$context.authorizer.none"}';

  interface Guarded {
    readonly restApiId: string;
    readonly authorizerId: string;
    call(path: string, init?: RequestInit): Promise<Response>;
    /** Deploys, and waits until the node serves it. */
    deploy(): Promise<void>;
    /** A resource below the root with a method that asks the authorizer. */
    route(pathPart: string, httpMethod: string): Promise<{ restApiId: string; resourceId: string; httpMethod: string }>;
  }

  async function guarded(
    over: Partial<CreateAuthorizerCommandInput> = {},
    apiOver: Partial<CreateRestApiCommandInput> = {},
  ): Promise<Guarded> {
    const { id, rootResourceId } = await api.createRestApi({ name: 'live', ...apiOver });
    const restApiId = id!;
    const authorizerId = await create({ type: 'TOKEN', restApiId, ...over });
    let round = 0;
    const guard: Guarded = {
      restApiId,
      authorizerId,
      call: (path, init) => fetch(`http://127.0.0.1:${node.port}/_aws/execute-api/${restApiId}/dev${path}`, init),
      deploy: async () => {
        const number = String(++round);
        await api.createDeployment({ restApiId, stageName: 'dev', variables: { round: number } });
        const isServed = async () => expect(await (await guard.call('/round')).text()).toBe(number);
        await vi.waitFor(isServed, { timeout: 15_000, interval: 20 });
      },
      route: async (pathPart, httpMethod) => {
        const { id: resourceId } = await api.createResource({ restApiId, parentId: rootResourceId!, pathPart });
        const key = { restApiId, resourceId: resourceId!, httpMethod };
        await api.putMethod({
          ...key,
          authorizationType: over.type === 'COGNITO_USER_POOLS' ? over.type : 'CUSTOM',
          authorizerId,
        });
        return key;
      },
    };
    const round0 = await guard.route('round', 'GET');
    await api.updateMethod({ ...round0, patchOperations: [{ op: 'replace', path: '/authorizationType', value: 'NONE' }] });
    await mock(round0, '$stageVariables.round');
    return guard;
  }

  async function mock(key: { restApiId: string; resourceId: string; httpMethod: string }, template: string): Promise<void> {
    await api.putMethodResponse({ ...key, statusCode: '200' });
    await api.putIntegration({ ...key, type: 'MOCK', requestTemplates: { 'application/json': '{"statusCode": 200}' } });
    await api.putIntegrationResponse({ ...key, statusCode: '200', responseTemplates: { 'application/json': template } });
  }

  const answerOf = async (response: Response) => [
    response.status,
    response.headers.get('x-amzn-errortype'),
    await response.text(),
  ];
  const auth = (value: string): RequestInit => ({ headers: { Auth: value } });

  test('who is let in is known to templates; others get the answers of API Gateway', async () => {
    const guard = await guarded({ authorizerResultTtlInSeconds: 0 });
    await mock(await guard.route('pets', 'GET'), SHOWN);
    await guard.deploy();
    const response = await guard.call('/pets', auth('allow'));
    expect([response.status, await response.json()]).toEqual([
      200,
      { principal: 'user-allow', word: 'allow', count: '3', first: 'true', call: expect.any(String), none: '' },
    ]);
    const unauthorized = [401, 'UnauthorizedException', '{"message":"Unauthorized"}'];
    const broken = [500, 'AuthorizerConfigurationException', '{"message":null}'];
    expect(await answerOf(await guard.call('/pets'))).toEqual(unauthorized);
    expect(await answerOf(await guard.call('/pets', auth('unknown')))).toEqual(unauthorized);
    expect(await answerOf(await guard.call('/pets', auth('broken')))).toEqual(broken);
    expect(await answerOf(await guard.call('/pets', auth('list')))).toEqual(broken);
    expect(await answerOf(await guard.call('/pets', auth('deny')))).toEqual([
      403,
      'AccessDeniedException',
      '{"Message":"User is not authorized to access this resource with an explicit deny"}',
    ]);
  });

  test('a function that is gone lets nobody in', async () => {
    const guard = await guarded({ authorizerUri: uriOf(functionArn.replace('guard', 'gone')) });
    await mock(await guard.route('pets', 'GET'), SHOWN);
    await guard.deploy();
    expect((await guard.call('/pets', auth('allow'))).status).toBe(500);
  });

  test('a decision is kept for its token, judged for each method, and forgotten by a flush', async () => {
    const guard = await guarded();
    await mock(await guard.route('pets', 'GET'), SHOWN);
    await mock(await guard.route('users', 'GET'), SHOWN);
    await guard.deploy();
    const callOf = async (token: string) => ((await (await guard.call('/pets', auth(token))).json()) as { call: string }).call;
    const first = await callOf('allow 1');
    expect(await callOf('allow 1')).toBe(first);
    expect(await callOf('allow 2')).not.toBe(first);
    // The policy that is kept allows the method it was asked for.
    expect(await answerOf(await guard.call('/users', auth('allow 1')))).toEqual([
      403,
      'AccessDeniedException',
      '{"Message":"User is not authorized to access this resource"}',
    ]);
    await api.flushStageAuthorizersCache({ restApiId: guard.restApiId, stageName: 'dev' });
    await vi.waitFor(async () => expect(await callOf('allow 1')).not.toBe(first), { timeout: 15_000, interval: 20 });
  });

  test('a function behind the route is told of the caller, and a body gets through', async () => {
    const guard = await guarded({
      type: 'REQUEST',
      identitySource: 'method.request.querystring.token',
    });
    upstream.does(async ({ body, response }) => void response.end(String((await body).length)));
    const files = await guard.route('files', 'POST');
    await api.putIntegration({
      ...files,
      type: 'HTTP_PROXY',
      integrationHttpMethod: 'POST',
      uri: upstream.url,
      requestParameters: { 'integration.request.header.X-Who': 'context.authorizer.principalId' },
    });
    await guard.deploy();
    const body = Buffer.alloc(3_000_000, 'a');
    const posted = await guard.call('/files?token=allow', { method: 'POST', body });
    expect([posted.status, await posted.text()]).toEqual([200, String(body.length)]);
    expect(upstream.calls.at(-1)!.request.headers['x-who']).toBe('user-allow');
    expect((await guard.call('/files?token=deny', { method: 'POST', body })).status).toBe(403);
    expect((await guard.call('/files', { method: 'POST', body })).status).toBe(401);
  });

  test('an API key may come from the authorizer', async () => {
    const guard = await guarded({}, { apiKeySource: 'AUTHORIZER' });
    const pets = await guard.route('pets', 'GET');
    await mock(pets, '$context.identity.apiKeyId');
    await api.updateMethod({ ...pets, patchOperations: [{ op: 'replace', path: '/apiKeyRequired', value: 'true' }] });
    await guard.deploy();
    const value = `a-key-of-more-than-twenty-characters-${guard.restApiId}`;
    expect((await guard.call('/pets', auth(value))).status, 'no such key yet').toBe(403);
    const { id: keyId } = await api.createApiKey({ enabled: true, value });
    const { id: usagePlanId } = await api.createUsagePlan({
      name: 'plan',
      apiStages: [{ apiId: guard.restApiId, stage: 'dev' }],
    });
    await api.createUsagePlanKey({ usagePlanId: usagePlanId!, keyId: keyId!, keyType: 'API_KEY' });
    const isKnown = async () => expect(await answerOf(await guard.call('/pets', auth(value)))).toEqual([200, null, keyId]);
    await vi.waitFor(isKnown, { timeout: 15_000, interval: 20 });
  });

  test('tokens of a user pool let in, and scopes decide where a method names some', async () => {
    const guard = await guarded({ type: 'COGNITO_USER_POOLS', authorizerUri: undefined, providerARNs: [issuer.arn] });
    const pets = await guard.route('pets', 'GET');
    const users = await guard.route('users', 'GET');
    await api.updateMethod({ ...users, patchOperations: [{ op: 'add', path: '/authorizationScopes', value: 'read' }] });
    for (const key of [pets, users]) await mock(key, '$context.authorizer.claims.sub');
    await guard.deploy();
    const exp = Math.ceil(Date.now() / 1000) + 600;
    const [id, access, poor] = [
      { token_use: 'id' },
      { token_use: 'access', scope: 'read' },
      { token_use: 'access', scope: 'write' },
    ].map((claims) => issuer.token({ sub: 'u1', exp, ...claims }));
    const calls = [
      ['/pets', id],
      ['/pets', access],
      ['/users', access],
      ['/users', poor],
      ['/users', id],
      ['/pets', `${id!.slice(0, -4)}AAAA`],
    ].map(async ([at, token]) => (await guard.call(at!, auth(token!))).status);
    expect(await Promise.all(calls)).toEqual([200, 401, 200, 401, 401, 401]);
    const known = await guard.call('/pets', auth(`Bearer ${id}`));
    expect([known.status, await known.text()]).toEqual([200, 'u1']);
    expect(await answerOf(await guard.call('/pets', auth(issuer.token({ sub: 'u1', exp: 1 }))))).toEqual([
      401,
      'UnauthorizedException',
      '{"message":"The incoming token has expired"}',
    ]);
  });

  test('a route whose authorizer cannot be asked stays closed', async () => {
    const guard = await guarded({ authorizerCredentials: FOREIGN_ROLE });
    await mock(await guard.route('pets', 'GET'), SHOWN);
    await guard.deploy();
    expect((await guard.call('/pets', auth('allow'))).status).toBe(403);
  });
});
