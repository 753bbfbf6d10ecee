/**
 * What Terraform's AWS provider compares when it plans again (control-plane reference §8.1), of what belongs to an API or stands beside it:
 * each resource is created, read, updated as the provider sends it, and read again.
 */
import type { PatchOperation } from '@aws-sdk/client-api-gateway';
import { createMockApi, refusalOf, startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let api: TestTenant['apiGateway'];
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
  api = (await house.tenant()).apiGateway;
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

const replace = (path: string, value?: string): PatchOperation => ({ op: 'replace', path, value });
const add = (path: string, value?: string): PatchOperation => ({ op: 'add', path, value });
const remove = (path: string, value?: string): PatchOperation => ({ op: 'remove', path, value });

/** A second plan is empty when what is read is what the last apply wrote. */
const FUNCTION_URI =
  'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111111111111:function:check/invocations';
const POOL = 'arn:aws:cognito-idp:us-east-1:111111111111:userpool/us-east-1_abc123';
const OTHER_POOL = 'arn:aws:cognito-idp:us-east-1:111111111111:userpool/us-east-1_def456';

test('aws_api_gateway_rest_api with a body, and aws_api_gateway_rest_api_put', async () => {
  const body = (title: string): Uint8Array =>
    Buffer.from(
      JSON.stringify({
        openapi: '3.0.1',
        info: { title, version: '2.0', description: 'of the document' },
        paths: { '/pets': { get: { 'x-amazon-apigateway-integration': { type: 'mock' } } } },
      }),
    );
  const imported = await api.importRestApi({ body: body('document'), failOnWarnings: false });
  const restApiId = imported.id!;
  // The provider writes what its configuration says over what the document said, and compares that.
  await api.putRestApi({ restApiId, mode: 'overwrite', body: body('document'), failOnWarnings: false });
  await api.updateRestApi({ restApiId, patchOperations: [replace('/name', 'configured'), replace('/description', 'mine')] });
  expect(await api.getRestApi({ restApiId })).toMatchObject({
    name: 'configured',
    description: 'mine',
    createdDate: expect.any(Date),
    rootResourceId: imported.rootResourceId,
    endpointConfiguration: { types: ['EDGE'], ipAddressType: 'ipv4' },
  });
  const { items } = await api.getResources({ restApiId, limit: 500 });
  expect(items!.map(({ path }) => path).sort()).toEqual(['/', '/pets']);
});

test('aws_api_gateway_rest_api_policy', async () => {
  const { restApiId } = await createMockApi(api);
  const policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: 'execute-api:Invoke', Resource: '*' }],
  });
  await api.updateRestApi({ restApiId, patchOperations: [replace('/policy', policy)] });
  const read = async (): Promise<string | undefined> => (await api.getRestApi({ restApiId })).policy;
  expect(JSON.parse(JSON.parse(`"${await read()}"`))).toEqual(JSON.parse(policy));
  await api.updateRestApi({ restApiId, patchOperations: [replace('/policy', '')] });
  expect(await read()).toBeUndefined();
});

test('aws_api_gateway_authorizer', async () => {
  const { restApiId } = await createMockApi(api);
  const token = await api.createAuthorizer({
    restApiId,
    name: 'token',
    type: 'TOKEN',
    authorizerUri: FUNCTION_URI,
    authorizerCredentials: 'arn:aws:iam::111111111111:role/invoke',
    identitySource: 'method.request.header.Authorization',
    identityValidationExpression: '^Bearer .+$',
    authorizerResultTtlInSeconds: 60,
  });
  const read = (id: string) => api.getAuthorizer({ restApiId, authorizerId: id });
  expect(await read(token.id!)).toMatchObject({
    name: 'token',
    type: 'TOKEN',
    authorizerUri: FUNCTION_URI,
    authorizerCredentials: 'arn:aws:iam::111111111111:role/invoke',
    identitySource: 'method.request.header.Authorization',
    identityValidationExpression: '^Bearer .+$',
    authorizerResultTtlInSeconds: 60,
  });
  await api.updateAuthorizer({
    restApiId,
    authorizerId: token.id!,
    patchOperations: [
      replace('/name', 'renamed'),
      replace('/type', 'REQUEST'),
      replace('/identitySource', 'method.request.header.Auth,method.request.querystring.key'),
      replace('/authorizerCredentials', ''),
      replace('/identityValidationExpression', ''),
      replace('/authorizerResultTtlInSeconds', '0'),
    ],
  });
  const updated = await read(token.id!);
  expect(updated).toMatchObject({
    name: 'renamed',
    type: 'REQUEST',
    identitySource: 'method.request.header.Auth,method.request.querystring.key',
    authorizerResultTtlInSeconds: 0,
  });
  expect([updated.authorizerCredentials ?? '', updated.identityValidationExpression ?? '']).toEqual(['', '']);

  const pool = await api.createAuthorizer({
    restApiId,
    name: 'pool',
    type: 'COGNITO_USER_POOLS',
    providerARNs: [POOL],
    identitySource: 'method.request.header.Authorization',
  });
  // Absent is read as 300, the provider's default.
  expect((await read(pool.id!)).authorizerResultTtlInSeconds).toBeUndefined();
  const patchOperations = [add('/providerARNs', OTHER_POOL), remove('/providerARNs', POOL)];
  await api.updateAuthorizer({ restApiId, authorizerId: pool.id!, patchOperations });
  expect((await read(pool.id!)).providerARNs).toEqual([OTHER_POOL]);
});

test('aws_api_gateway_model', async () => {
  const { restApiId } = await createMockApi(api);
  const key = { restApiId, modelName: 'Pet' };
  const schema = '{\n  "type": "object"\n}\n';
  await api.createModel({ restApiId, name: 'Pet', description: 'a pet', contentType: 'application/json', schema });
  const read = () => api.getModel(key);
  expect(await read()).toMatchObject({ name: 'Pet', description: 'a pet', contentType: 'application/json' });
  expect(JSON.parse((await read()).schema!)).toEqual(JSON.parse(schema));
  const changed = '{"type":"array","items":{"type":"string"}}';
  await api.updateModel({ ...key, patchOperations: [replace('/description', ''), replace('/schema', changed)] });
  expect((await read()).description ?? '').toBe('');
  expect(JSON.parse((await read()).schema!)).toEqual(JSON.parse(changed));
});

test('aws_api_gateway_request_validator', async () => {
  const { restApiId } = await createMockApi(api);
  const { id } = await api.createRequestValidator({
    restApiId,
    name: 'body',
    validateRequestBody: false,
    validateRequestParameters: false,
  });
  const key = { restApiId, requestValidatorId: id! };
  // Both are there as false: the provider takes a missing one for a change.
  expect(await api.getRequestValidator(key)).toMatchObject({
    name: 'body',
    validateRequestBody: false,
    validateRequestParameters: false,
  });
  const patchOperations = [
    replace('/name', 'all'),
    replace('/validateRequestBody', 'true'),
    replace('/validateRequestParameters', 'true'),
  ];
  await api.updateRequestValidator({ ...key, patchOperations });
  expect(await api.getRequestValidator(key)).toMatchObject({
    name: 'all',
    validateRequestBody: true,
    validateRequestParameters: true,
  });
});

test('aws_api_gateway_gateway_response', async () => {
  const { restApiId } = await createMockApi(api);
  const key = { restApiId, responseType: 'UNAUTHORIZED' as const };
  const template = '{"message":$context.error.messageString}';
  await api.putGatewayResponse({
    ...key,
    statusCode: '401',
    responseTemplates: { 'application/json': template },
    responseParameters: { 'gatewayresponse.header.Authorization': "'Basic'" },
  });
  const read = () => api.getGatewayResponse(key);
  expect(await read()).toMatchObject({
    statusCode: '401',
    responseTemplates: { 'application/json': template },
    responseParameters: { 'gatewayresponse.header.Authorization': "'Basic'" },
  });
  await api.updateGatewayResponse({
    ...key,
    patchOperations: [
      replace('/statusCode', '477'),
      add('/responseTemplates/application~1xml', '<e/>'),
      remove('/responseParameters/gatewayresponse.header.Authorization'),
    ],
  });
  expect(await read()).toMatchObject({
    statusCode: '477',
    responseTemplates: { 'application/json': template, 'application/xml': '<e/>' },
    responseParameters: {},
  });
  await api.deleteGatewayResponse(key);
  expect(await refusalOf(api.deleteGatewayResponse(key))).toContain('404 NotFoundException');
});

test('aws_api_gateway_documentation_part and aws_api_gateway_documentation_version', async () => {
  const { restApiId } = await createMockApi(api);
  const properties = '{"description": "A pet."}';
  const { id } = await api.createDocumentationPart({
    restApiId,
    // Members that the configuration leaves out are sent as empty.
    location: { type: 'METHOD', method: 'GET', path: '/', name: '', statusCode: '' },
    properties,
  });
  const part = { restApiId, documentationPartId: id! };
  const read = await api.getDocumentationPart(part);
  expect([read.properties, read.location]).toEqual([properties, { type: 'METHOD', method: 'GET', path: '/' }]);
  const text = '{"description":  "Another."}';
  await api.updateDocumentationPart({ ...part, patchOperations: [replace('/properties', text)] });
  expect((await api.getDocumentationPart(part)).properties).toBe(text);

  const version = { restApiId, documentationVersion: '1.0' };
  await api.createDocumentationVersion({ ...version, description: 'first' });
  expect(await api.getDocumentationVersion(version)).toMatchObject({ version: '1.0', description: 'first' });
  await api.updateDocumentationVersion({ ...version, patchOperations: [replace('/description', 'second')] });
  expect(await api.getDocumentationVersion(version)).toMatchObject({ version: '1.0', description: 'second' });
});

test('aws_api_gateway_vpc_link', async () => {
  const targetArns = ['arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/pets/50dc6c495c0c9188'];
  const { id } = await api.createVpcLink({ name: 'pets', description: 'to the pets', targetArns, tags: { env: 'test' } });
  const vpcLinkId = id!;
  expect(await api.getVpcLink({ vpcLinkId })).toMatchObject({
    name: 'pets',
    description: 'to the pets',
    targetArns,
    status: 'AVAILABLE',
    tags: { env: 'test' },
  });
  await api.updateVpcLink({ vpcLinkId, patchOperations: [replace('/name', 'dogs'), replace('/description', 'to the dogs')] });
  await api.updateVpcLink({ vpcLinkId, patchOperations: [] });
  const arn = `arn:aws:apigateway:us-east-1::/vpclinks/${vpcLinkId}`;
  await api.untagResource({ resourceArn: arn, tagKeys: ['env'] });
  const updated = await api.getVpcLink({ vpcLinkId });
  expect([updated.name, updated.description, updated.tags ?? {}]).toEqual(['dogs', 'to the dogs', {}]);
  await api.deleteVpcLink({ vpcLinkId });
  // The provider waits for this.
  expect(await refusalOf(api.getVpcLink({ vpcLinkId }))).toBe('404 NotFoundException: Invalid Vpc Link identifier specified');
});

test('aws_api_gateway_client_certificate', async () => {
  const { clientCertificateId } = await api.generateClientCertificate({ description: 'for pets', tags: { env: 'test' } });
  const read = () => api.getClientCertificate({ clientCertificateId: clientCertificateId! });
  expect(await read()).toMatchObject({
    description: 'for pets',
    createdDate: expect.any(Date),
    expirationDate: expect.any(Date),
    pemEncodedCertificate: expect.stringContaining('-----BEGIN CERTIFICATE-----'),
    tags: { env: 'test' },
  });
  const before = await read();
  await api.updateClientCertificate({
    clientCertificateId: clientCertificateId!,
    patchOperations: [replace('/description', 'for dogs')],
  });
  expect(await read()).toMatchObject({ description: 'for dogs', pemEncodedCertificate: before.pemEncodedCertificate });
});

test('data sources read all pages, and find by name and by path', async () => {
  const names = Array.from({ length: 7 }, (_, index) => `paged ${index}`);
  const ids = await Promise.all(names.map(async (name) => (await api.createRestApi({ name })).id!));
  const found: string[] = [];
  let position: string | undefined;
  do {
    const page = await api.getRestApis({ limit: 3, position });
    found.push(...page.items!.filter(({ name }) => names.includes(name!)).map(({ id }) => id!));
    ({ position } = page);
  } while (position !== undefined);
  expect(found.sort()).toEqual(ids.sort());

  const { restApiId, rootId } = await createMockApi(api);
  await api.createResource({ restApiId, parentId: rootId, pathPart: 'pets' });
  const { items } = await api.getResources({ restApiId, limit: 500 });
  expect(items!.filter(({ path }) => path === '/pets')).toHaveLength(1);
});
