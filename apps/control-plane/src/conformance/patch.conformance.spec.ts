/**
 * Every path that can be patched, of every resource of v1 (control-plane reference §3.2; stages have a spec of their own): each operation
 * that AWS allows on it is taken, every other one is refused, and a refused one leaves everything as it was.
 */
import { randomBytes } from 'node:crypto';
import type { Op, PatchOperation } from '@aws-sdk/client-api-gateway';
import {
  answered,
  createMockApi,
  makeServerCertificate,
  refusalOf,
  startControlPlaneHouse,
  type ControlPlaneHouse,
  type TestTenant,
} from '@gatehouse/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let api: TestTenant['apiGateway'];
let tenant: TestTenant;
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
  tenant = await house.tenant();
  api = tenant.apiGateway;
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

/** Allowed operations in the order in which they are tried, small letters for those that are not; and the values: one for all, or one each. */
type Row = readonly [path: string, allowed: string, ...values: string[]];

interface Patched {
  update(patchOperations: PatchOperation[] | undefined): Promise<unknown>;
  read(): Promise<object>;
  /** Values that are known only now, by the name that stands in the table for them. */
  readonly ids?: Readonly<Record<string, string>>;
}

const OPS: Readonly<Record<string, Op>> = { A: 'add', R: 'replace', D: 'remove' };

async function state({ read }: Patched): Promise<unknown> {
  return answered((await read()) as Parameters<typeof answered>[0]);
}

function operation({ ids = {} }: Patched, op: Op, path: string, value = ''): PatchOperation {
  return { op, path: path.replace(/<(\w+)>/, (_, name: string) => ids[name]!), value: ids[value] ?? value };
}

function sweep(name: string, open: () => Promise<Patched>, rows: readonly Row[]): void {
  describe(name, () => {
    let patched: Patched;
    beforeAll(async () => {
      patched = await open();
    });

    test.each(rows)('%s takes %s', async (path, allowed, ...values) => {
      for (const [index, letter] of [...allowed.replace(/[a-z]/g, '')].entries()) {
        await patched.update([operation(patched, OPS[letter]!, path, values[index] ?? values.at(-1))]);
      }
      const before = await state(patched);
      for (const letter of 'ARD') {
        if (allowed.toUpperCase().includes(letter)) continue;
        const refused = await refusalOf(patched.update([operation(patched, OPS[letter]!, path, values[0])]));
        expect(refused, `${OPS[letter]} ${path}`).toMatch(/^400 BadRequestException: (Invalid|Cannot)/);
      }
      expect(await state(patched)).toEqual(before);
    });

    test('nothing of a list is done when one of it cannot be', async () => {
      const [path, allowed, ...values] = rows.find(([, ops]) => ops.includes('R'))!;
      const before = await state(patched);
      const good = operation(patched, 'replace', path, values[allowed.indexOf('R')] ?? values.at(-1));
      const bad = operation(patched, 'replace', '/thereIsNoSuchPath', 'x');
      expect(await refusalOf(patched.update([good, bad]))).toMatch(/^400 BadRequestException: Invalid/);
      expect(await state(patched)).toEqual(before);
    });

    test.each([['an empty list', []], ['no list'], ['operations that no path takes', [{ op: 'move', path: '/name' }]]] as const)(
      '%s',
      async (what, list?: readonly PatchOperation[]) => {
        const before = await state(patched);
        if (list?.length === 1) expect(await refusalOf(patched.update([...list]))).toMatch(/^400 /);
        else await patched.update(list === undefined ? undefined : []);
        expect(await state(patched), what).toEqual(before);
      },
    );
  });
}

const POLICY =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"*"}]}';

sweep(
  'RestApi',
  async () => {
    const restApiId = (await api.createRestApi({ name: 'a', endpointConfiguration: { types: ['REGIONAL'] } })).id!;
    return {
      update: (patchOperations) => api.updateRestApi({ restApiId, patchOperations }),
      read: () => api.getRestApi({ restApiId }),
    };
  },
  [
    ['/name', 'R', 'b'],
    ['/description', 'ARD', 'one', 'two'],
    ['/policy', 'R', POLICY],
    ['/apiKeySource', 'R', 'AUTHORIZER'],
    ['/disableExecuteApiEndpoint', 'R', 'true'],
    ['/minimumCompressionSize', 'R', '1024'],
    ['/binaryMediaTypes/image~1png', 'ADr', ''],
    ['/endpointConfiguration/types/0', 'R', 'EDGE'],
    ['/endpointConfiguration/ipAddressType', 'R', 'dualstack'],
  ],
);

sweep(
  'Resource',
  async () => {
    const { restApiId, rootId } = await createMockApi(api);
    const { id: parentId } = await api.createResource({ restApiId, parentId: rootId, pathPart: 'v1' });
    const resourceId = (await api.createResource({ restApiId, parentId: parentId!, pathPart: 'pets' })).id!;
    return {
      update: (patchOperations) => api.updateResource({ restApiId, resourceId, patchOperations }),
      read: () => api.getResource({ restApiId, resourceId }),
      ids: { root: rootId },
    };
  },
  [
    ['/pathPart', 'R', 'dogs'],
    ['/parentId', 'R', 'root'],
  ],
);

sweep(
  'Method',
  async () => {
    const { restApiId, rootId: resourceId } = await createMockApi(api);
    const key = { restApiId, resourceId, httpMethod: 'POST' };
    await api.putMethod({ ...key, authorizationType: 'NONE' });
    const validator = await api.createRequestValidator({ restApiId, name: 'all' });
    return {
      update: (patchOperations) => api.updateMethod({ ...key, patchOperations }),
      read: () => api.getMethod(key),
      ids: { validator: validator.id! },
    };
  },
  [
    ['/authorizationType', 'R', 'AWS_IAM'],
    ['/authorizerId', 'R', 'ignored'],
    ['/apiKeyRequired', 'R', 'true'],
    ['/operationName', 'R', 'create'],
    ['/requestValidatorId', 'R', 'validator'],
    ['/authorizationScopes', 'AD', 'pets/read'],
    ['/requestParameters/method.request.header.X-Page', 'ARD', 'false', 'true'],
    ['/requestModels/application~1json', 'ARD', 'Empty', 'Error'],
    ['/httpMethod', '', 'GET'],
  ],
);

sweep(
  'MethodResponse',
  async () => {
    const { restApiId, rootId: resourceId } = await createMockApi(api);
    const method = { restApiId, resourceId, httpMethod: 'POST' };
    const key = { ...method, statusCode: '404' };
    await api.putMethod({ ...method, authorizationType: 'NONE' });
    await api.putMethodResponse(key);
    return {
      update: (patchOperations) => api.updateMethodResponse({ ...key, patchOperations }),
      read: () => api.getMethodResponse(key),
    };
  },
  [
    ['/responseParameters/method.response.header.X-Page', 'ARD', 'false', 'true'],
    ['/responseModels/application~1json', 'ARD', 'Empty', 'Error'],
    ['/statusCode', '', '200'],
  ],
);

sweep(
  'Integration',
  async () => {
    const { restApiId, rootId: resourceId } = await createMockApi(api);
    const key = { restApiId, resourceId, httpMethod: 'POST' };
    const requestParameters = { 'method.request.querystring.page': false };
    await api.putMethod({ ...key, authorizationType: 'NONE', requestParameters });
    const targetArns = ['arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/pets/50dc6c495c0c9188'];
    const link = await api.createVpcLink({ name: 'pets', targetArns });
    const other = await api.createVpcLink({ name: 'dogs', targetArns });
    await api.putIntegration({
      ...key,
      type: 'HTTP',
      integrationHttpMethod: 'POST',
      uri: 'https://example.com/',
      connectionType: 'VPC_LINK',
      connectionId: link.id,
    });
    return {
      update: (patchOperations) => api.updateIntegration({ ...key, patchOperations }),
      read: () => api.getIntegration(key),
      ids: { other: other.id! },
    };
  },
  [
    ['/httpMethod', 'R', 'PUT'],
    ['/uri', 'R', 'https://example.org/pets'],
    ['/connectionId', 'R', 'other'],
    ['/connectionType', 'R', 'VPC_LINK'],
    ['/contentHandling', 'R', 'CONVERT_TO_TEXT'],
    ['/passthroughBehavior', 'R', 'NEVER'],
    ['/timeoutInMillis', 'R', '5000'],
    ['/cacheNamespace', 'R', 'pets'],
    ['/tlsConfig/insecureSkipVerification', 'R', 'true'],
    ['/cacheKeyParameters/method.request.querystring.page', 'ADr', ''],
    ['/requestParameters/integration.request.header.X-Page', 'ARD', "'1'", "'2'"],
    ['/requestTemplates/application~1json', 'ARD', '{}', '[]'],
    ['/type', '', 'MOCK'],
  ],
);

sweep(
  'IntegrationResponse',
  async () => {
    const { restApiId, rootId: resourceId } = await createMockApi(api);
    const method = { restApiId, resourceId, httpMethod: 'POST' };
    await api.putMethod({ ...method, authorizationType: 'NONE' });
    await api.putIntegration({ ...method, type: 'MOCK' });
    await api.putMethodResponse({ ...method, statusCode: '404', responseParameters: { 'method.response.header.X-Page': false } });
    const key = { ...method, statusCode: '404' };
    await api.putIntegrationResponse({ ...key, selectionPattern: '404' });
    return {
      update: (patchOperations) => api.updateIntegrationResponse({ ...key, patchOperations }),
      read: () => api.getIntegrationResponse(key),
    };
  },
  [
    ['/selectionPattern', 'R', '40.'],
    ['/contentHandling', 'R', 'CONVERT_TO_TEXT'],
    ['/responseParameters/method.response.header.X-Page', 'ARD', "'1'", "'2'"],
    ['/responseTemplates/application~1json', 'ARD', '{}', '[]'],
  ],
);

sweep(
  'Deployment',
  async () => {
    const { restApiId } = await createMockApi(api);
    const deploymentId = (await api.createDeployment({ restApiId })).id!;
    return {
      update: (patchOperations) => api.updateDeployment({ restApiId, deploymentId, patchOperations }),
      read: () => api.getDeployment({ restApiId, deploymentId }),
    };
  },
  [['/description', 'R', 'first']],
);

sweep(
  'Authorizer',
  async () => {
    const { restApiId } = await createMockApi(api);
    const created = await api.createAuthorizer({
      restApiId,
      name: 'pool',
      type: 'COGNITO_USER_POOLS',
      providerARNs: ['arn:aws:cognito-idp:us-east-1:111111111111:userpool/us-east-1_abc123'],
      identitySource: 'method.request.header.Authorization',
    });
    const key = { restApiId, authorizerId: created.id! };
    return {
      update: (patchOperations) => api.updateAuthorizer({ ...key, patchOperations }),
      read: () => api.getAuthorizer(key),
    };
  },
  [
    ['/name', 'R', 'users'],
    ['/authType', 'R', 'oauth2'],
    ['/authorizerCredentials', 'R', 'arn:aws:iam::111111111111:role/invoke'],
    ['/authorizerResultTtlInSeconds', 'R', '60'],
    ['/identityValidationExpression', 'R', '^[a-z]+$'],
    ['/providerARNs', 'AD', 'arn:aws:cognito-idp:us-east-1:111111111111:userpool/us-east-1_def456'],
  ],
);

sweep(
  'Model',
  async () => {
    const { restApiId } = await createMockApi(api);
    await api.createModel({ restApiId, name: 'Pet', contentType: 'application/json', schema: '{"type":"object"}' });
    return {
      update: (patchOperations) => api.updateModel({ restApiId, modelName: 'Pet', patchOperations }),
      read: () => api.getModel({ restApiId, modelName: 'Pet' }),
    };
  },
  [
    ['/description', 'R', 'a pet'],
    ['/schema', 'R', '{"type":"string"}'],
    ['/name', '', 'Dog'],
  ],
);

sweep(
  'RequestValidator',
  async () => {
    const { restApiId } = await createMockApi(api);
    const key = { restApiId, requestValidatorId: (await api.createRequestValidator({ restApiId, name: 'all' })).id! };
    return {
      update: (patchOperations) => api.updateRequestValidator({ ...key, patchOperations }),
      read: () => api.getRequestValidator(key),
    };
  },
  [
    ['/name', 'R', 'body'],
    ['/validateRequestBody', 'R', 'true'],
    ['/validateRequestParameters', 'R', 'true'],
  ],
);

sweep(
  'GatewayResponse',
  async () => {
    const { restApiId } = await createMockApi(api);
    const key = { restApiId, responseType: 'THROTTLED' as const };
    return {
      update: (patchOperations) => api.updateGatewayResponse({ ...key, patchOperations }),
      read: () => api.getGatewayResponse(key),
    };
  },
  [
    ['/statusCode', 'R', '477'],
    ['/responseParameters/gatewayresponse.header.X-Page', 'ARD', "'1'", "'2'"],
    ['/responseTemplates/application~1xml', 'ARD', '<a/>', '<b/>'],
  ],
);

sweep(
  'DocumentationPart',
  async () => {
    const { restApiId } = await createMockApi(api);
    const created = await api.createDocumentationPart({ restApiId, location: { type: 'API' }, properties: '{"a":"1"}' });
    const key = { restApiId, documentationPartId: created.id! };
    return {
      update: (patchOperations) => api.updateDocumentationPart({ ...key, patchOperations }),
      read: () => api.getDocumentationPart(key),
    };
  },
  [['/properties', 'R', '{"a":"2"}']],
);

sweep(
  'DocumentationVersion',
  async () => {
    const { restApiId } = await createMockApi(api);
    await api.createDocumentationPart({ restApiId, location: { type: 'API' }, properties: '{"a":"1"}' });
    const key = { restApiId, documentationVersion: '1.0' };
    await api.createDocumentationVersion(key);
    return {
      update: (patchOperations) => api.updateDocumentationVersion({ ...key, patchOperations }),
      read: () => api.getDocumentationVersion(key),
    };
  },
  [['/description', 'R', 'first']],
);

sweep(
  'ClientCertificate',
  async () => {
    const key = { clientCertificateId: (await api.generateClientCertificate({})).clientCertificateId! };
    return {
      update: (patchOperations) => api.updateClientCertificate({ ...key, patchOperations }),
      read: () => api.getClientCertificate(key),
    };
  },
  [['/description', 'R', 'for pets']],
);

sweep(
  'VpcLink',
  async () => {
    const targetArns = ['arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/pets/50dc6c495c0c9188'];
    const key = { vpcLinkId: (await api.createVpcLink({ name: 'pets', targetArns })).id! };
    await api.getVpcLink(key);
    return { update: (patchOperations) => api.updateVpcLink({ ...key, patchOperations }), read: () => api.getVpcLink(key) };
  },
  [
    ['/name', 'R', 'dogs'],
    ['/description', 'R', 'to the dogs'],
    ['/targetArns', '', 'arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/dogs/50dc6c495c0c9188'],
  ],
);

sweep(
  'ApiKey',
  async () => {
    const { restApiId } = await createMockApi(api);
    await api.createDeployment({ restApiId, stageName: 'dev' });
    const key = { apiKey: (await api.createApiKey({ name: 'a' })).id! };
    return {
      update: (patchOperations) => api.updateApiKey({ ...key, patchOperations }),
      read: async () => ({ ...(await api.getApiKey({ ...key, includeValue: true })), lastUpdatedDate: null }),
      ids: { stage: `${restApiId}/dev` },
    };
  },
  [
    ['/name', 'R', 'b'],
    ['/description', 'R', 'of b'],
    ['/enabled', 'R', 'true'],
    ['/customerId', 'R', 'b-1'],
    ['/stages', 'AD', 'stage'],
    ['/value', '', 'a-value-of-at-least-twenty-characters'],
  ],
);

sweep(
  'UsagePlan',
  async () => {
    const { restApiId } = await createMockApi(api);
    await api.createDeployment({ restApiId, stageName: 'dev' });
    await api.createDeployment({ restApiId, stageName: 'prod' });
    const created = await api.createUsagePlan({
      name: 'a',
      apiStages: [{ apiId: restApiId, stage: 'dev' }],
      quota: { limit: 10, period: 'DAY' },
      throttle: { rateLimit: 1, burstLimit: 1 },
    });
    const key = { usagePlanId: created.id! };
    return {
      update: (patchOperations) => api.updateUsagePlan({ ...key, patchOperations }),
      read: () => api.getUsagePlan(key),
      ids: { dev: `${restApiId}:dev`, prod: `${restApiId}:prod` },
    };
  },
  [
    ['/name', 'R', 'b'],
    ['/description', 'R', 'of b'],
    ['/productCode', 'ARD', 'one', 'two'],
    ['/apiStages', 'AD', 'prod'],
    ['/apiStages/<dev>/throttle', 'ARD', '{"/GET":{"rateLimit":5,"burstLimit":5}}'],
    ['/apiStages/<dev>/throttle/~1/GET/rateLimit', 'AR', '5', '6'],
    ['/apiStages/<dev>/throttle/~1/GET/burstLimit', 'AR', '5', '6'],
    ['/apiStages/<dev>/throttle/~1/GET', 'D', ''],
    ['/throttle/rateLimit', 'AR', '5', '6'],
    ['/throttle/burstLimit', 'AR', '5', '6'],
    ['/throttle', 'D', ''],
    ['/quota/limit', 'AR', '20', '30'],
    ['/quota/period', 'AR', 'WEEK', 'MONTH'],
    ['/quota/offset', 'AR', '1', '2'],
    ['/quota', 'D', ''],
  ],
);

async function importedCertificate(id: string, names: readonly string[]): Promise<string> {
  const { cert: certificate, key: privateKey } = makeServerCertificate(names);
  const body = JSON.stringify({ certificate, privateKey });
  const { text } = await tenant.send({ method: 'PUT', path: `/admin/v1/certificates/${id}`, body });
  return (JSON.parse(text) as { arn: string }).arn;
}

sweep(
  'DomainName',
  async () => {
    const domainName = `swept-${randomBytes(4).toString('hex')}.example.com`;
    const [first, second] = [await importedCertificate('first', [domainName]), await importedCertificate('second', [domainName])];
    const endpointConfiguration = { types: ['REGIONAL' as const] };
    await api.createDomainName({ domainName, regionalCertificateArn: first, endpointConfiguration });
    return {
      update: (patchOperations) => api.updateDomainName({ domainName, patchOperations }),
      read: () => api.getDomainName({ domainName }),
      ids: { second },
    };
  },
  [
    ['/regionalCertificateArn', 'Rad', 'second'],
    ['/regionalCertificateName', 'Rad', 'pets'],
    ['/securityPolicy', 'R', 'TLS_1_2'],
    ['/endpointConfiguration/ipAddressType', 'R', 'dualstack'],
    ['/routingMode', 'R', 'BASE_PATH_MAPPING_ONLY'],
    ['/domainName', '', 'other.example.com'],
  ],
);

sweep(
  'BasePathMapping',
  async () => {
    const { restApiId } = await createMockApi(api);
    await api.createDeployment({ restApiId, stageName: 'dev' });
    const domainName = `patch-${randomBytes(4).toString('hex')}.example.com`;
    const { cert: certificateBody, key: certificatePrivateKey } = makeServerCertificate([domainName]);
    await api.createDomainName({ domainName, certificateName: 'a', certificateBody, certificatePrivateKey });
    await api.createBasePathMapping({ domainName, restApiId, basePath: 'pets' });
    let basePath = 'pets';
    return {
      update: async (patchOperations) => {
        const { basePath: next } = await api.updateBasePathMapping({ domainName, basePath, patchOperations });
        basePath = next!;
      },
      read: () => api.getBasePathMapping({ domainName, basePath }),
      ids: { api: restApiId },
    };
  },
  [
    ['/basePath', 'R', 'dogs'],
    ['/restapiId', 'R', 'api'],
    ['/stage', 'R', 'dev'],
  ],
);

sweep(
  'Account',
  async () => ({
    update: (patchOperations) => api.updateAccount({ patchOperations }),
    read: () => api.getAccount({}),
  }),
  [
    ['/cloudwatchRoleArn', 'R', 'arn:aws:iam::111111111111:role/logs'],
    ['/features', 'Ad', 'UsagePlans'],
  ],
);
