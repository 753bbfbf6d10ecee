/** GET /admin/v1/requests/{id}: what a real node remembers of requests that it really served, and to whom it tells it. */
import type { ExplainAnswer, Explanation } from '@gatehouse/contracts';
import { ScriptedUpstream, startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { openNode, startProcess, testFolder, type NodeProcess } from '@gatehouse/tools-node-link';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let scope: Awaited<ReturnType<typeof testFolder>>;
let tenant: TestTenant;
let stranger: TestTenant;
let upstream: ScriptedUpstream;
let runner: ScriptedUpstream;
let node: NodeProcess;
let restApiId: string;
let deploymentId: string;

const AUTH_URI =
  'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:auth/invocations';

const mock = (template: string) => ({
  type: 'mock',
  requestTemplates: { 'application/json': template },
  responses: { default: { statusCode: '200', responseTemplates: { 'application/json': '{"seen": $input.json("$")}' } } },
});
const documentOf = (backend: string) => ({
  openapi: '3.0.1',
  info: { title: 'pets', version: '1' },
  paths: {
    '/proxied/{id}': {
      get: {
        responses: { '200': { description: 'ok' } },
        'x-amazon-apigateway-integration': { type: 'http_proxy', httpMethod: 'GET', uri: `${backend}/pets?page=1` },
      },
    },
    '/broken': {
      post: {
        responses: { '200': { description: 'ok' } },
        'x-amazon-apigateway-integration': mock('{\n  "x": $util.parseJson("{"),\n "statusCode": 200}'),
      },
    },
    '/mocked': {
      post: {
        responses: { '200': { description: 'ok' } },
        'x-amazon-apigateway-integration': mock('#set($b = $input.body){"statusCode": 200}'),
      },
    },
    '/denied': {
      get: {
        security: [{ lambda: [] }],
        responses: { '200': { description: 'ok' } },
        'x-amazon-apigateway-integration': mock('{"statusCode": 200}'),
      },
    },
    '/keyed': {
      get: {
        security: [{ api_key: [] }],
        responses: { '200': { description: 'ok' } },
        'x-amazon-apigateway-integration': mock('{"statusCode": 200}'),
      },
    },
  },
  components: {
    securitySchemes: {
      api_key: { type: 'apiKey', name: 'x-api-key', in: 'header' },
      lambda: {
        type: 'apiKey',
        name: 'Authorization',
        in: 'header',
        'x-amazon-apigateway-authtype': 'custom',
        'x-amazon-apigateway-authorizer': { type: 'token', authorizerUri: AUTH_URI, authorizerResultTtlInSeconds: 300 },
      },
    },
  },
});

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  upstream.does(({ response }) => void setTimeout(() => response.end('hello'), 5));
  runner = await ScriptedUpstream.start();
  const Statement = [
    { Effect: 'Allow', Action: 'execute-api:Invoke', Resource: '*' },
    { Sid: 'NotThere', Effect: 'Deny', Action: '*', Resource: '*/GET/denied' },
  ];
  runner.does(
    ({ response }) =>
      void response.end(JSON.stringify({ principalId: 'ann', policyDocument: { Version: '2012-10-17', Statement } })),
  );
  house = await startControlPlaneHouse(composition);
  scope = await testFolder();
  [tenant, stranger] = [await house.tenant(), await house.tenant()];
  const { apiGateway: api } = tenant;
  const body = Buffer.from(JSON.stringify(documentOf(upstream.url)));
  restApiId = (await api.importRestApi({ body, failOnWarnings: true })).id!;
  deploymentId = (await api.createDeployment({ restApiId, stageName: 'prod' })).id!;
  node = await startProcess(scope, house.plane.grpcPort, {
    env: {
      GATEHOUSE_NODE_TOKEN: house.config.nodeToken.reveal(),
      GATEHOUSE_RUNNER_URL: runner.url,
      GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true',
      GATEHOUSE_EXPLAIN_SAMPLE_EVERY: '1',
      GATEHOUSE_EXPLAIN_REDACT: 'x-shop',
      GATEHOUSE_WORKERS: '2',
    },
  });
  await vi.waitFor(async () => expect((await fetch(`http://127.0.0.1:${node.adminPort}/readyz`)).status).toBe(200), {
    timeout: 20_000,
    interval: 20,
  });
}, 60_000);
afterAll(async () => {
  await scope.close();
  await house.close();
  await upstream.close();
  await runner.close();
  expect(bugs).toEqual([]);
});

const JSON_POST = { method: 'POST', headers: { 'content-type': 'application/json' } };

/** Status and request id of a call to the API. */
async function call(path: string, init: RequestInit = {}): Promise<{ status: number; id: string; text: string }> {
  const response = await fetch(`http://127.0.0.1:${node.port}/_aws/execute-api/${restApiId}/prod${path}`, init);
  const text = await response.text();
  return { status: response.status, id: response.headers.get('x-amzn-requestid')!, text };
}

const ask = (id: string, who = tenant) => who.send({ path: `/admin/v1/requests/${id}` });

async function explained(id: string): Promise<Explanation> {
  const { status, text } = await ask(id);
  expect(status, text).toBe(200);
  const { nodeId, explanation } = JSON.parse(text) as ExplainAnswer;
  expect(nodeId).not.toBe('');
  return explanation;
}

const failedStep = ({ steps }: Explanation) => steps.find(({ verdict }) => verdict === 'failed');

describe('a request', () => {
  test('that was proxied tells route, deployment, and the timing and bytes of its upstream', async () => {
    const { id } = await call('/proxied/7?token=topsecret&x=1', {
      headers: { authorization: 'Bearer abcdefgh', 'x-shop': 's1' },
    });
    const told = await explained(id);
    expect(told).toMatchObject({
      requestId: id,
      route: { apiId: restApiId, stage: 'prod', deploymentId, resource: '/proxied/{id}', httpMethod: 'GET' },
      fault: null,
      upstream: { url: `${upstream.url}/pets`, status: 200 },
      response: { status: 200, bodyBytes: 5, callerLeft: false },
    });
    expect(told.upstream!.latencyMs).toBeGreaterThan(4);
    expect(told.upstream!.latencyMs).toBeLessThanOrEqual(told.response.latencyMs);
    expect(told.steps.every(({ verdict }) => verdict === 'continued')).toBe(true);
    const [received, called, answered] = told.detail!.events;
    expect([received!.type, called!.type, answered!.type]).toEqual(['RECEIVED', 'CALLED', 'ANSWERED']);
    expect(received!['query']).toEqual(['token', '[redacted]', 'x', '1']);
    const text = JSON.stringify(told);
    for (const secret of ['topsecret', 'abcdefgh', '"s1"']) expect(text).not.toContain(secret);
  });

  test('that an authorizer denies tells the step, the statement, and whether the decision was an earlier one', async () => {
    const headers = { authorization: 'Bearer deny-me-please' };
    const { status, id } = await call('/denied', { headers });
    expect(status).toBe(403);
    const told = await explained(id);
    expect(failedStep(told)).toEqual({
      half: 'request',
      name: 'authorize',
      verdict: 'failed',
      why: "ACCESS_DENIED: judging by the authorizer's policy: a statement of the policy denies it",
    });
    expect(told.caller).toMatchObject({ principalId: 'ann', authorizer: 'asked' });
    expect(told.detail!.denial).toMatchObject({ statementIndex: 1, statement: { Sid: 'NotThere', Effect: 'Deny' } });
    expect(told.steps.at(-1)).toMatchObject({ verdict: 'not run' });
    expect(JSON.stringify(told)).not.toContain('deny-me-please');
  });

  test('without its key tells that the key was looked for', async () => {
    const { status, id } = await call('/keyed');
    expect(status).toBe(403);
    expect(failedStep(await explained(id))).toMatchObject({
      name: 'identify key',
      why: 'INVALID_API_KEY: looking for x-api-key',
    });
  });

  test('whose template fails tells name, line and column, and what went in', async () => {
    const { status, id } = await call('/broken', { ...JSON_POST, body: '{"password":"p4ssword","name":"Rex"}' });
    expect(status).toBe(500);
    const told = await explained(id);
    expect(failedStep(told)).toMatchObject({ name: 'map request' });
    expect(told.detail!.template).toMatchObject({ half: 'request', name: 'application/json', line: 2, column: 13 });
  });

  test('whose templates were rendered tells what went in and came out', async () => {
    const body = '{"password":"p4ssword","name":"Rex"}';
    const { id } = await call('/mocked', { ...JSON_POST, body });
    const { detail } = await explained(id);
    const rendered = detail!.events.filter(({ type }) => type === 'TEMPLATE_RENDERED');
    expect(rendered[0]).toMatchObject({
      half: 'request',
      name: 'application/json',
      input: '{"password":"[redacted]","name":"Rex"}',
      output: '{"statusCode": 200}',
    });
    expect(JSON.stringify(detail)).not.toContain('p4ssword');
  });

  test('that found no route tells so', async () => {
    const { id } = await call('/nowhere');
    expect(await explained(id)).toMatchObject({
      route: { resource: null },
      steps: [],
      fault: { name: 'MISSING_AUTHENTICATION_TOKEN', doing: 'looking for a route' },
    });
  });
});

describe('nothing is told', () => {
  test("of another tenant's request, as if there were none", async () => {
    const { id } = await call('/proxied/7');
    await explained(id);
    const nobodys = await ask('00000000-0000-4000-8000-000000000000', stranger);
    const others = await ask(id, stranger);
    expect([others.status, others.text]).toEqual([404, nobodys.text]);
  });

  test('of one that no node remembers: 404 says how long requests are kept, and how many are sampled', async () => {
    const { status, text } = await ask('00000000-0000-4000-8000-000000000000');
    expect([status, JSON.parse(text)]).toEqual([
      404,
      {
        type: 'NotFoundException',
        message:
          'No such request is remembered: 1 node was asked. Nodes remember every request for 4 h, or less when their memory for it is ' +
          'full, and details of those that fail and one in 1 of the others.',
      },
    ]);
  });

  test('to who asks for what is no id, or does not sign', async () => {
    expect((await ask('x')).status).toBe(400);
    expect(
      (await fetch(`http://127.0.0.1:${house.plane.adminPort}/admin/v1/requests/00000000-0000-4000-8000-000000000000`)).status,
    ).toBe(403);
  });
});

test('a control plane names the nodes that it could not ask', async () => {
  const older = await openNode(`${scope.folder}/older`, house.plane.grpcPort, { token: house.config.nodeToken });
  older.link.connect();
  await vi.waitFor(() => expect(older.link.status.connected).toBe(true), { timeout: 10_000, interval: 20 });
  const { text } = await ask('00000000-0000-4000-8000-000000000000');
  expect(text).toContain(`Of other nodes nothing is known: ${older.link.nodeId} remembers no requests.`);
  await older.link.close();
});
