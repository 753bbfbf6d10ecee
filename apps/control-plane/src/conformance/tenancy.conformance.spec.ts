/**
 * Two tenants. Whatever one asks for with ids of the other is answered exactly like ids that do not exist, and changes nothing
 * of the other's. The tables hold every operation that is handled: a missing one does not compile.
 */
import type { ApiGateway, Lambda } from '@gatehouse/aws-api';
import {
  answered,
  createMockApi,
  makeServerCertificate,
  packageOf,
  refusalOf,
  ScriptedUpstream,
  startControlPlaneHouse,
  type ControlPlaneHouse,
  type TestTenant,
} from '@gatehouse/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import type { LAMBDA_NOT_YET } from '../not-yet.js';
import { bugs, composition } from './composition.js';

/** What somebody owns. */
interface Belongings {
  readonly restApiId: string;
  readonly resourceId: string;
  readonly deploymentId: string;
  readonly apiKey: string;
  readonly keyValue: string;
  readonly usagePlanId: string;
  readonly requestValidatorId: string;
  readonly authorizerId: string;
  readonly documentationPartId: string;
  readonly functionName: string;
  readonly domainName: string;
  readonly certificateArn: string;
  readonly clientCertificateId: string;
  readonly vpcLinkId: string;
}

type Call = (tenant: TestTenant, ids: Belongings) => Promise<object>;

let house: ControlPlaneHouse<ControlPlane>;
let runner: ScriptedUpstream;
let owner: TestTenant;
let stranger: TestTenant;
let owned: Belongings;
let strangers: Belongings;
beforeAll(async () => {
  runner = await ScriptedUpstream.start(({ response }) => {
    response.writeHead(404, { 'x-amzn-errortype': 'ResourceNotFoundException' });
    response.end('{"Message":"Function not found","Type":"User"}');
  });
  house = await startControlPlaneHouse(composition, { runnerUrl: runner.url });
  [owner, stranger] = [await house.tenant(), await house.tenant()];
  [owned, strangers] = [await furnish(owner, 'owned-function'), await furnish(stranger, 'a-strangers-function')];
});
afterAll(async () => {
  await house.close();
  await runner.close();
  expect(bugs).toEqual([]);
});

async function furnish(tenant: TestTenant, functionName: string): Promise<Belongings> {
  const { apiGateway: api, lambda } = tenant;
  const { restApiId, key } = await createMockApi(api);
  const { id: deploymentId } = await api.createDeployment({ restApiId, stageName: 'dev' });
  const { id: apiKey, value } = await api.createApiKey({ name: 'key', enabled: true });
  const { id: usagePlanId } = await api.createUsagePlan({
    name: 'plan',
    apiStages: [{ apiId: restApiId, stage: 'dev' }],
    quota: { limit: 5, period: 'DAY' },
  });
  await api.createUsagePlanKey({ usagePlanId, keyId: apiKey, keyType: 'API_KEY' });
  await api.createModel({ restApiId, name: 'Secret', contentType: 'application/json', schema: '{"type":"object"}' });
  const validator = await api.createRequestValidator({ restApiId, name: 'all' });
  const authorizer = await api.createAuthorizer({ restApiId, ...AUTHORIZER });
  await api.putGatewayResponse({ restApiId, responseType: 'THROTTLED', statusCode: '503' });
  const part = await api.createDocumentationPart({ restApiId, location: { type: 'API' }, properties: '{"a":1}' });
  await api.createDocumentationVersion({ restApiId, documentationVersion: 'v1' });
  await api.tagResource({ resourceArn: apiArn(restApiId), tags: { whose: functionName } });
  await lambda.createFunction({
    FunctionName: functionName,
    Role: 'arn:aws:iam::111111111111:role/r',
    Runtime: 'nodejs22.x',
    Handler: 'index.handler',
    Code: { ZipFile: await packageOf('index.js', 'exports.handler = async () => 1') },
    Publish: true,
    Tags: { whose: functionName },
  });
  await lambda.createAlias({ FunctionName: functionName, Name: 'live', FunctionVersion: '1' });
  await lambda.addPermission({
    FunctionName: functionName,
    StatementId: 's',
    Action: 'lambda:InvokeFunction',
    Principal: 'apigateway.amazonaws.com',
  });
  const domainName = `${functionName}.example.com`;
  const { cert: certificate, key: privateKey } = makeServerCertificate([domainName]);
  const imported = await tenant.send({
    method: 'PUT',
    path: '/admin/v1/certificates/one',
    body: JSON.stringify({ certificate, privateKey }),
  });
  const { arn: certificateArn } = JSON.parse(imported.text) as { arn: string };
  await api.createDomainName({ domainName, certificateArn });
  await api.createBasePathMapping({ domainName, restApiId, stage: 'dev' });
  const { clientCertificateId } = await api.generateClientCertificate({ description: functionName });
  const { id: vpcLinkId } = await api.createVpcLink(VPC_LINK);
  return {
    restApiId,
    resourceId: key.resourceId,
    deploymentId: deploymentId!,
    apiKey: apiKey!,
    keyValue: value!,
    usagePlanId: usagePlanId!,
    requestValidatorId: validator.id!,
    authorizerId: authorizer.id!,
    documentationPartId: part.id!,
    functionName,
    domainName,
    certificateArn,
    clientCertificateId: clientCertificateId!,
    vpcLinkId: vpcLinkId!,
  };
}

/** Of the same form, and nobody's. */
const NOBODYS: Belongings = {
  restApiId: 'zzzzzzzzzz',
  resourceId: 'zzzzzz',
  deploymentId: 'zzzzzd',
  apiKey: 'zzzzzzzzzz',
  keyValue: 'z'.repeat(40),
  usagePlanId: 'zzzzzp',
  requestValidatorId: 'zzzzzv',
  authorizerId: 'zzzzza',
  documentationPartId: 'zzzzzo',
  functionName: 'ownerless-function',
  domainName: 'nobodys.example.com',
  certificateArn: 'arn:aws:acm:us-east-1:999999999999:certificate/nobodys',
  clientCertificateId: 'zzzzzc',
  vpcLinkId: 'zzzzzl',
};

const apiArn = (restApiId: string): string => `arn:aws:apigateway:us-east-1::/restapis/${restApiId}`;
const method = ({ restApiId, resourceId }: Belongings) => ({ restApiId, resourceId, httpMethod: 'GET' });
const response = (ids: Belongings) => ({ ...method(ids), statusCode: '200' });
const description = [{ op: 'replace' as const, path: '/description', value: 'taken over' }];
const ASSOCIATION = {
  domainNameAccessAssociationArn:
    'arn:aws:apigateway:us-east-1:111111111111:/domainnameaccessassociations/domainname/a.example.com+abc/vpcesource/vpce-1',
};
const VPC_LINK = {
  name: 'link',
  targetArns: ['arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/a/b'],
};
const AUTHORIZER = {
  name: 'tokens',
  type: 'TOKEN',
  authorizerUri:
    'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111111111111:function:f/invocations',
  identitySource: 'method.request.header.Authorization',
} as const;
const DAYS = { startDate: '2026-11-01', endDate: '2026-11-02' };

/** An API one of whose methods goes through the VPC link. */
function documentThrough(vpcLinkId: string): Uint8Array {
  const integration = { type: 'http', httpMethod: 'GET', uri: 'http://a', connectionType: 'VPC_LINK', connectionId: vpcLinkId };
  const paths = { '/a': { get: { 'x-amazon-apigateway-integration': integration } } };
  return Buffer.from(JSON.stringify({ swagger: '2.0', info: { title: 'stolen' }, paths }));
}

const API_GATEWAY_CALLS: Record<keyof ApiGateway.Operations, Call> = {
  CreateRestApi: ({ apiGateway }, { restApiId }) => apiGateway.createRestApi({ name: 'stolen', cloneFrom: restApiId }),
  GetRestApi: ({ apiGateway }, { restApiId }) => apiGateway.getRestApi({ restApiId }),
  GetRestApis: ({ apiGateway }, { restApiId }) => apiGateway.getRestApis({ position: restApiId }),
  UpdateRestApi: ({ apiGateway }, { restApiId }) => apiGateway.updateRestApi({ restApiId, patchOperations: description }),
  DeleteRestApi: ({ apiGateway }, { restApiId }) => apiGateway.deleteRestApi({ restApiId }),
  CreateResource: ({ apiGateway }, { restApiId, resourceId }) =>
    apiGateway.createResource({ restApiId, parentId: resourceId, pathPart: 'x' }),
  GetResource: ({ apiGateway }, { restApiId, resourceId }) => apiGateway.getResource({ restApiId, resourceId }),
  GetResources: ({ apiGateway }, { restApiId }) => apiGateway.getResources({ restApiId, embed: ['methods'] }),
  UpdateResource: ({ apiGateway }, { restApiId, resourceId }) =>
    apiGateway.updateResource({ restApiId, resourceId, patchOperations: [{ op: 'replace', path: '/pathPart', value: 'x' }] }),
  DeleteResource: ({ apiGateway }, { restApiId, resourceId }) => apiGateway.deleteResource({ restApiId, resourceId }),
  PutMethod: ({ apiGateway }, ids) => apiGateway.putMethod({ ...method(ids), authorizationType: 'NONE' }),
  GetMethod: ({ apiGateway }, ids) => apiGateway.getMethod(method(ids)),
  UpdateMethod: ({ apiGateway }, ids) =>
    apiGateway.updateMethod({ ...method(ids), patchOperations: [{ op: 'replace', path: '/operationName', value: 'x' }] }),
  DeleteMethod: ({ apiGateway }, ids) => apiGateway.deleteMethod(method(ids)),
  PutMethodResponse: ({ apiGateway }, ids) => apiGateway.putMethodResponse(response(ids)),
  GetMethodResponse: ({ apiGateway }, ids) => apiGateway.getMethodResponse(response(ids)),
  UpdateMethodResponse: ({ apiGateway }, ids) => apiGateway.updateMethodResponse({ ...response(ids), patchOperations: [] }),
  DeleteMethodResponse: ({ apiGateway }, ids) => apiGateway.deleteMethodResponse(response(ids)),
  PutIntegration: ({ apiGateway }, ids) => apiGateway.putIntegration({ ...method(ids), type: 'MOCK' }),
  GetIntegration: ({ apiGateway }, ids) => apiGateway.getIntegration(method(ids)),
  UpdateIntegration: ({ apiGateway }, ids) => apiGateway.updateIntegration({ ...method(ids), patchOperations: [] }),
  DeleteIntegration: ({ apiGateway }, ids) => apiGateway.deleteIntegration(method(ids)),
  PutIntegrationResponse: ({ apiGateway }, ids) => apiGateway.putIntegrationResponse(response(ids)),
  GetIntegrationResponse: ({ apiGateway }, ids) => apiGateway.getIntegrationResponse(response(ids)),
  UpdateIntegrationResponse: ({ apiGateway }, ids) =>
    apiGateway.updateIntegrationResponse({ ...response(ids), patchOperations: [] }),
  DeleteIntegrationResponse: ({ apiGateway }, ids) => apiGateway.deleteIntegrationResponse(response(ids)),
  CreateDeployment: ({ apiGateway }, { restApiId }) => apiGateway.createDeployment({ restApiId, stageName: 'dev' }),
  GetDeployment: ({ apiGateway }, { restApiId, deploymentId }) => apiGateway.getDeployment({ restApiId, deploymentId }),
  GetDeployments: ({ apiGateway }, { restApiId }) => apiGateway.getDeployments({ restApiId }),
  UpdateDeployment: ({ apiGateway }, { restApiId, deploymentId }) =>
    apiGateway.updateDeployment({ restApiId, deploymentId, patchOperations: description }),
  DeleteDeployment: ({ apiGateway }, { restApiId, deploymentId }) => apiGateway.deleteDeployment({ restApiId, deploymentId }),
  CreateStage: ({ apiGateway }, { restApiId, deploymentId }) =>
    apiGateway.createStage({ restApiId, deploymentId, stageName: 'taken' }),
  GetStage: ({ apiGateway }, { restApiId }) => apiGateway.getStage({ restApiId, stageName: 'dev' }),
  GetStages: ({ apiGateway }, { restApiId, deploymentId }) => apiGateway.getStages({ restApiId, deploymentId }),
  UpdateStage: ({ apiGateway }, { restApiId }) =>
    apiGateway.updateStage({ restApiId, stageName: 'dev', patchOperations: description }),
  DeleteStage: ({ apiGateway }, { restApiId }) => apiGateway.deleteStage({ restApiId, stageName: 'dev' }),
  CreateApiKey: ({ apiGateway }, { restApiId }) =>
    apiGateway.createApiKey({ name: 'x', stageKeys: [{ restApiId, stageName: 'dev' }] }),
  GetApiKey: ({ apiGateway }, { apiKey }) => apiGateway.getApiKey({ apiKey, includeValue: true }),
  GetApiKeys: ({ apiGateway }, { apiKey }) => apiGateway.getApiKeys({ customerId: apiKey, includeValues: true }),
  UpdateApiKey: ({ apiGateway }, { apiKey }) => apiGateway.updateApiKey({ apiKey, patchOperations: description }),
  DeleteApiKey: ({ apiGateway }, { apiKey }) => apiGateway.deleteApiKey({ apiKey }),
  // The import leaves a plan out that is not there, so the warning tells.
  ImportApiKeys: ({ apiGateway }, { usagePlanId }) =>
    apiGateway.importApiKeys({
      format: 'csv',
      failOnWarnings: true,
      body: Buffer.from(`name,key,usageplanids\nx,${'z'.repeat(40)},${usagePlanId}\n`),
    }),
  CreateUsagePlan: ({ apiGateway }, { restApiId }) =>
    apiGateway.createUsagePlan({ name: 'x', apiStages: [{ apiId: restApiId, stage: 'dev' }] }),
  GetUsagePlan: ({ apiGateway }, { usagePlanId }) => apiGateway.getUsagePlan({ usagePlanId }),
  GetUsagePlans: ({ apiGateway }, { apiKey }) => apiGateway.getUsagePlans({ keyId: apiKey }),
  UpdateUsagePlan: ({ apiGateway }, { usagePlanId }) => apiGateway.updateUsagePlan({ usagePlanId, patchOperations: description }),
  DeleteUsagePlan: ({ apiGateway }, { usagePlanId }) => apiGateway.deleteUsagePlan({ usagePlanId }),
  CreateUsagePlanKey: ({ apiGateway }, { usagePlanId, apiKey }) =>
    apiGateway.createUsagePlanKey({ usagePlanId, keyId: apiKey, keyType: 'API_KEY' }),
  GetUsagePlanKey: ({ apiGateway }, { usagePlanId, apiKey }) => apiGateway.getUsagePlanKey({ usagePlanId, keyId: apiKey }),
  GetUsagePlanKeys: ({ apiGateway }, { usagePlanId }) => apiGateway.getUsagePlanKeys({ usagePlanId }),
  DeleteUsagePlanKey: ({ apiGateway }, { usagePlanId, apiKey }) => apiGateway.deleteUsagePlanKey({ usagePlanId, keyId: apiKey }),
  GetUsage: ({ apiGateway }, { usagePlanId, apiKey }) => apiGateway.getUsage({ usagePlanId, keyId: apiKey, ...DAYS }),
  UpdateUsage: ({ apiGateway }, { usagePlanId, apiKey }) =>
    apiGateway.updateUsage({ usagePlanId, keyId: apiKey, patchOperations: [{ op: 'replace', path: '/remaining', value: '9' }] }),
  CreateDomainName: ({ apiGateway }, { certificateArn }) =>
    apiGateway.createDomainName({ domainName: 'stolen.example.com', certificateArn }),
  GetDomainName: ({ apiGateway }, { domainName }) => apiGateway.getDomainName({ domainName }),
  GetDomainNames: ({ apiGateway }, { domainName }) => apiGateway.getDomainNames({ position: domainName }),
  UpdateDomainName: ({ apiGateway }, { domainName }) => apiGateway.updateDomainName({ domainName, patchOperations: [] }),
  DeleteDomainName: ({ apiGateway }, { domainName }) => apiGateway.deleteDomainName({ domainName }),
  CreateBasePathMapping: ({ apiGateway }, { domainName, restApiId }) =>
    apiGateway.createBasePathMapping({ domainName, restApiId, basePath: 'taken' }),
  GetBasePathMapping: ({ apiGateway }, { domainName }) => apiGateway.getBasePathMapping({ domainName, basePath: '(none)' }),
  GetBasePathMappings: ({ apiGateway }, { domainName }) => apiGateway.getBasePathMappings({ domainName }),
  UpdateBasePathMapping: ({ apiGateway }, { domainName }) =>
    apiGateway.updateBasePathMapping({
      domainName,
      basePath: '(none)',
      patchOperations: [{ op: 'replace', path: '/basePath', value: 'x' }],
    }),
  DeleteBasePathMapping: ({ apiGateway }, { domainName }) => apiGateway.deleteBasePathMapping({ domainName, basePath: '(none)' }),
  TestInvokeMethod: ({ apiGateway }, ids) => apiGateway.testInvokeMethod(method(ids)),
  TestInvokeAuthorizer: ({ apiGateway }, { restApiId, authorizerId }) =>
    apiGateway.testInvokeAuthorizer({ restApiId, authorizerId }),
  FlushStageCache: ({ apiGateway }, { restApiId }) => apiGateway.flushStageCache({ restApiId, stageName: 'dev' }),
  FlushStageAuthorizersCache: ({ apiGateway }, { restApiId }) =>
    apiGateway.flushStageAuthorizersCache({ restApiId, stageName: 'dev' }),
  CreateDomainNameAccessAssociation: ({ apiGateway }, { domainName }) =>
    apiGateway.createDomainNameAccessAssociation({
      domainNameArn: `arn:aws:apigateway:us-east-1:${owner.account}:/domainnames/${domainName}+abc`,
      accessAssociationSourceType: 'VPCE',
      accessAssociationSource: 'vpce-1',
    }),
  GetDomainNameAccessAssociations: ({ apiGateway }) => apiGateway.getDomainNameAccessAssociations({}),
  DeleteDomainNameAccessAssociation: ({ apiGateway }) => apiGateway.deleteDomainNameAccessAssociation(ASSOCIATION),
  RejectDomainNameAccessAssociation: ({ apiGateway }, { domainName }) =>
    apiGateway.rejectDomainNameAccessAssociation({
      ...ASSOCIATION,
      domainNameArn: `arn:aws:apigateway:us-east-1:${owner.account}:/domainnames/${domainName}+abc`,
    }),
  // This and CreateVpcLink name nothing that could be another's: refused, so that nothing is gained.
  GenerateClientCertificate: ({ apiGateway }) => apiGateway.generateClientCertificate({ tags: { 'aws:x': '' } }),
  GetClientCertificate: ({ apiGateway }, { clientCertificateId }) => apiGateway.getClientCertificate({ clientCertificateId }),
  GetClientCertificates: ({ apiGateway }) => apiGateway.getClientCertificates({}),
  UpdateClientCertificate: ({ apiGateway }, { clientCertificateId }) =>
    apiGateway.updateClientCertificate({ clientCertificateId, patchOperations: description }),
  DeleteClientCertificate: ({ apiGateway }, { clientCertificateId }) =>
    apiGateway.deleteClientCertificate({ clientCertificateId }),
  CreateVpcLink: ({ apiGateway }) => apiGateway.createVpcLink({ ...VPC_LINK, name: '' }),
  GetVpcLink: ({ apiGateway }, { vpcLinkId }) => apiGateway.getVpcLink({ vpcLinkId }),
  GetVpcLinks: ({ apiGateway }) => apiGateway.getVpcLinks({}),
  UpdateVpcLink: ({ apiGateway }, { vpcLinkId }) => apiGateway.updateVpcLink({ vpcLinkId, patchOperations: description }),
  DeleteVpcLink: ({ apiGateway }, { vpcLinkId }) => apiGateway.deleteVpcLink({ vpcLinkId }),
  CreateModel: ({ apiGateway }, { restApiId }) =>
    apiGateway.createModel({ restApiId, name: 'Taken', contentType: 'application/json', schema: '{}' }),
  GetModel: ({ apiGateway }, { restApiId }) => apiGateway.getModel({ restApiId, modelName: 'Secret' }),
  GetModels: ({ apiGateway }, { restApiId }) => apiGateway.getModels({ restApiId }),
  GetModelTemplate: ({ apiGateway }, { restApiId }) => apiGateway.getModelTemplate({ restApiId, modelName: 'Secret' }),
  UpdateModel: ({ apiGateway }, { restApiId }) =>
    apiGateway.updateModel({ restApiId, modelName: 'Secret', patchOperations: description }),
  DeleteModel: ({ apiGateway }, { restApiId }) => apiGateway.deleteModel({ restApiId, modelName: 'Secret' }),
  CreateRequestValidator: ({ apiGateway }, { restApiId }) => apiGateway.createRequestValidator({ restApiId, name: 'taken' }),
  GetRequestValidator: ({ apiGateway }, { restApiId, requestValidatorId }) =>
    apiGateway.getRequestValidator({ restApiId, requestValidatorId }),
  GetRequestValidators: ({ apiGateway }, { restApiId }) => apiGateway.getRequestValidators({ restApiId }),
  UpdateRequestValidator: ({ apiGateway }, { restApiId, requestValidatorId }) =>
    apiGateway.updateRequestValidator({ restApiId, requestValidatorId, patchOperations: [] }),
  DeleteRequestValidator: ({ apiGateway }, { restApiId, requestValidatorId }) =>
    apiGateway.deleteRequestValidator({ restApiId, requestValidatorId }),
  CreateAuthorizer: ({ apiGateway }, { restApiId }) => apiGateway.createAuthorizer({ restApiId, ...AUTHORIZER }),
  GetAuthorizer: ({ apiGateway }, { restApiId, authorizerId }) => apiGateway.getAuthorizer({ restApiId, authorizerId }),
  GetAuthorizers: ({ apiGateway }, { restApiId }) => apiGateway.getAuthorizers({ restApiId }),
  UpdateAuthorizer: ({ apiGateway }, { restApiId, authorizerId }) =>
    apiGateway.updateAuthorizer({ restApiId, authorizerId, patchOperations: [] }),
  DeleteAuthorizer: ({ apiGateway }, { restApiId, authorizerId }) => apiGateway.deleteAuthorizer({ restApiId, authorizerId }),
  PutGatewayResponse: ({ apiGateway }, { restApiId }) =>
    apiGateway.putGatewayResponse({ restApiId, responseType: 'THROTTLED', statusCode: '500' }),
  GetGatewayResponse: ({ apiGateway }, { restApiId }) => apiGateway.getGatewayResponse({ restApiId, responseType: 'THROTTLED' }),
  GetGatewayResponses: ({ apiGateway }, { restApiId }) => apiGateway.getGatewayResponses({ restApiId }),
  UpdateGatewayResponse: ({ apiGateway }, { restApiId }) =>
    apiGateway.updateGatewayResponse({ restApiId, responseType: 'THROTTLED', patchOperations: [] }),
  DeleteGatewayResponse: ({ apiGateway }, { restApiId }) =>
    apiGateway.deleteGatewayResponse({ restApiId, responseType: 'THROTTLED' }),
  CreateDocumentationPart: ({ apiGateway }, { restApiId }) =>
    apiGateway.createDocumentationPart({ restApiId, location: { type: 'METHOD' }, properties: '{"a":1}' }),
  GetDocumentationPart: ({ apiGateway }, { restApiId, documentationPartId }) =>
    apiGateway.getDocumentationPart({ restApiId, documentationPartId }),
  GetDocumentationParts: ({ apiGateway }, { restApiId }) => apiGateway.getDocumentationParts({ restApiId }),
  UpdateDocumentationPart: ({ apiGateway }, { restApiId, documentationPartId }) =>
    apiGateway.updateDocumentationPart({ restApiId, documentationPartId, patchOperations: [] }),
  DeleteDocumentationPart: ({ apiGateway }, { restApiId, documentationPartId }) =>
    apiGateway.deleteDocumentationPart({ restApiId, documentationPartId }),
  CreateDocumentationVersion: ({ apiGateway }, { restApiId }) =>
    apiGateway.createDocumentationVersion({ restApiId, documentationVersion: 'v2' }),
  GetDocumentationVersion: ({ apiGateway }, { restApiId }) =>
    apiGateway.getDocumentationVersion({ restApiId, documentationVersion: 'v1' }),
  GetDocumentationVersions: ({ apiGateway }, { restApiId }) => apiGateway.getDocumentationVersions({ restApiId }),
  UpdateDocumentationVersion: ({ apiGateway }, { restApiId }) =>
    apiGateway.updateDocumentationVersion({ restApiId, documentationVersion: 'v1', patchOperations: description }),
  DeleteDocumentationVersion: ({ apiGateway }, { restApiId }) =>
    apiGateway.deleteDocumentationVersion({ restApiId, documentationVersion: 'v1' }),
  GetExport: ({ apiGateway }, { restApiId }) => apiGateway.getExport({ restApiId, stageName: 'dev', exportType: 'oas30' }),
  GetSdk: ({ apiGateway }, { restApiId }) => apiGateway.getSdk({ restApiId, stageName: 'dev', sdkType: 'javascript' }),
  ImportRestApi: ({ apiGateway }, { vpcLinkId }) => apiGateway.importRestApi({ body: documentThrough(vpcLinkId) }),
  PutRestApi: ({ apiGateway }, { restApiId }) =>
    apiGateway.putRestApi({ restApiId, mode: 'overwrite', body: Buffer.from('{"swagger":"2.0","info":{"title":"taken over"}}') }),
  ImportDocumentationParts: ({ apiGateway }, { restApiId }) =>
    apiGateway.importDocumentationParts({ restApiId, mode: 'overwrite', body: Buffer.from('{"swagger":"2.0"}') }),
  GetSdkTypes: ({ apiGateway }, { restApiId }) => apiGateway.getSdkTypes({ position: restApiId }),
  GetSdkType: ({ apiGateway }, { restApiId }) => apiGateway.getSdkType({ id: restApiId }),
  GetAccount: ({ apiGateway }) => apiGateway.getAccount({}),
  UpdateAccount: ({ apiGateway }) => apiGateway.updateAccount({ patchOperations: [] }),
  TagResource: ({ apiGateway }, { restApiId }) =>
    apiGateway.tagResource({ resourceArn: apiArn(restApiId), tags: { taken: 'over' } }),
  UntagResource: ({ apiGateway }, { restApiId }) =>
    apiGateway.untagResource({ resourceArn: apiArn(restApiId), tagKeys: ['whose'] }),
  GetTags: ({ apiGateway }, { restApiId }) => apiGateway.getTags({ resourceArn: apiArn(restApiId) }),
};

/** Those that take an id besides the API's or the plan's. */
const NESTED = [
  'CreateResource',
  'GetResource',
  'UpdateResource',
  'DeleteResource',
  'PutMethod',
  'GetMethod',
  'UpdateMethod',
  'DeleteMethod',
  'PutIntegration',
  'TestInvokeMethod',
  'TestInvokeAuthorizer',
  'GetDeployment',
  'UpdateDeployment',
  'DeleteDeployment',
  'CreateStage',
  'GetRequestValidator',
  'UpdateRequestValidator',
  'DeleteRequestValidator',
  'GetAuthorizer',
  'UpdateAuthorizer',
  'DeleteAuthorizer',
  'GetDocumentationPart',
  'UpdateDocumentationPart',
  'DeleteDocumentationPart',
  'CreateUsagePlanKey',
  'GetUsagePlanKey',
  'DeleteUsagePlanKey',
  'GetUsage',
  'UpdateUsage',
] as const;

const LAMBDA_CALLS: Record<Exclude<keyof Lambda.Operations, keyof typeof LAMBDA_NOT_YET>, Call> = {
  // A name is free in another account: only the whole ARN is the other's.
  CreateFunction: async ({ lambda }, { functionName }) =>
    lambda.createFunction({
      FunctionName: arnOf(functionName),
      Role: 'arn:aws:iam::111111111111:role/r',
      Runtime: 'nodejs22.x',
      Handler: 'index.handler',
      Code: { ZipFile: await packageOf('index.js', '1') },
    }),
  GetFunction: ({ lambda }, { functionName }) => lambda.getFunction({ FunctionName: functionName }),
  GetFunctionConfiguration: ({ lambda }, { functionName }) => lambda.getFunctionConfiguration({ FunctionName: functionName }),
  ListFunctions: ({ lambda }, { functionName }) => lambda.listFunctions({ Marker: functionName }),
  UpdateFunctionCode: async ({ lambda }, { functionName }) =>
    lambda.updateFunctionCode({ FunctionName: functionName, ZipFile: await packageOf('index.js', 'taken over') }),
  UpdateFunctionConfiguration: ({ lambda }, { functionName }) =>
    lambda.updateFunctionConfiguration({ FunctionName: functionName, Timeout: 9 }),
  DeleteFunction: ({ lambda }, { functionName }) => lambda.deleteFunction({ FunctionName: functionName }),
  PublishVersion: ({ lambda }, { functionName }) => lambda.publishVersion({ FunctionName: functionName }),
  ListVersionsByFunction: ({ lambda }, { functionName }) => lambda.listVersionsByFunction({ FunctionName: functionName }),
  CreateAlias: ({ lambda }, { functionName }) =>
    lambda.createAlias({ FunctionName: functionName, Name: 'taken', FunctionVersion: '1' }),
  GetAlias: ({ lambda }, { functionName }) => lambda.getAlias({ FunctionName: functionName, Name: 'live' }),
  ListAliases: ({ lambda }, { functionName }) => lambda.listAliases({ FunctionName: functionName }),
  UpdateAlias: ({ lambda }, { functionName }) =>
    lambda.updateAlias({ FunctionName: functionName, Name: 'live', Description: 'taken over' }),
  DeleteAlias: ({ lambda }, { functionName }) => lambda.deleteAlias({ FunctionName: functionName, Name: 'live' }),
  AddPermission: ({ lambda }, { functionName }) =>
    lambda.addPermission({ FunctionName: functionName, StatementId: 'taken', Action: 'lambda:InvokeFunction', Principal: '*' }),
  GetPolicy: ({ lambda }, { functionName }) => lambda.getPolicy({ FunctionName: functionName }),
  RemovePermission: ({ lambda }, { functionName }) => lambda.removePermission({ FunctionName: functionName, StatementId: 's' }),
  Invoke: ({ lambda }, { functionName }) => lambda.invoke({ FunctionName: functionName }),
  GetFunctionCodeSigningConfig: ({ lambda }, { functionName }) =>
    lambda.getFunctionCodeSigningConfig({ FunctionName: functionName }),
  GetFunctionConcurrency: ({ lambda }, { functionName }) => lambda.getFunctionConcurrency({ FunctionName: functionName }),
  PutFunctionConcurrency: ({ lambda }, { functionName }) =>
    lambda.putFunctionConcurrency({ FunctionName: functionName, ReservedConcurrentExecutions: 1 }),
  DeleteFunctionConcurrency: ({ lambda }, { functionName }) => lambda.deleteFunctionConcurrency({ FunctionName: functionName }),
  ListTags: ({ lambda }, { functionName }) => lambda.listTags({ Resource: arnOf(functionName) }),
  TagResource: ({ lambda }, { functionName }) => lambda.tagResource({ Resource: arnOf(functionName), Tags: { taken: 'over' } }),
  UntagResource: ({ lambda }, { functionName }) => lambda.untagResource({ Resource: arnOf(functionName), TagKeys: ['whose'] }),
};

const arnOf = (name: string): string =>
  name.startsWith('arn:') ? name : `arn:aws:lambda:us-east-1:${owner.account}:function:${name}`;

/** The answer, or the refusal, with what was asked for taken out of it. */
async function outcome(call: Call, ids: Belongings): Promise<string> {
  let answer = '';
  const refusal = await refusalOf(
    call(stranger, ids).then((output) => {
      answer = JSON.stringify(answered(output));
    }),
  );
  return Object.entries(ids).reduce((text, [name, id]) => text.replaceAll(id, `{${name}}`), `${refusal} ${answer}`);
}

/** Everything in the database that is the tenant's. */
async function rowsOf({ account }: TestTenant): Promise<Record<string, unknown>> {
  const tables = await house.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id' ORDER BY 1`,
  );
  expect(tables.length).toBeGreaterThan(10);
  const rows: Record<string, unknown> = {};
  for (const { name } of tables)
    rows[name] = await house.query(`SELECT * FROM "${name}" AS row WHERE tenant_id = $1 ORDER BY row::text`, [account]);
  return rows;
}

describe('ids of another tenant are answered like ids that do not exist', () => {
  let before: Record<string, unknown>;
  let beforeOfStranger: Record<string, unknown>;
  beforeAll(async () => {
    before = await rowsOf(owner);
    beforeOfStranger = await rowsOf(stranger);
  });

  for (const [name, call] of Object.entries(API_GATEWAY_CALLS)) {
    test(`API Gateway ${name}`, async () => {
      expect(await outcome(call, owned)).toBe(await outcome(call, NOBODYS));
    });
  }
  for (const name of NESTED) {
    test(`API Gateway ${name}, with an API or a plan of the caller around them`, async () => {
      const inOwn = (ids: Belongings): Belongings => ({
        ...ids,
        restApiId: strangers.restApiId,
        usagePlanId: strangers.usagePlanId,
      });
      expect(await outcome(API_GATEWAY_CALLS[name], inOwn(owned))).toBe(await outcome(API_GATEWAY_CALLS[name], inOwn(NOBODYS)));
    });
  }
  for (const [name, call] of Object.entries(LAMBDA_CALLS)) {
    test(`Lambda ${name}`, async () => {
      expect(await outcome(call, owned)).toBe(await outcome(call, NOBODYS));
    });
    test(`Lambda ${name}, by the whole ARN`, async () => {
      const byArn = (ids: Belongings): Belongings => ({ ...ids, functionName: arnOf(ids.functionName) });
      expect(await outcome(call, byArn(owned))).toBe(await outcome(call, byArn(NOBODYS)));
    });
  }

  test('and after all of this, every row of the owner is as it was', async () => {
    expect(await rowsOf(owner)).toEqual(before);
  });
  test('and the stranger has gained nothing', async () => {
    const sizes = (rows: Record<string, unknown>) =>
      Object.fromEntries(Object.entries(rows).map(([table, list]) => [table, (list as unknown[]).length]));
    expect(sizes(await rowsOf(stranger))).toEqual(sizes(beforeOfStranger));
  });
});

test('the text of a 404 names the account of the caller', async () => {
  expect(await refusalOf(stranger.apiGateway.getRestApi({ restApiId: owned.restApiId }))).toBe(
    `404 NotFoundException: Invalid API identifier specified ${stranger.account}:${owned.restApiId}`,
  );
});

test('lists hold what belongs to the caller and nothing else', async () => {
  const { apiGateway, lambda } = stranger;
  expect((await apiGateway.getRestApis({ limit: 500 })).items!.map(({ id }) => id)).toEqual([strangers.restApiId]);
  expect((await apiGateway.getApiKeys({ limit: 500, includeValues: true })).items!.map(({ value }) => value)).toEqual([
    strangers.keyValue,
  ]);
  expect((await apiGateway.getUsagePlans({ limit: 500 })).items!.map(({ id }) => id)).toEqual([strangers.usagePlanId]);
  expect((await lambda.listFunctions({ FunctionVersion: 'ALL' })).Functions!.map(({ FunctionName }) => FunctionName)).toEqual([
    strangers.functionName,
    strangers.functionName,
  ]);
  expect(answered(await apiGateway.getTags({ resourceArn: apiArn(strangers.restApiId) }))).toEqual({
    tags: { whose: strangers.functionName },
  });
});

test('certificates are found and listed by their own tenant only', async () => {
  const { text } = await stranger.send({ path: '/admin/v1/certificates' });
  const { certificates } = JSON.parse(text) as { certificates: { arn: string }[] };
  expect(certificates.map(({ arn }) => arn)).toEqual([strangers.certificateArn]);
  expect((await stranger.send({ path: '/admin/v1/certificates/another' })).status).toBe(404);
});

test('a key value that another tenant uses is free', async () => {
  const { id } = await stranger.apiGateway.createApiKey({ name: 'same', value: owned.keyValue });
  await stranger.apiGateway.deleteApiKey({ apiKey: id! });
});

test('the account of one tenant is not the account of the other', async () => {
  const role = 'arn:aws:iam::111111111111:role/logs';
  await owner.apiGateway.updateAccount({ patchOperations: [{ op: 'replace', path: '/cloudwatchRoleArn', value: role }] });
  expect((await stranger.apiGateway.getAccount({})).cloudwatchRoleArn).toBeUndefined();
});
