/** Where VPC links lead: said by their tenant, or by the operator; published to the stages that go through them. */
import { startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

const NLB = 'arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/inner/0123456789abcdef';

let house: ControlPlaneHouse<ControlPlane>;
let tenant: TestTenant;
let link: string;
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
});
beforeEach(async () => {
  tenant = await house.tenant();
  link = (await tenant.apiGateway.createVpcLink({ name: 'inner', targetArns: [NLB] })).id!;
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

async function ask(method: string, body?: string, by = tenant): Promise<unknown[]> {
  const path = `/admin/v1/vpc-links/${link}/targets`;
  const { status, text } = await by.send({ method, path, ...(body !== undefined && { body }) });
  return [status, JSON.parse(text) as unknown];
}

async function askAsOperator(method: string, body?: string): Promise<unknown[]> {
  const headers = { authorization: `Bearer ${house.config.operatorToken!.reveal()}` };
  const path = `/admin/v1/tenants/${tenant.account}/vpc-links/${link}/targets`;
  const { status, text } = await tenant.send({ method, path, headers, signature: null, ...(body !== undefined && { body }) });
  return [status, JSON.parse(text) as unknown];
}

const nowhere = () => ({ vpcLinkId: link, targets: [], tlsName: null, setBy: null });

test('a tenant says where its link leads, and the deployed stages follow', async () => {
  const { apiGateway: api } = tenant;
  const { id: restApiId, rootResourceId: resourceId } = await api.createRestApi({ name: 'inner' });
  const method = { restApiId, resourceId, httpMethod: 'GET' };
  await api.putMethod({ ...method, authorizationType: 'NONE' });
  const connection = { connectionType: 'VPC_LINK', connectionId: link } as const;
  await api.putIntegration({
    ...method,
    type: 'HTTP_PROXY',
    integrationHttpMethod: 'GET',
    uri: 'http://pets.inner/',
    ...connection,
  });
  await api.createDeployment({ restApiId, stageName: 'dev' });
  const diagnostics = async (): Promise<string> =>
    (await tenant.send({ path: `/admin/v1/apis/${restApiId}/stages/dev/diagnostics` })).text;

  expect(await ask('GET')).toEqual([200, nowhere()]);
  expect(await diagnostics()).toContain(`VPC link ${link} leads nowhere`);
  const targets = ['192.0.2.1:8080', '[2001:db8::1]:443', 'Inner.Example:81'];
  const report = { vpcLinkId: link, targets: [...targets.slice(0, 2), 'inner.example:81'], tlsName: null, setBy: 'TENANT' };
  expect(await ask('PUT', JSON.stringify({ targets }))).toEqual([200, report]);
  expect(await ask('GET')).toEqual([200, report]);
  expect(await diagnostics()).not.toContain('VPC link');
  expect(await ask('DELETE')).toEqual([200, nowhere()]);
  expect(await diagnostics()).toContain(`VPC link ${link} leads nowhere`);
});

test('what the operator said, its tenant reads and does not change', async () => {
  const body = JSON.stringify({ targets: ['10.0.0.5:80'], tlsName: 'pets.inner' });
  const report = { vpcLinkId: link, targets: ['10.0.0.5:80'], tlsName: 'pets.inner', setBy: 'OPERATOR' };
  expect(await askAsOperator('PUT', body)).toEqual([200, report]);
  expect(await ask('GET')).toEqual([200, report]);
  const refused = [403, { type: 'AccessDeniedException', message: `The operator said where VPC link ${link} leads` }];
  expect(await ask('PUT', '{"targets":["192.0.2.1:80"]}')).toEqual(refused);
  expect(await ask('DELETE')).toEqual(refused);
  expect(await askAsOperator('DELETE')).toEqual([200, nowhere()]);
  expect((await ask('PUT', '{"targets":["192.0.2.1:80"]}'))[0]).toBe(200);
});

test('renaming a link leaves where it leads', async () => {
  await ask('PUT', '{"targets":["192.0.2.1:80"]}');
  const patchOperations = [{ op: 'replace', path: '/name', value: 'other' }] as const;
  await tenant.apiGateway.updateVpcLink({ vpcLinkId: link, patchOperations: [...patchOperations] });
  expect((await ask('GET'))[1]).toMatchObject({ targets: ['192.0.2.1:80'] });
});

test("another tenant's link is not there", async () => {
  const stranger = await house.tenant();
  for (const [method, body] of [['GET'], ['PUT', '{"targets":["192.0.2.1:80"]}'], ['DELETE']] as const) {
    expect(await ask(method, body, stranger)).toEqual([
      404,
      { type: 'NotFoundException', message: 'Invalid Vpc Link identifier specified' },
    ]);
  }
});

test.each([
  ['no JSON', 'targets', 'Invalid body: expected JSON like {"targets": ["10.0.0.5:8080"], "tlsName": "inner.example.com"}'],
  ['no list', '{"targets":"a:80"}', 'Invalid body: expected JSON like '],
  ['nothing', '{"targets":[]}', 'Invalid targets: expected 1 to 16, got 0'],
  [
    'too many',
    JSON.stringify({ targets: Array.from({ length: 17 }, () => 'a:80') }),
    'Invalid targets: expected 1 to 16, got 17',
  ],
  ['no port', '{"targets":["inner.example"]}', 'Invalid target: expected host:port, got "inner.example"'],
  ['no such port', '{"targets":["inner.example:65536"]}', 'Invalid target: expected host:port, got "inner.example:65536"'],
  ['a URL', '{"targets":["http://inner.example:80"]}', 'Invalid target: expected host:port, got "http://inner.example:80"'],
  ['a name for TLS that is none', '{"targets":["a:80"],"tlsName":"a b"}', 'Invalid tlsName: expected a host name, got "a b"'],
])('what is not a mapping is refused: %s', async (_, body, message) => {
  const [status, answer] = await ask('PUT', body);
  expect([status, answer]).toEqual([400, { type: 'BadRequestException', message: expect.stringContaining(message) }]);
  expect(await ask('GET')).toEqual([200, nowhere()]);
});
