/** Where AWS services are, and the credentials behind roles: said by their tenant, kept sealed, and never shown again. */
import { startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let tenant: TestTenant;
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
});
beforeEach(async () => {
  tenant = await house.tenant();
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

async function ask(method: string, path: string, body?: unknown, by = tenant): Promise<unknown[]> {
  const { status, text } = await by.send({
    method,
    path: `/admin/v1/${path}`,
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return [status, text === '' ? null : (JSON.parse(text) as unknown)];
}

const ROLE = { accessKeyId: 'AKIA1', secretAccessKey: 'very/secret+1', sessionToken: 'token-1' };

test('an endpoint is registered, read, listed, and gone', async () => {
  const report = { service: 's3', endpoint: 'http://127.0.0.1:4568', region: null };
  expect(await ask('PUT', 'services/s3', { endpoint: 'http://127.0.0.1:4568/' })).toEqual([200, report]);
  const runtime = { service: 'runtime.sagemaker', endpoint: 'https://models.example/base', region: 'eu-west-1' };
  expect(await ask('PUT', 'services/runtime.sagemaker', { endpoint: runtime.endpoint, region: 'eu-west-1' })).toEqual([
    200,
    runtime,
  ]);
  expect(await ask('GET', 'services/s3')).toEqual([200, report]);
  expect(await ask('GET', 'services')).toEqual([200, { services: [runtime, report] }]);
  expect(await ask('GET', 'services', undefined, await house.tenant())).toEqual([200, { services: [] }]);
  expect(await ask('DELETE', 'services/s3')).toEqual([204, null]);
  const gone = [404, { type: 'NotFoundException', message: 'No endpoint is registered for service s3' }];
  expect([await ask('GET', 'services/s3'), await ask('DELETE', 'services/s3')]).toEqual([gone, gone]);
});

test('credentials of a role are taken, and of them only the key id is ever shown', async () => {
  const { apiGateway: api, account } = tenant;
  const { id: restApiId, rootResourceId: resourceId } = await api.createRestApi({ name: 'orders' });
  const method = { restApiId: restApiId!, resourceId: resourceId!, httpMethod: 'GET' };
  await api.putMethod({ ...method, authorizationType: 'NONE' });
  await api.putIntegration({
    ...method,
    type: 'AWS',
    integrationHttpMethod: 'POST',
    uri: 'arn:aws:apigateway:us-east-1:dynamodb:action/Query',
    credentials: `arn:aws:iam::${account}:role/service-role/orders`,
  });
  await api.createDeployment({ restApiId: restApiId!, stageName: 'dev' });
  const report = {
    name: 'service-role/orders',
    arn: `arn:aws:iam::${account}:role/service-role/orders`,
    accessKeyId: 'AKIA1',
    isTemporary: true,
    updatedAt: expect.any(String) as string,
    inUseBy: [`${restApiId!}/dev`],
  };
  expect(await ask('PUT', 'roles/service-role%2Forders', ROLE)).toEqual([200, report]);
  expect(await ask('GET', 'roles/service-role%2Forders')).toEqual([200, report]);
  expect(await ask('GET', 'roles')).toEqual([200, { roles: [report] }]);
  expect((await ask('GET', 'roles/service-role%2Forders', undefined, await house.tenant()))[0]).toBe(404);
  const stored = await house.query('SELECT sealed_document FROM tenant_service_access WHERE tenant_id = $1', [account]);
  const published = await house.query("SELECT * FROM manifest_entries WHERE kind = 'SERVICE_ACCESS' AND tenant_id = $1", [
    account,
  ]);
  expect([stored.length, published.length]).toEqual([1, 1]);
  for (const secret of [ROLE.secretAccessKey, ROLE.sessionToken])
    expect(JSON.stringify([stored, published])).not.toContain(secret);
  expect(JSON.stringify(published)).toContain('sealed:');
  expect(await ask('DELETE', 'roles/service-role%2Forders')).toEqual([204, null]);
  expect((await ask('GET', 'roles/service-role%2Forders'))[0]).toBe(404);
});

test.each<[string, string, unknown]>([
  ['PUT', 'services/S3', { endpoint: 'http://a' }],
  ['PUT', 'services/s3', { endpoint: 'ftp://a' }],
  ['PUT', 'services/s3', { endpoint: 'http://user:pa55@a' }],
  ['PUT', 'services/s3', { endpoint: 'http://a?b=c' }],
  ['PUT', 'services/s3', { endpoint: 'http://a:22' }],
  ['PUT', 'services/s3', { endpoint: 'http://a', region: 'EU West' }],
  ['PUT', 'services/s3', { endpoint: 'http://a', more: 1 }],
  ['PUT', 'services/s3', '{'],
  ['PUT', 'roles/r', { ...ROLE, secretAccessKey: 'pa55 b' }],
  ['PUT', 'roles/r', { ...ROLE, sessionToken: 'pa55\r\nX: y' }],
  ['PUT', 'roles/r', { ...ROLE, accessKeyId: '' }],
  ['PUT', 'roles/r', { accessKeyId: 'AKIA1' }],
  ['PUT', 'roles/%2Fr', ROLE],
])('%s %s %j is refused, and nothing of a secret is said', async (method, path, body) => {
  const [status, answer] = await ask(method, path, body);
  expect([status, (answer as { type: string }).type]).toEqual([400, 'BadRequestException']);
  for (const secret of ['pa55', ROLE.secretAccessKey]) expect(JSON.stringify(answer)).not.toContain(secret);
  expect(await ask('GET', path.split('/')[0]!)).toEqual([200, { [path.split('/')[0]!]: [] }]);
});

test('who did not sign reads nothing', async () => {
  const { status } = await tenant.send({ path: '/admin/v1/roles', signature: null });
  expect(status).toBe(403);
});

test("an integration with a service needs a role: AWS's text, and the caller's own credentials say why not", async () => {
  const { apiGateway: api, account } = tenant;
  const { id: restApiId, rootResourceId: resourceId } = await api.createRestApi({ name: 'orders' });
  const method = { restApiId: restApiId!, resourceId: resourceId!, httpMethod: 'GET' };
  await api.putMethod({ ...method, authorizationType: 'NONE' });
  const integration = {
    ...method,
    type: 'AWS',
    integrationHttpMethod: 'POST',
    uri: 'arn:aws:apigateway:us-east-1:sns:action/Publish',
  } as const;
  await expect(api.putIntegration(integration)).rejects.toThrow('Role ARN must be specified for AWS integrations');
  await api.putIntegration({ ...integration, credentials: 'arn:aws:iam::*:user/*' });
  await api.createDeployment({ restApiId: restApiId!, stageName: 'dev' });
  const diagnostics = await tenant.send({ path: `/admin/v1/apis/${restApiId!}/stages/dev/diagnostics` });
  expect(diagnostics.text).toContain("the caller's own credentials cannot be passed on");
  expect(account).toMatch(/^\d{12}$/);
});
