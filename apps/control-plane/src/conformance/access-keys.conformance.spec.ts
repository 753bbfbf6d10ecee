/** Routes with AWS_IAM: keys and policies from the admin API to a real node, and requests that the SDK's signer signed. */
import {
  createMockApi,
  sendSigned,
  startControlPlaneHouse,
  type ControlPlaneHouse,
  type TestCredentials,
  type TestTenant,
} from '@gatehouse/testkit';
import { sha256Hex } from '@gatehouse/kernel';
import { startProcess, testFolder, type NodeProcess } from '@gatehouse/tools-node-link';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let scope: Awaited<ReturnType<typeof testFolder>>;
let tenant: TestTenant;
let node: NodeProcess;
let restApiId: string;

beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
  tenant = await house.tenant();
  scope = await testFolder();
  node = await startProcess(scope, house.plane.grpcPort, {
    env: {
      GATEHOUSE_NODE_TOKEN: house.config.nodeToken.reveal(),
      GATEHOUSE_VPC_ENDPOINTS: 'vpce-1a@vpc-1=127.0.0.0/8',
    },
  });
  const api = await createMockApi(tenant.apiGateway, 'signed');
  restApiId = api.restApiId;
  await tenant.apiGateway.updateMethod({
    ...api.key,
    patchOperations: [{ op: 'replace', path: '/authorizationType', value: 'AWS_IAM' }],
  });
  const post = { ...api.key, httpMethod: 'POST' };
  await tenant.apiGateway.putMethod({ ...post, authorizationType: 'AWS_IAM' });
  await tenant.apiGateway.putMethodResponse({ ...post, statusCode: '200' });
  await tenant.apiGateway.putIntegration({
    ...post,
    type: 'MOCK',
    requestTemplates: { 'text/plain': '{"statusCode": 200}', 'application/json': '{"statusCode": 200}' },
  });
  await tenant.apiGateway.putIntegrationResponse({ ...post, statusCode: '200' });
  await tenant.apiGateway.createDeployment({ restApiId, stageName: 'dev' });
}, 60_000);
afterAll(async () => {
  await scope.close();
  await house.close();
  expect(bugs).toEqual([]);
});

const SOON = { timeout: 10_000, interval: 20 };
const ALLOW = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: '*' }] };

async function admin<T>(method: string, path: string, body?: unknown, from = tenant): Promise<{ status: number; body: T }> {
  const answer = await from.send({ method, path: `/admin/v1${path}`, ...(body !== undefined && { body: JSON.stringify(body) }) });
  const text = answer.body.toString();
  return { status: answer.status, body: (text === '' ? null : JSON.parse(text)) as T };
}

/** What the node says to a request for `/users` that was signed with these. */
async function call(credentials: TestCredentials): Promise<string> {
  const { status, body } = await sendSigned(node.port, credentials, {
    path: '/dev/users',
    headers: { host: `${restApiId}.execute-api.localhost` },
    signature: { service: 'execute-api' },
  });
  return status === 200 ? '200' : `${status} ${body.toString()}`;
}
const until = (credentials: TestCredentials, expected: string) =>
  vi.waitFor(async () => expect(await call(credentials)).toBe(expected), SOON);

interface Key extends TestCredentials {
  readonly principalArn: string;
  readonly management: boolean;
}
const keyFor = async (userName: string, from = tenant): Promise<Key> =>
  (await admin<Key>('POST', '/access-keys', { userName }, from)).body;
const refusedTo = (user: string): string =>
  `403 {"Message":"User: arn:aws:iam::${tenant.account}:user/${user} is not authorized to perform: execute-api:Invoke on resource: ` +
  `arn:aws:execute-api:us-east-1:********${tenant.account.slice(-4)}:${restApiId}/dev/GET/users"}`;
const UNKNOWN = '403 {"message":"The security token included in the request is invalid."}';

test('a principal calls what its policy allows, from the moment it does', async () => {
  const ann = await keyFor('ann');
  expect(ann.management).toBe(false);
  await until(ann, refusedTo('ann'));
  expect((await admin('GET', '/users/ann/policy')).status).toBe(404);
  expect((await admin('PUT', '/users/ann/policy', ALLOW)).status).toBe(200);
  expect((await admin('GET', '/users/ann/policy')).body).toEqual({ principalArn: ann.principalArn, policy: ALLOW });
  await until(ann, '200');
  expect((await admin('DELETE', '/users/ann/policy')).status).toBe(204);
  await until(ann, refusedTo('ann'));
});

test('a disabled key opens nothing, an enabled one does again, and a removed one is gone', async () => {
  const bob = await keyFor('bob');
  await admin('PUT', '/users/bob/policy', ALLOW);
  await until(bob, '200');
  expect((await admin('PATCH', `/access-keys/${bob.accessKeyId}`, { enabled: false })).status).toBe(200);
  await until(bob, UNKNOWN);
  await admin('PATCH', `/access-keys/${bob.accessKeyId}`, { enabled: true });
  await until(bob, '200');
  expect((await admin('DELETE', `/access-keys/${bob.accessKeyId}`)).status).toBe(204);
  await until(bob, UNKNOWN);
  expect((await admin('DELETE', `/access-keys/${bob.accessKeyId}`)).status).toBe(404);
});

test.each([
  ['at once', 2_000],
  ['in parts', 300_000],
])('a body that comes %s is signed, too', async (_, length) => {
  const joe = await keyFor('joe');
  await admin('PUT', '/users/joe/policy', ALLOW);
  await until(joe, '200');
  const send = (signed: string, sent: string) =>
    sendSigned(node.port, joe, {
      method: 'POST',
      path: '/dev/users',
      headers: { host: `${restApiId}.execute-api.localhost` },
      body: sent,
      signature: { service: 'execute-api' },
      ...(signed === sent
        ? {}
        : { headers: { host: `${restApiId}.execute-api.localhost`, 'x-amz-content-sha256': sha256Hex(signed) } }),
    });
  const body = 'x'.repeat(length);
  expect((await send(body, body)).status).toBe(200);
  const changed = await send(body, `${body.slice(1)}y`);
  expect(changed.body.toString()).toContain('The request signature we calculated does not match');
});

test('without a signature the method is not there', async () => {
  const answer = await fetch(`http://127.0.0.1:${node.port}/_aws/execute-api/${restApiId}/dev/users`);
  expect([answer.status, await answer.text()]).toEqual([403, '{"message":"Missing Authentication Token"}']);
  expect(answer.headers.get('x-amzn-errortype')).toBe('MissingAuthenticationTokenException');
});

describe('a resource policy', () => {
  const allow = (principal: object | string) =>
    JSON.stringify({ ...ALLOW, Statement: [{ ...ALLOW.Statement[0], Principal: principal, Resource: 'execute-api:/*' }] });
  const setPolicy = (value: string) =>
    tenant.apiGateway.updateRestApi({ restApiId, patchOperations: [{ op: 'replace', path: '/policy', value }] });
  const deploy = () => tenant.apiGateway.createDeployment({ restApiId, stageName: 'dev' });
  afterAll(async () => {
    await setPolicy('');
    await deploy();
  });

  test('counts once it is deployed, and lets in callers of another account who may call by their own policy', async () => {
    const other = await house.tenant();
    const zoe = await keyFor('zoe', other);
    await admin('PUT', '/users/zoe/policy', ALLOW, other);
    const user = `arn:aws:iam::${other.account}:user/zoe`;
    const refused = refusedTo('ann').replace(/arn:aws:iam::\d+:user\/ann/, user);
    await until(zoe, refused);
    await setPolicy(allow({ AWS: other.account }));
    const hal = await keyFor('hal');
    await until(hal, refusedTo('hal')); // the newest change has arrived; the policy, which is not deployed, has not
    expect(await call(zoe)).toBe(refused);
    await deploy();
    await until(zoe, '200');
    await admin('DELETE', '/users/zoe/policy', undefined, other);
    await vi.waitFor(async () => expect(await call(zoe)).not.toBe('200'), SOON);
  });

  test('lets in a user of the own account who has no policy', async () => {
    const ida = await keyFor('ida');
    await until(ida, refusedTo('ida'));
    await setPolicy(allow({ AWS: ida.principalArn }));
    await deploy();
    await until(ida, '200');
  });
});

test('a private API is there for callers of its VPC endpoint alone, as its policy says', async () => {
  const api = await createMockApi(tenant.apiGateway, 'private');
  const policy = { StringEquals: { 'aws:SourceVpce': 'vpce-1a' } };
  const statement = { ...ALLOW.Statement[0], Principal: '*', Resource: 'execute-api:/*', Condition: policy };
  await tenant.apiGateway.updateRestApi({
    restApiId: api.restApiId,
    patchOperations: [
      { op: 'replace', path: '/endpointConfiguration/types/REGIONAL', value: 'PRIVATE' },
      { op: 'replace', path: '/policy', value: JSON.stringify({ ...ALLOW, Statement: [statement] }) },
    ],
  });
  await tenant.apiGateway.createDeployment({ restApiId: api.restApiId, stageName: 'dev' });
  const from = async (host: string, headers: Record<string, string> = {}) => {
    const path = '/dev/users';
    const { status, body } = await sendSigned(node.port, tenant.credentials, {
      path,
      headers: { host, ...headers },
      signature: null,
    });
    return `${status} ${body.toString()}`;
  };
  await vi.waitFor(async () => expect(await from(`${api.restApiId}.execute-api.localhost`)).toMatch(/^200/), SOON);
  expect(await from(`${api.restApiId}-vpce-1a.execute-api.localhost`)).toMatch(/^200/);
  expect(await from(`${api.restApiId}-vpce-2b.execute-api.localhost`)).toBe('403 {"message":"Forbidden"}');
  const dns = 'vpce-1a-xyz.execute-api.us-east-1.vpce.localhost';
  expect(await from(dns, { 'x-apigw-api-id': api.restApiId })).toMatch(/^200/);
  const outside = await startProcess(scope, house.plane.grpcPort, {
    name: 'outside',
    env: { GATEHOUSE_NODE_TOKEN: house.config.nodeToken.reveal() },
  });
  const url = `http://127.0.0.1:${outside.port}/_aws/execute-api/${api.restApiId}/dev/users`;
  await vi.waitFor(async () => expect(await (await fetch(url)).text()).toBe('{"message":"Forbidden"}'), SOON);
});

describe('keys and policies', () => {
  test('a key for calls manages nothing', async () => {
    const carl = await keyFor('carl');
    const answer = await sendSigned(house.plane.adminPort, carl, { path: '/restapis' });
    expect(answer.status).toBe(403);
    expect(answer.body.toString()).toContain('the access key is one for calls alone');
  });

  test('nobody is shown a secret twice', async () => {
    await keyFor('dora');
    const { body } = await admin<{ accessKeys: object[] }>('GET', '/access-keys');
    expect(body.accessKeys.length).toBeGreaterThan(1);
    for (const key of body.accessKeys)
      expect(Object.keys(key).sort()).toEqual(['accessKeyId', 'enabled', 'management', 'principalArn']);
  });

  test("another tenant's are not there", async () => {
    const other = await house.tenant();
    const eve = await keyFor('eve');
    await admin('PUT', '/users/eve/policy', ALLOW);
    expect((await admin<{ accessKeys: object[] }>('GET', '/access-keys', undefined, other)).body.accessKeys).toHaveLength(1);
    expect((await admin('PATCH', `/access-keys/${eve.accessKeyId}`, { enabled: false }, other)).status).toBe(404);
    expect((await admin('DELETE', `/access-keys/${eve.accessKeyId}`, undefined, other)).status).toBe(404);
    expect((await admin('GET', '/users/eve/policy', undefined, other)).status).toBe(404);
    await until(eve, '200');
  });

  test.each([
    ['a key of nobody', 'POST', '/access-keys', {}],
    ['a name with a blank', 'POST', '/access-keys', { userName: 'a b' }],
    ['an unknown member', 'POST', '/access-keys', { userName: 'a', more: 1 }],
    ['a policy without statements', 'PUT', '/users/ann/policy', { Version: '2012-10-17' }],
    [
      'a policy that names a principal',
      'PUT',
      '/users/ann/policy',
      { Statement: [{ Effect: 'Allow', Action: '*', Resource: '*', Principal: '*' }] },
    ],
    ['a policy that is too long', 'PUT', '/users/ann/policy', { ...ALLOW, Id: 'x'.repeat(2_048) }],
    ['a policy of a name with a blank', 'PUT', '/users/a%20b/policy', ALLOW],
  ])('%s is a bad request', async (_, method, path, body) => {
    const answer = await admin<{ type: string }>(method, path, body);
    expect([answer.status, answer.body.type]).toEqual([400, 'BadRequestException']);
  });

  test('who signs with a key cannot lock himself out', async () => {
    const own = tenant.credentials.accessKeyId;
    expect((await admin('PATCH', `/access-keys/${own}`, { enabled: false })).status).toBe(409);
    expect((await admin('DELETE', `/access-keys/${own}`)).status).toBe(409);
  });

  test('no secret is in what nodes are sent or in the database', async () => {
    const fay = await keyFor('fay');
    const entries = await house.plane.store.manifest.all(['ACCESS_KEY']);
    const entry = entries.find(({ id }) => id === fay.accessKeyId)!.content!.inline;
    expect(entry).not.toContain(fay.secretAccessKey);
    expect(Object.keys((JSON.parse(entry) as { signingKeys: object }).signingKeys)).toHaveLength(15);
    const rows = await house.query<{ inline: string }>(
      `SELECT inline FROM manifest_entries WHERE kind = 'ACCESS_KEY' AND NOT removed`,
    );
    for (const { inline } of rows) expect(inline).toMatch(/^sealed:/);
  });

  test('a tenant without callers has no key on a node', async () => {
    const quiet = await house.tenant();
    const gus = await keyFor('gus', quiet);
    expect((await house.plane.store.manifest.all(['ACCESS_KEY'])).map(({ id }) => id)).not.toContain(gus.accessKeyId);
  });
});
