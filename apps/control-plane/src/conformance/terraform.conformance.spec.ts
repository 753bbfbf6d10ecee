/**
 * What Terraform's AWS provider compares when it plans again (control-plane reference §8.1): each resource is created, read,
 * updated as the provider sends it, and read again; the members it compares are what its next plan expects.
 */
import type { PatchOperation } from '@aws-sdk/client-api-gateway';
import {
  createMockApi,
  makeServerCertificate,
  refusalOf,
  startControlPlaneHouse,
  type ControlPlaneHouse,
  type TestTenant,
} from '@gatehouse/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let tenant: TestTenant;
let api: TestTenant['apiGateway'];
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
  tenant = await house.tenant();
  api = tenant.apiGateway;
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

const replace = (path: string, value?: string): PatchOperation => ({ op: 'replace', path, value });
const add = (path: string, value?: string): PatchOperation => ({ op: 'add', path, value });
const remove = (path: string, value?: string): PatchOperation => ({ op: 'remove', path, value });

test('aws_api_gateway_rest_api', async () => {
  const policy =
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"*"}]}';
  const { id } = await api.createRestApi({
    name: 'pets',
    description: 'Managed by Terraform',
    binaryMediaTypes: ['image/png', 'application/pdf'],
    endpointConfiguration: { types: ['REGIONAL'] },
    policy,
    minimumCompressionSize: 1024,
    tags: { env: 'test' },
  });
  const restApiId = id!;
  const created = await api.getRestApi({ restApiId });
  expect(created).toMatchObject({
    apiKeySource: 'HEADER',
    binaryMediaTypes: ['image/png', 'application/pdf'],
    createdDate: expect.any(Date),
    description: 'Managed by Terraform',
    disableExecuteApiEndpoint: false,
    endpointConfiguration: { types: ['REGIONAL'], ipAddressType: 'ipv4' },
    minimumCompressionSize: 1024,
    name: 'pets',
    rootResourceId: expect.any(String),
    tags: { env: 'test' },
  });
  // The provider wraps the text in quotes and unquotes it.
  expect(JSON.parse(`"${created.policy}"`)).toBe(policy);
  await api.updateRestApi({
    restApiId,
    patchOperations: [
      replace('/name', 'dogs'),
      replace('/description', ''),
      replace('/apiKeySource', 'AUTHORIZER'),
      replace('/disableExecuteApiEndpoint', 'true'),
      remove('/binaryMediaTypes/image~1png'),
      add('/binaryMediaTypes/image~1gif'),
      { op: 'replace', path: '/minimumCompressionSize' },
      replace('/endpointConfiguration/types/0', 'EDGE'),
      replace('/policy', ''),
    ],
  });
  await api.tagResource({ resourceArn: `arn:aws:apigateway:us-east-1::/restapis/${restApiId}`, tags: { env: 'prod' } });
  const updated = await api.getRestApi({ restApiId });
  expect(updated).toMatchObject({
    name: 'dogs',
    apiKeySource: 'AUTHORIZER',
    disableExecuteApiEndpoint: true,
    binaryMediaTypes: ['application/pdf', 'image/gif'],
    endpointConfiguration: { types: ['EDGE'], ipAddressType: 'ipv4' },
    tags: { env: 'prod' },
  });
  expect([updated.description ?? '', updated.minimumCompressionSize, updated.policy]).toEqual(['', undefined, undefined]);
});

test('aws_api_gateway_resource', async () => {
  const { restApiId, rootId } = await createMockApi(api);
  const { id } = await api.createResource({ restApiId, parentId: rootId, pathPart: 'pets' });
  const read = () => api.getResource({ restApiId, resourceId: id! });
  expect(await read()).toMatchObject({ parentId: rootId, pathPart: 'pets', path: '/pets' });
  const { id: parentId } = await api.createResource({ restApiId, parentId: rootId, pathPart: 'v1' });
  await api.updateResource({
    restApiId,
    resourceId: id!,
    patchOperations: [replace('/pathPart', 'dogs'), replace('/parentId', parentId)],
  });
  expect(await read()).toMatchObject({ parentId, pathPart: 'dogs', path: '/v1/dogs' });
});

test('aws_api_gateway_method and aws_api_gateway_method_response', async () => {
  const { restApiId, rootId } = await createMockApi(api);
  const key = { restApiId, resourceId: rootId, httpMethod: 'POST' };
  await api.putMethod({
    ...key,
    authorizationType: 'NONE',
    apiKeyRequired: false,
    requestModels: { 'application/json': 'Error' },
    requestParameters: { 'method.request.header.Content-Type': false, 'method.request.querystring.page': true },
  });
  expect(await api.getMethod(key)).toMatchObject({
    apiKeyRequired: false,
    authorizationType: 'NONE',
    requestModels: { 'application/json': 'Error' },
    requestParameters: { 'method.request.header.Content-Type': false, 'method.request.querystring.page': true },
  });
  await api.updateMethod({
    ...key,
    patchOperations: [
      replace('/authorizationType', 'AWS_IAM'),
      replace('/apiKeyRequired', 'true'),
      remove('/requestModels/application~1json'),
      add('/requestModels/application~1xml', 'Empty'),
      remove('/requestParameters/method.request.querystring.page'),
      replace('/requestParameters/method.request.header.Content-Type', 'true'),
      replace('/requestValidatorId', ''),
      replace('/operationName', 'create'),
    ],
  });
  const updated = await api.getMethod(key);
  expect(updated).toMatchObject({
    apiKeyRequired: true,
    authorizationType: 'AWS_IAM',
    requestModels: { 'application/xml': 'Empty' },
    requestParameters: { 'method.request.header.Content-Type': true },
    operationName: 'create',
  });
  expect([updated.authorizerId, updated.authorizationScopes, updated.requestValidatorId]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);

  const response = { ...key, statusCode: '400' };
  await api.putMethodResponse({
    ...response,
    responseModels: { 'application/json': 'Error' },
    responseParameters: { 'method.response.header.X': true },
  });
  expect(await api.getMethodResponse(response)).toMatchObject({
    responseModels: { 'application/json': 'Error' },
    responseParameters: { 'method.response.header.X': true },
  });
  // Terraform waits two minutes for a conflict to pass, so it has to be this type.
  expect(await refusalOf(api.putMethodResponse(response))).toMatch(/^409 ConflictException/);
  await api.updateMethodResponse({
    ...response,
    patchOperations: [
      replace('/responseModels/application~1json', 'Empty'),
      remove('/responseParameters/method.response.header.X'),
    ],
  });
  const patched = await api.getMethodResponse(response);
  expect([patched.responseModels, patched.responseParameters ?? {}]).toEqual([{ 'application/json': 'Empty' }, {}]);
});

test('aws_api_gateway_integration and aws_api_gateway_integration_response', async () => {
  const { key } = await createMockApi(api);
  await api.updateMethod({ ...key, patchOperations: [add('/requestParameters/method.request.header.X', 'false')] });
  await api.putIntegration({
    ...key,
    type: 'HTTP',
    integrationHttpMethod: 'GET',
    uri: 'https://example.com/a',
    requestParameters: { 'integration.request.header.X-Authorization': "'static'" },
    requestTemplates: { 'application/json': '', 'application/xml': '#set($x = 1)' },
    passthroughBehavior: 'WHEN_NO_MATCH',
    contentHandling: 'CONVERT_TO_TEXT',
    cacheKeyParameters: ['method.request.header.X'],
    cacheNamespace: 'ns',
    timeoutInMillis: 2000,
  });
  const created = await api.getIntegration(key);
  expect(created).toMatchObject({
    cacheKeyParameters: ['method.request.header.X'],
    cacheNamespace: 'ns',
    connectionType: 'INTERNET',
    contentHandling: 'CONVERT_TO_TEXT',
    httpMethod: 'GET',
    passthroughBehavior: 'WHEN_NO_MATCH',
    requestParameters: { 'integration.request.header.X-Authorization': "'static'" },
    timeoutInMillis: 2000,
    type: 'HTTP',
    uri: 'https://example.com/a',
  });
  // A null template counts as "".
  const templates = (read: { requestTemplates?: Record<string, string> | undefined }) =>
    Object.fromEntries(Object.entries(read.requestTemplates ?? {}).map(([type, text]) => [type, text ?? '']));
  const raw = JSON.parse(
    (await tenant.send({ path: `/restapis/${key.restApiId}/resources/${key.resourceId}/methods/GET/integration` })).text,
  ) as typeof created;
  expect(templates(raw)).toEqual({ 'application/json': '', 'application/xml': '#set($x = 1)' });
  await api.updateIntegration({ ...key, patchOperations: [] });
  // As the provider sends it: the parameter changes, which drops the cache key; then the cache key is added again.
  await api.updateMethod({ ...key, patchOperations: [replace('/requestParameters/method.request.header.X', 'true')] });
  await api.updateIntegration({
    ...key,
    patchOperations: [
      replace('/uri', 'https://example.com/b'),
      replace('/timeoutInMillis', '3000'),
      replace('/passthroughBehavior', 'NEVER'),
      remove('/requestTemplates/application~1xml'),
      replace('/requestTemplates/application~1json', '{}'),
      remove('/requestParameters/integration.request.header.X-Authorization'),
      add('/cacheKeyParameters/method.request.header.X', ''),
      replace('/contentHandling', ''),
    ],
  });
  const updated = await api.getIntegration(key);
  expect(updated).toMatchObject({
    uri: 'https://example.com/b',
    timeoutInMillis: 3000,
    passthroughBehavior: 'NEVER',
    requestTemplates: { 'application/json': '{}' },
    cacheKeyParameters: ['method.request.header.X'],
  });
  expect([updated.requestParameters ?? {}, updated.contentHandling]).toEqual([{}, undefined]);

  await api.putIntegration({ ...key, type: 'MOCK', timeoutInMillis: 29_000 });
  const mock = await api.getIntegration(key);
  expect([mock.connectionType, mock.tlsConfig, mock.credentials, mock.connectionId, mock.timeoutInMillis]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    29_000,
  ]);

  const response = { ...key, statusCode: '200' };
  await api.putIntegrationResponse({ ...response, selectionPattern: '.*', responseTemplates: { 'application/json': '' } });
  const path = `/restapis/${key.restApiId}/resources/${key.resourceId}/methods/GET/integration/responses/200`;
  expect(JSON.parse((await tenant.send({ path })).text)).toEqual({
    statusCode: '200',
    selectionPattern: '.*',
    responseTemplates: { 'application/json': null },
  });
  // The provider updates by putting again.
  await api.putIntegrationResponse({ ...response, responseTemplates: { 'application/json': '{"a": 1}' } });
  const reread = await api.getIntegrationResponse(response);
  expect([reread.selectionPattern ?? '', reread.responseTemplates, reread.responseParameters ?? {}]).toEqual([
    '',
    { 'application/json': '{"a": 1}' },
    {},
  ]);
});

test('aws_api_gateway_deployment, _stage and _method_settings', async () => {
  const { restApiId } = await createMockApi(api);
  const { id } = await api.createDeployment({ restApiId, stageName: '', description: 'by hand', variables: {} });
  expect(await api.getDeployment({ restApiId, deploymentId: id! })).toMatchObject({
    createdDate: expect.any(Date),
    description: 'by hand',
  });
  await api.updateDeployment({ restApiId, deploymentId: id!, patchOperations: [replace('/description', 'again')] });
  expect((await api.getDeployment({ restApiId, deploymentId: id! })).description).toBe('again');

  const stageName = 'prod';
  await api.createStage({
    restApiId,
    stageName,
    deploymentId: id!,
    cacheClusterEnabled: true,
    cacheClusterSize: '0.5',
    description: 'd',
    variables: { one: '1', two: '2' },
    tracingEnabled: true,
    tags: { env: 'test' },
  });
  await api.updateAccount({ patchOperations: [replace('/cloudwatchRoleArn', `arn:aws:iam::${tenant.account}:role/logs`)] });
  const destinationArn = `arn:aws:logs:us-east-1:${tenant.account}:log-group:gateway`;
  await api.updateStage({
    restApiId,
    stageName,
    patchOperations: [
      replace('/accessLogSettings/destinationArn', `${destinationArn}:*`),
      replace('/accessLogSettings/format', '$context.requestId'),
    ],
  });
  expect(await api.getStage({ restApiId, stageName })).toMatchObject({
    accessLogSettings: { destinationArn, format: '$context.requestId' },
    cacheClusterEnabled: true,
    cacheClusterSize: '0.5',
    cacheClusterStatus: 'AVAILABLE',
    deploymentId: id,
    description: 'd',
    tracingEnabled: true,
    variables: { one: '1', two: '2' },
    tags: { env: 'test' },
  });
  await api.updateStage({
    restApiId,
    stageName,
    patchOperations: [
      replace('/cacheClusterEnabled', 'false'),
      replace('/description', ''),
      replace('/documentationVersion', '1'),
      replace('/tracingEnabled', 'false'),
      remove('/variables/one'),
      replace('/variables/two', '22'),
      replace('/variables/three', '3'),
      remove('/accessLogSettings'),
    ],
  });
  const updated = await api.getStage({ restApiId, stageName });
  expect(updated).toMatchObject({
    cacheClusterStatus: 'NOT_AVAILABLE',
    documentationVersion: '1',
    tracingEnabled: false,
    variables: { two: '22', three: '3' },
  });
  expect([updated.accessLogSettings, updated.description ?? '', updated.canarySettings]).toEqual([undefined, '', undefined]);

  // method_settings: raw slashes going out, exactly `users/GET` coming back.
  const settings = async () => (await api.getStage({ restApiId, stageName })).methodSettings!['users/GET'];
  await api.updateStage({
    restApiId,
    stageName,
    patchOperations: [
      replace('/users/GET/metrics/enabled', 'true'),
      replace('/users/GET/logging/loglevel', 'INFO'),
      replace('/users/GET/throttling/burstLimit', '-1'),
      replace('/users/GET/throttling/rateLimit', '-1.000000'),
    ],
  });
  expect(await settings()).toStrictEqual({
    metricsEnabled: true,
    loggingLevel: 'INFO',
    dataTraceEnabled: false,
    throttlingBurstLimit: -1,
    throttlingRateLimit: -1,
    cachingEnabled: false,
    cacheTtlInSeconds: 300,
    cacheDataEncrypted: false,
    requireAuthorizationForCacheControl: true,
    unauthorizedCacheControlHeaderStrategy: 'SUCCEED_WITH_RESPONSE_HEADER',
  });
  const gone: PatchOperation[] = [remove('/users/GET')];
  await api.updateStage({ restApiId, stageName, patchOperations: gone });
  expect(await settings()).toBeUndefined();
  expect(await refusalOf(api.updateStage({ restApiId, stageName, patchOperations: gone }))).toContain(
    'no method setting for this method',
  );

  // A deployment in use refuses to go; its stage first.
  expect(await refusalOf(api.deleteDeployment({ restApiId, deploymentId: id! }))).toContain(
    'Active stages pointing to this deployment must be moved or deleted',
  );
  await api.deleteStage({ restApiId, stageName });
  await api.deleteDeployment({ restApiId, deploymentId: id! });
});

test('aws_api_gateway_api_key, _usage_plan and _usage_plan_key', async () => {
  const { restApiId } = await createMockApi(api);
  await api.createDeployment({ restApiId, stageName: 'dev' });
  const { id: apiKey } = await api.createApiKey({
    name: 'k',
    description: 'Managed by Terraform',
    enabled: true,
    value: '',
    tags: { a: '1' },
  });
  const readKey = () => api.getApiKey({ apiKey: apiKey!, includeValue: true });
  const { value } = await readKey();
  expect(await readKey()).toMatchObject({
    createdDate: expect.any(Date),
    lastUpdatedDate: expect.any(Date),
    description: 'Managed by Terraform',
    enabled: true,
    name: 'k',
    value: expect.stringMatching(/^.{20,}$/),
    tags: { a: '1' },
  });
  await api.updateApiKey({
    apiKey: apiKey!,
    patchOperations: [replace('/enabled', 'false'), replace('/description', 'x'), replace('/customerId', 'c')],
  });
  expect(await readKey()).toMatchObject({ enabled: false, description: 'x', customerId: 'c', value });

  const { id: usagePlanId } = await api.createUsagePlan({
    name: 'p',
    description: '',
    apiStages: [{ apiId: restApiId, stage: 'dev' }],
    quota: { limit: 20, offset: 2, period: 'WEEK' },
    throttle: { burstLimit: 5, rateLimit: 10 },
  });
  // The product code is not a member of CreateUsagePlan, so it comes by PATCH.
  await api.updateUsagePlan({ usagePlanId: usagePlanId!, patchOperations: [add('/productCode', 'MYCODE')] });
  const readPlan = () => api.getUsagePlan({ usagePlanId: usagePlanId! });
  expect(await readPlan()).toMatchObject({
    name: 'p',
    apiStages: [{ apiId: restApiId, stage: 'dev' }],
    productCode: 'MYCODE',
    quota: { limit: 20, offset: 2, period: 'WEEK' },
    throttle: { burstLimit: 5, rateLimit: 10 },
  });
  const stage = `${restApiId}:dev`;
  await api.updateUsagePlan({
    usagePlanId: usagePlanId!,
    patchOperations: [
      replace('/description', 'd'),
      remove('/apiStages', stage),
      add('/apiStages', stage),
      replace(`/apiStages/${stage}/throttle//users/GET/rateLimit`, '3.000000'),
      replace(`/apiStages/${stage}/throttle//users/GET/burstLimit`, '3'),
      replace('/throttle/rateLimit', '15.000000'),
      replace('/throttle/burstLimit', '6'),
      remove('/quota'),
    ],
  });
  const updated = await readPlan();
  expect(updated).toMatchObject({
    description: 'd',
    apiStages: [{ apiId: restApiId, stage: 'dev', throttle: { '/users/GET': { rateLimit: 3, burstLimit: 3 } } }],
    throttle: { burstLimit: 6, rateLimit: 15 },
  });
  expect(updated.quota).toBeUndefined();

  await api.createUsagePlanKey({ usagePlanId, keyId: apiKey, keyType: 'API_KEY' });
  expect(await api.getUsagePlanKey({ usagePlanId, keyId: apiKey })).toMatchObject({ type: 'API_KEY', name: 'k', value });
  // Destroy, in the provider's order.
  await api.deleteUsagePlanKey({ usagePlanId, keyId: apiKey });
  await api.updateUsagePlan({ usagePlanId, patchOperations: [remove('/apiStages', stage)] });
  await api.deleteUsagePlan({ usagePlanId: usagePlanId! });
  await api.deleteApiKey({ apiKey: apiKey! });
});

test('aws_api_gateway_account', async () => {
  const { apiGateway: other, account } = await house.tenant();
  await other.updateAccount({ patchOperations: [] });
  const cloudwatchRoleArn = `arn:aws:iam::${account}:role/logs`;
  await other.updateAccount({ patchOperations: [replace('/cloudwatchRoleArn', cloudwatchRoleArn)] });
  expect(await other.getAccount({})).toMatchObject({
    cloudwatchRoleArn,
    apiKeyVersion: expect.any(String),
    features: ['UsagePlans'],
    throttleSettings: { burstLimit: 5000, rateLimit: 10_000 },
  });
  await other.updateAccount({ patchOperations: [replace('/cloudwatchRoleArn', '')] });
  expect((await other.getAccount({})).cloudwatchRoleArn).toBeUndefined();
});

test('aws_api_gateway_domain_name and aws_api_gateway_base_path_mapping', async () => {
  const domainName = 'terraform.example.com';
  const { cert: certificate, key: privateKey } = makeServerCertificate([domainName]);
  const importAs = async (id: string): Promise<string> => {
    const body = JSON.stringify({ certificate, privateKey });
    const { text } = await tenant.send({ method: 'PUT', path: `/admin/v1/certificates/${id}`, body });
    return (JSON.parse(text) as { arn: string }).arn;
  };
  const [first, second] = [await importAs('first'), await importAs('second')];
  await api.createDomainName({
    domainName,
    regionalCertificateArn: first,
    endpointConfiguration: { types: ['REGIONAL'] },
    securityPolicy: 'TLS_1_2',
    tags: { env: 'test' },
  });
  const created = await api.getDomainName({ domainName });
  expect(created).toMatchObject({
    domainNameArn: `arn:aws:apigateway:us-east-1::/domainnames/${domainName}`,
    regionalCertificateArn: first,
    certificateUploadDate: expect.any(Date),
    endpointConfiguration: { types: ['REGIONAL'], ipAddressType: 'ipv4' },
    regionalDomainName: expect.any(String),
    regionalHostedZoneId: expect.any(String),
    domainNameStatus: 'AVAILABLE',
    securityPolicy: 'TLS_1_2',
    routingMode: 'BASE_PATH_MAPPING_ONLY',
    tags: { env: 'test' },
  });
  // What is not set must not come back, or the next plan wants to remove it.
  for (const member of [
    'certificateArn',
    'certificateName',
    'regionalCertificateName',
    'mutualTlsAuthentication',
    'policy',
  ] as const)
    expect(created[member]).toBeUndefined();
  await api.updateDomainName({ domainName, patchOperations: [] });
  await api.updateDomainName({
    domainName,
    patchOperations: [replace('/regionalCertificateArn', second), replace('/securityPolicy', 'TLS_1_0')],
  });
  expect(await api.getDomainName({ domainName })).toMatchObject({ regionalCertificateArn: second, securityPolicy: 'TLS_1_0' });

  const { restApiId } = await createMockApi(api);
  await api.createDeployment({ restApiId, stageName: 'dev' });
  await api.createBasePathMapping({ domainName, restApiId, basePath: '' });
  expect(await api.getBasePathMapping({ domainName, basePath: '(none)' })).toMatchObject({ basePath: '(none)', restApiId });
  await api.updateBasePathMapping({
    domainName,
    basePath: '(none)',
    patchOperations: [replace('/stage', 'dev'), replace('/restapiId', restApiId), replace('/basePath', 'v1')],
  });
  const moved = await api.getBasePathMapping({ domainName, basePath: 'v1' });
  expect([moved.basePath, moved.restApiId, moved.stage]).toEqual(['v1', restApiId, 'dev']);
  await api.deleteBasePathMapping({ domainName, basePath: 'v1' });
  await api.deleteDomainName({ domainName });
  expect(await refusalOf(api.getDomainName({ domainName }))).toBe(
    '404 NotFoundException: Invalid domain name identifier specified',
  );
});
