/** TestInvokeMethod: from the SDK to a real node and back, with the execution log. */
import type { PutIntegrationCommandInput, TestInvokeMethodCommandOutput } from '@aws-sdk/client-api-gateway';
import {
  createMockApi,
  refusalOf,
  ScriptedUpstream,
  startControlPlaneHouse,
  type ControlPlaneHouse,
  type TestTenant,
} from '@gatehouse/testkit';
import { startProcess, testFolder } from '@gatehouse/tools-node-link';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let scope: Awaited<ReturnType<typeof testFolder>>;
let upstream: ScriptedUpstream;
let runner: ScriptedUpstream;
let tenant: TestTenant;
let api: TestTenant['apiGateway'];
let key: { restApiId: string; resourceId: string; httpMethod: string };

const NO_NODE =
  '400 BadRequestException: The method cannot be tested: no node that serves the API is connected to this control plane.';

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  runner = await ScriptedUpstream.start();
  house = await startControlPlaneHouse(composition);
  const nobody = await house.tenant();
  const { key: method } = await createMockApi(nobody.apiGateway);
  expect(await refusalOf(nobody.apiGateway.testInvokeMethod(method))).toBe(NO_NODE);
  scope = await testFolder();
  await startProcess(scope, house.plane.grpcPort, {
    env: {
      GATEHOUSE_NODE_TOKEN: house.config.nodeToken.reveal(),
      GATEHOUSE_RUNNER_URL: runner.url,
      GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true',
    },
  });
  await vi.waitFor(() => nobody.apiGateway.testInvokeMethod(method), { timeout: 15_000, interval: 100 });
});
beforeEach(async () => {
  tenant = await house.tenant();
  api = tenant.apiGateway;
  ({ key } = await createMockApi(api));
});
afterAll(async () => {
  await scope.close();
  await house.close();
  await upstream.close();
  await runner.close();
  expect(bugs).toEqual([]);
});

/** Without its times, its id, and the answer's `$metadata`. */
function seen({ status, body, headers, multiValueHeaders, log, latency }: TestInvokeMethodCommandOutput) {
  expect(latency).toBeGreaterThanOrEqual(0);
  const [first, ...rest] = log!.split('\n');
  const id = /^Execution log for request ([0-9a-f-]{36})$/.exec(first!)![1]!;
  const date = /^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat) [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4} : /;
  expect(rest.pop(), 'an empty last line').toBe('');
  const lines = rest.map((line) => {
    expect(line).toMatch(date);
    return line
      .replace(date, '')
      .replace(id, '{id}')
      .replaceAll(upstream.url, 'http://upstream')
      .replace(/\d+ ms$/, '{n} ms');
  });
  return { status, body, headers, multiValueHeaders, lines };
}

const integrate = (input: Omit<PutIntegrationCommandInput, 'restApiId' | 'resourceId' | 'httpMethod'>) =>
  api.putIntegration({ ...key, ...input });

describe('a MOCK', () => {
  test('answers from its templates, undeployed, with the lines of an execution log', async () => {
    await api.putIntegrationResponse({ ...key, statusCode: '200', responseTemplates: { 'application/json': '{"a":1}' } });
    const result = await api.testInvokeMethod({ ...key, pathWithQueryString: '/users?b=2&c=%20d', headers: { 'X-One': '1' } });
    expect(result.$metadata.httpStatusCode).toBe(200);
    expect(seen(result)).toEqual({
      status: 200,
      body: '{"a":1}',
      headers: expect.objectContaining({ 'Content-Type': 'application/json' }),
      multiValueHeaders: expect.objectContaining({ 'Content-Type': ['application/json'] }),
      lines: [
        'Starting execution for request: {id}',
        'HTTP Method: GET, Resource Path: /users',
        'Method request path: {}',
        'Method request query string: {b=2, c= d}',
        'Method request headers: {X-One=1}',
        'Method request body before transformations: ',
        'Method response body after transformations: {"a":1}',
        expect.stringMatching(/^Method response headers: \{.*Content-Type=application\/json.*\}$/),
        'Successfully completed execution',
        'Method completed with status: 200',
      ],
    });
  });

  test('is run as the draft stands, whatever is deployed', async () => {
    await api.createDeployment({ restApiId: key.restApiId, stageName: 'dev' });
    await api.putMethodResponse({ ...key, statusCode: '201' });
    await api.deleteIntegrationResponse({ ...key, statusCode: '200' });
    await api.putIntegrationResponse({ ...key, statusCode: '201' });
    expect((await api.testInvokeMethod(key)).status).toBe(201);
  });

  test('needs no key, and no authorizer is asked', async () => {
    await api.updateMethod({
      ...key,
      patchOperations: [
        { op: 'replace', path: '/apiKeyRequired', value: 'true' },
        { op: 'replace', path: '/authorizationType', value: 'AWS_IAM' },
      ],
    });
    expect((await api.testInvokeMethod(key)).status).toBe(200);
  });

  test('validates the request as the draft says', async () => {
    const { restApiId } = key;
    const schema = '{"type":"object","required":["name"]}';
    await api.createModel({ restApiId, name: 'Pet', contentType: 'application/json', schema });
    const validator = await api.createRequestValidator({
      restApiId,
      name: 'all',
      validateRequestBody: true,
      validateRequestParameters: true,
    });
    await api.updateMethod({
      ...key,
      patchOperations: [
        { op: 'replace', path: '/requestValidatorId', value: validator.id },
        { op: 'add', path: '/requestModels/application~1json', value: 'Pet' },
        { op: 'add', path: '/requestParameters/method.request.querystring.q', value: 'true' },
        { op: 'replace', path: '/authorizationType', value: 'AWS_IAM' },
      ],
    });
    const lines = async (input: { pathWithQueryString?: string; body?: string }) => {
      const result = seen(await api.testInvokeMethod({ ...key, ...input }));
      return [result.status, ...result.lines.slice(-2)];
    };
    expect(await lines({})).toEqual([400, 'Missing required request parameters: [q]', 'Method completed with status: 400']);
    expect(await lines({ pathWithQueryString: '/users?q=1', body: '{}' })).toEqual([
      400,
      'Request body does not match model schema for content type application/json: [object has missing required properties (["name"])]',
      'Method completed with status: 400',
    ]);
    expect((await lines({ pathWithQueryString: '/users?q=1', body: '{"name":"Rex"}' }))[0]).toBe(200);
  });

  test('without a path is run on that of its resource, and on one that does not match it, too', async () => {
    expect((await api.testInvokeMethod(key)).log).toContain('Resource Path: /users\n');
    const elsewhere = await api.testInvokeMethod({ ...key, pathWithQueryString: '/elsewhere/entirely' });
    expect(elsewhere.status).toBe(200);
    expect(elsewhere.log).toContain('HTTP Method: GET, Resource Path: /elsewhere/entirely\n');
  });

  test('renders its templates, and they set status and headers', async () => {
    await integrate({
      type: 'MOCK',
      requestTemplates: { 'application/json': '#set($status = 200){"statusCode": $status}' },
    });
    await api.putIntegrationResponse({
      ...key,
      statusCode: '200',
      responseTemplates: {
        'application/json':
          '#set($context.responseOverride.status = 418)#set($context.responseOverride.header.X-Pot = "tea")' +
          '{"b": "$input.params(\'b\')", "method": "$context.httpMethod"}',
      },
    });
    const { status, body, headers } = await api.testInvokeMethod({ ...key, pathWithQueryString: '/users?b=2' });
    expect([status, body, headers!['X-Pot']]).toEqual([418, '{"b": "2", "method": "GET"}', 'tea']);
  });
});

describe('a backend', () => {
  test('of type HTTP_PROXY gets the request and is shown in the log, secrets masked', async () => {
    upstream.does(({ response }) => void response.writeHead(202, { 'x-from': 'backend' }).end('{"got":true}'));
    await integrate({ type: 'HTTP_PROXY', integrationHttpMethod: 'POST', uri: `${upstream.url}/pets` });
    const before = upstream.calls.length;
    const result = await api.testInvokeMethod({
      ...key,
      pathWithQueryString: '/users?q=1',
      body: '{"name":"Rex"}',
      headers: { Authorization: 'Bearer a-very-secret-token', 'X-Twice': 'lost' },
      multiValueHeaders: { 'x-twice': ['a', 'b'] },
    });
    const call = await upstream.called(before + 1);
    expect([call.httpMethod, call.url, String(await call.body)]).toEqual(['POST', '/pets?q=1', '{"name":"Rex"}']);
    expect(call.request.headers).toMatchObject({ authorization: 'Bearer a-very-secret-token', 'x-twice': 'a, b' });
    const { status, body, headers, lines } = seen(result);
    expect([status, body, headers!['x-from']]).toEqual([202, '{"got":true}', 'backend']);
    expect(lines).toEqual([
      'Starting execution for request: {id}',
      'HTTP Method: GET, Resource Path: /users',
      'Method request path: {}',
      'Method request query string: {q=1}',
      'Method request headers: {Authorization=********************-token, x-twice=a,b}',
      'Method request body before transformations: {"name":"Rex"}',
      'Endpoint request URI: http://upstream/pets?q=1',
      expect.stringMatching(/^Endpoint request headers: \{.*X-Amzn-Trace-Id=Root=1-/i),
      'Endpoint request body after transformations: {"name":"Rex"}',
      'Sending request to http://upstream/pets?q=1',
      'Received response. Status: 202, Integration latency: {n} ms',
      expect.stringMatching(/^Endpoint response headers: \{.*x-from=backend/),
      'Endpoint response body before transformations: {"got":true}',
      'Method response body after transformations: {"got":true}',
      expect.stringMatching(/^Method response headers: \{.*x-from=backend/),
      'Successfully completed execution',
      'Method completed with status: 202',
    ]);
    expect(result.log).not.toContain('a-very-secret');
  });

  test('is named by a stage variable of the test, and gets path parameters', async () => {
    upstream.does(({ response }) => void response.end('ok'));
    const { restApiId } = key;
    const child = await api.createResource({ restApiId, parentId: key.resourceId, pathPart: '{id}' });
    const nested = { restApiId, resourceId: child.id!, httpMethod: 'ANY' };
    await api.putMethod({ ...nested, authorizationType: 'NONE', requestParameters: { 'method.request.path.id': true } });
    await api.putIntegration({
      ...nested,
      type: 'HTTP_PROXY',
      integrationHttpMethod: 'GET',
      uri: 'http://${stageVariables.host}/of/{id}',
      requestParameters: { 'integration.request.path.id': 'method.request.path.id' },
    });
    const result = await api.testInvokeMethod({
      ...nested,
      pathWithQueryString: '/users/7',
      stageVariables: { host: `127.0.0.1:${upstream.port}` },
    });
    expect(upstream.calls.at(-1)!.url).toBe('/of/7');
    expect(result.log).toContain('HTTP Method: GET, Resource Path: /users/7\n');
    expect(result.log).toContain('Method request path: {id=7}\n');
    expect(result).toMatchObject({ status: 200, body: 'ok' });
  });

  test('of type HTTP answers through the integration responses', async () => {
    upstream.does(({ response }) => void response.writeHead(404).end('nothing'));
    await api.putMethodResponse({ ...key, statusCode: '404' });
    await integrate({ type: 'HTTP', integrationHttpMethod: 'GET', uri: upstream.url });
    await api.putIntegrationResponse({ ...key, statusCode: '200' });
    await api.putIntegrationResponse({
      ...key,
      statusCode: '404',
      selectionPattern: '404',
      responseTemplates: { 'application/json': '{"found":false}' },
    });
    const { status, body, lines } = seen(await api.testInvokeMethod(key));
    expect([status, body]).toEqual([404, '{"found":false}']);
    expect(lines).toContain('Endpoint response body before transformations: nothing');
    expect(lines).toContain('Method response body after transformations: {"found":false}');
  });

  test('that is not there, or does not answer in time, is told as on AWS', async () => {
    const gone = await ScriptedUpstream.start();
    const { url: uri } = gone;
    await gone.close();
    await integrate({ type: 'HTTP_PROXY', integrationHttpMethod: 'GET', uri });
    expect(seen(await api.testInvokeMethod(key))).toMatchObject({
      status: 504,
      body: '{"message":"Network error communicating with endpoint"}',
      lines: expect.arrayContaining(['Execution failed due to a network error communicating with endpoint']),
    });
    upstream.does(() => undefined);
    await integrate({ type: 'HTTP_PROXY', integrationHttpMethod: 'GET', uri: upstream.url, timeoutInMillis: 50 });
    expect(seen(await api.testInvokeMethod(key))).toMatchObject({
      status: 504,
      body: '{"message":"Endpoint request timed out"}',
      lines: expect.arrayContaining(['Execution failed due to a timeout error', 'Method completed with status: 504']),
    });
  });

  test('of type AWS_PROXY is invoked with the test stage in its event', async () => {
    runner.does(({ response }) => void response.end('{"statusCode":201,"body":"made","headers":{"X-F":"y"}}'));
    const functionArn = `arn:aws:lambda:us-east-1:${tenant.account}:function:f`;
    await integrate({
      type: 'AWS_PROXY',
      integrationHttpMethod: 'POST',
      uri: `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${functionArn}/invocations`,
    });
    const { status, body, headers, lines } = seen(await api.testInvokeMethod({ ...key, pathWithQueryString: '/users?a=b' }));
    expect([status, body, headers!['X-F']]).toEqual([201, 'made', 'y']);
    const call = runner.calls.at(-1)!;
    expect(call.url).toContain(encodeURIComponent(functionArn));
    expect(JSON.parse(String(await call.body))).toMatchObject({
      path: '/users',
      httpMethod: 'GET',
      queryStringParameters: { a: 'b' },
      requestContext: { stage: 'test-invoke-stage', identity: { sourceIp: 'test-invoke-source-ip' } },
    });
    expect(lines).toContain(
      `Sending request to https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/${functionArn}/invocations`,
    );
    runner.does(({ response }) => void response.end('"no proxy response"'));
    expect(seen(await api.testInvokeMethod(key))).toMatchObject({
      status: 502,
      lines: expect.arrayContaining(['Execution failed due to configuration error: Malformed Lambda proxy response']),
    });
  });

  test('that nodes cannot reach (an unmapped VPC link) answers 500, and the log says why', async () => {
    const { id: connectionId } = await api.createVpcLink({ name: 'l', targetArns: ['arn:aws:x:us-east-1:111111111111:y'] });
    await integrate({
      type: 'HTTP_PROXY',
      integrationHttpMethod: 'GET',
      uri: upstream.url,
      connectionType: 'VPC_LINK',
      connectionId,
    });
    const { status, body, headers, lines } = seen(await api.testInvokeMethod(key));
    expect({ status, body, type: headers!['x-amzn-ErrorType'] }).toEqual({
      status: 500,
      body: '{"message":"Internal server error"}',
      type: 'InternalServerErrorException',
    });
    expect(lines.slice(-2)).toEqual([
      `Execution failed due to configuration error: connectionId: VPC link ${connectionId} leads nowhere: PUT /admin/v1/vpc-links/${connectionId}/targets says where`,
      'Method completed with status: 500',
    ]);
  });
});

describe('refusals', () => {
  test('of what is not there', async () => {
    const test = (input: Partial<Parameters<typeof api.testInvokeMethod>[0]>) =>
      refusalOf(api.testInvokeMethod({ ...key, ...input }));
    expect(await test({ restApiId: 'zzzzzzzzzz' })).toBe('404 NotFoundException: Invalid Resource identifier specified');
    expect(await test({ resourceId: 'zzzzzz' })).toBe('404 NotFoundException: Invalid Resource identifier specified');
    expect(await test({ httpMethod: 'POST' })).toBe('404 NotFoundException: Invalid Method identifier specified');
    expect(await test({ clientCertificateId: 'nobody' })).toBe(
      '400 BadRequestException: Invalid client certificate identifier specified',
    );
    expect(await test({ stageVariables: { 'a-b': 'c' } })).toContain(
      '400 BadRequestException: Invalid stage variable name "a-b"',
    );
    await api.deleteIntegration(key);
    expect(await test({})).toBe('404 NotFoundException: Invalid Integration identifier specified');
  });

  test('of headers that could end a header line', async () => {
    const refused = (headers: Record<string, string>) => refusalOf(api.testInvokeMethod({ ...key, headers }));
    expect(await refused({ 'a b': 'c' })).toBe('400 BadRequestException: Invalid header specified: "a b"');
    expect(await refused({ a: 'b\r\nX-Injected: 1' })).toBe('400 BadRequestException: Invalid header specified: "a"');
  });

  test('of a path that no caller could ask for are the answer of the run', async () => {
    expect(await api.testInvokeMethod({ ...key, pathWithQueryString: '/users/../admin' })).toMatchObject({ status: 400 });
  });
});

test('an API of a pool without nodes cannot be tested', async () => {
  await api.tagResource({
    resourceArn: `arn:aws:apigateway:us-east-1::/restapis/${key.restApiId}`,
    tags: { 'gatehouse:pool': 'elsewhere' },
  });
  expect(await refusalOf(api.testInvokeMethod(key))).toBe(NO_NODE);
});

test('a node with several workers has one of them run the draft', async () => {
  await startProcess(scope, house.plane.grpcPort, {
    name: 'workers',
    env: { GATEHOUSE_NODE_TOKEN: house.config.nodeToken.reveal(), GATEHOUSE_WORKERS: '2', GATEHOUSE_NODE_LABELS: 'pool=workers' },
  });
  const resourceArn = `arn:aws:apigateway:us-east-1::/restapis/${key.restApiId}`;
  await api.tagResource({ resourceArn, tags: { 'gatehouse:pool': 'workers' } });
  const answer = await vi.waitFor(() => api.testInvokeMethod(key), { timeout: 15_000, interval: 100 });
  expect(answer).toMatchObject({ status: 200, log: expect.stringContaining('Method completed with status: 200\n') });
});
