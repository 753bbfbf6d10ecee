/** GetExport and the export of any deployment, through the AWS SDK: what stages serve, as documents. */
import { buffer } from 'node:stream/consumers';
import { createMockApi, refusalOf, startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { fromBufferPromise } from 'yauzl';
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

interface Exported {
  readonly contentType: string;
  readonly contentDisposition: string;
  readonly text: string;
  readonly document: Record<string, unknown>;
}

async function exportOf(restApiId: string, exportType: string, extensions?: string): Promise<Exported> {
  const parameters = extensions === undefined ? undefined : { extensions };
  const { body, contentType, contentDisposition } = await api.getExport({ restApiId, stageName: 'dev', exportType, parameters });
  const text = Buffer.from(body!).toString('utf8');
  return {
    contentType: contentType!,
    contentDisposition: contentDisposition!,
    text,
    document: JSON.parse(text) as Record<string, unknown>,
  };
}

/** `GET /users` and `GET /users/{id}`, the second with a model, a validator and an authorizer, on stage dev. */
async function deployed(): Promise<{ restApiId: string; resourceId: string; deploymentId: string }> {
  const { restApiId, key } = await createMockApi(api);
  const { resourceId } = key;
  await api.createModel({ restApiId, name: 'User', contentType: 'application/json', schema: '{"type":"object"}' });
  const { id: requestValidatorId } = await api.createRequestValidator({ restApiId, name: 'body', validateRequestBody: true });
  const { id: authorizerId } = await api.createAuthorizer({
    restApiId,
    name: 'pools',
    type: 'COGNITO_USER_POOLS',
    identitySource: 'method.request.header.Authorization',
    providerARNs: ['arn:aws:cognito-idp:us-east-1:111111111111:userpool/us-east-1_abc'],
  });
  const method = { restApiId, resourceId, httpMethod: 'PUT' };
  await api.putMethod({
    ...method,
    authorizationType: 'COGNITO_USER_POOLS',
    authorizerId,
    requestValidatorId,
    requestModels: { 'application/json': 'User' },
  });
  await api.putIntegration({ ...method, type: 'MOCK' });
  await api.putGatewayResponse({ restApiId, responseType: 'THROTTLED', statusCode: '420' });
  await api.createDeployment({ restApiId, stageName: 'dev' });
  const { deploymentId } = await api.getStage({ restApiId, stageName: 'dev' });
  return { restApiId, resourceId, deploymentId: deploymentId! };
}

describe('GetExport', () => {
  test('is a download named by type and version', async () => {
    const { restApiId } = await deployed();
    const { createdDate } = await api.getRestApi({ restApiId });
    const version = new Date(Math.floor(createdDate!.getTime() / 1000) * 1000).toISOString().replace('.000Z', 'Z');
    expect(await exportOf(restApiId, 'oas30')).toMatchObject({
      contentType: 'application/octet-stream',
      contentDisposition: `attachment; filename="oas30_${version}.json"`,
      document: { openapi: '3.0.1', info: { title: 'users', version } },
    });
    expect(await exportOf(restApiId, 'swagger')).toMatchObject({
      contentDisposition: `attachment; filename="swagger_${version}.json"`,
      document: { swagger: '2.0', host: `${restApiId}.execute-api.us-east-1.amazonaws.com`, basePath: '/dev' },
    });
  });

  test('says the standard alone, or what each extension adds', async () => {
    const { restApiId } = await deployed();
    expect((await exportOf(restApiId, 'oas30')).text).not.toContain('x-amazon-apigateway');
    const whole = (await exportOf(restApiId, 'oas30', 'integrations,authorizers')).document;
    expect(whole).toMatchObject({
      'x-amazon-apigateway-request-validators': { body: { validateRequestBody: true, validateRequestParameters: false } },
      'x-amazon-apigateway-gateway-responses': { THROTTLED: { statusCode: '420' } },
      components: {
        schemas: { User: { type: 'object' } },
        securitySchemes: { pools: { 'x-amazon-apigateway-authorizer': { type: 'cognito_user_pools' } } },
      },
    });
    expect(JSON.stringify(whole['paths'])).toContain('"x-amazon-apigateway-integration":{"type":"mock"');
  });

  test('is YAML where Accept asks for it', async () => {
    const { restApiId } = await deployed();
    const { document } = await exportOf(restApiId, 'oas30', 'apigateway');
    const path = `/restapis/${restApiId}/stages/dev/exports/oas30`;
    const { status, text } = await tenant.send({
      path,
      query: { extensions: 'apigateway' },
      headers: { accept: 'application/yaml' },
    });
    expect(status).toBe(200);
    expect(text).toMatch(/^---\nopenapi: "3.0.1"\n/);
    expect(parse(text)).toEqual(document);
    const { body, contentDisposition } = await api.getExport({
      restApiId,
      stageName: 'dev',
      exportType: 'oas30',
      parameters: { extensions: 'apigateway' },
      accepts: 'application/yaml',
    });
    expect(contentDisposition).toMatch(/\.yaml"$/);
    expect(Buffer.from(body!).toString('utf8')).toBe(text);
  });

  test('says what the stage serves, not what the API has become', async () => {
    const { restApiId, resourceId, deploymentId } = await deployed();
    const before = await exportOf(restApiId, 'swagger', 'apigateway');
    await api.deleteMethod({ restApiId, resourceId, httpMethod: 'PUT' });
    await api.updateRestApi({ restApiId, patchOperations: [{ op: 'replace', path: '/name', value: 'renamed' }] });
    expect(await exportOf(restApiId, 'swagger', 'apigateway')).toEqual(before);
    await api.createDeployment({ restApiId, stageName: 'dev' });
    expect((await exportOf(restApiId, 'swagger', 'apigateway')).document).toMatchObject({ info: { title: 'renamed' } });
    await api.updateStage({
      restApiId,
      stageName: 'dev',
      patchOperations: [{ op: 'replace', path: '/deploymentId', value: deploymentId }],
    });
    expect(await exportOf(restApiId, 'swagger', 'apigateway')).toEqual(before);
  });

  test("shows the documentation of the stage's version, and lists it with the extension", async () => {
    const { restApiId } = await deployed();
    const properties = JSON.stringify({ summary: 'A user', audience: 'partners' });
    const { id: documentationPartId } = await api.createDocumentationPart({
      restApiId,
      location: { type: 'METHOD' },
      properties,
    });
    expect((await exportOf(restApiId, 'oas30')).text).not.toContain('A user');
    await api.createDocumentationVersion({ restApiId, documentationVersion: 'v1', stageName: 'dev' });
    await api.deleteDocumentationPart({ restApiId, documentationPartId });
    const { text } = await exportOf(restApiId, 'oas30');
    expect(text).toContain('"summary": "A user"');
    expect(text).not.toContain('audience');
    expect((await exportOf(restApiId, 'oas30', 'documentation')).document['x-amazon-apigateway-documentation']).toEqual({
      version: 'v1',
      createdDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      documentationParts: [{ location: { type: 'METHOD' }, properties: JSON.parse(properties) }],
    });
  });

  test('refuses what it does not know', async () => {
    const { restApiId } = await deployed();
    const from = (id: string, stageName: string, exportType: string) =>
      refusalOf(api.getExport({ restApiId: id, stageName, exportType }));
    expect(await from(restApiId, 'dev', 'raml')).toBe("400 BadRequestException: No API exporter for type 'raml'");
    expect(await from(restApiId, 'nope', 'oas30')).toBe('404 NotFoundException: Invalid stage identifier specified');
    expect(await from('zzzzzzzzzz', 'dev', 'oas30')).toBe(
      `404 NotFoundException: Invalid API identifier specified ${tenant.account}:zzzzzzzzzz`,
    );
  });
});

describe('an exported document', () => {
  const FUNCTION_URI =
    'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111111111111:function:pets/invocations';
  const SOURCE = {
    swagger: '2.0',
    info: { title: 'shop', version: '2.1' },
    paths: {
      '/pets': {
        get: {
          parameters: [{ name: 'page', in: 'query', required: true, type: 'string' }],
          produces: ['application/json'],
          responses: {
            '200': { description: 'ok', schema: { $ref: '#/definitions/Pets' }, headers: { ETag: { type: 'string' } } },
          },
          security: [{ door: [] }, { api_key: [] }],
          'x-amazon-apigateway-request-validator': 'parameters',
          'x-amazon-apigateway-integration': {
            type: 'http',
            httpMethod: 'GET',
            uri: 'http://pets.example',
            requestParameters: { 'integration.request.querystring.p': 'method.request.querystring.page' },
            cacheKeyParameters: ['method.request.querystring.page'],
            responses: {
              default: { statusCode: '200', responseParameters: { 'method.response.header.ETag': "'x'" } },
              '5\\d{2}': { statusCode: '500', responseTemplates: { 'application/json': '{"message": "no"}' } },
            },
          },
        },
      },
      '/{proxy+}': {
        'x-amazon-apigateway-any-method': {
          responses: {},
          'x-amazon-apigateway-integration': { type: 'aws_proxy', httpMethod: 'POST', uri: FUNCTION_URI, timeoutInMillis: 3000 },
        },
      },
    },
    definitions: {
      Pet: { type: 'object', properties: { mother: { $ref: '#/definitions/Pet' } } },
      Pets: { type: 'array', items: { $ref: '#/definitions/Pet' } },
    },
    securityDefinitions: {
      api_key: { type: 'apiKey', name: 'x-api-key', in: 'header' },
      door: {
        type: 'apiKey',
        name: 'Authorization',
        in: 'header',
        'x-amazon-apigateway-authtype': 'custom',
        'x-amazon-apigateway-authorizer': { type: 'token', authorizerUri: FUNCTION_URI, authorizerResultTtlInSeconds: 60 },
      },
    },
    'x-amazon-apigateway-request-validators': { parameters: { validateRequestBody: false, validateRequestParameters: true } },
    'x-amazon-apigateway-gateway-responses': { UNAUTHORIZED: { statusCode: '407' } },
    'x-amazon-apigateway-binary-media-types': ['image/png'],
  };

  const importOf = async (document: string): Promise<string> => (await api.importRestApi({ body: Buffer.from(document) })).id!;
  const deploy = (restApiId: string) => api.createDeployment({ restApiId, stageName: 'dev' });
  /** Of two APIs the documents differ in where they are reached. */
  const without = (id: string, text: string): string => text.replaceAll(id, 'the-api');

  test.each(['swagger', 'oas30'] as const)(
    'of type %s makes the same API again, and put over its API changes nothing',
    async (type) => {
      const first = await importOf(JSON.stringify(SOURCE));
      await deploy(first);
      const { text } = await exportOf(first, type, 'integrations,authorizers');

      expect(text, 'models are referred to within the document').not.toContain('apigateway.amazonaws.com/restapis');

      for (const mode of ['overwrite', 'merge'] as const) {
        const { warnings } = await api.putRestApi({ restApiId: first, mode, body: Buffer.from(text), failOnWarnings: true });
        expect(warnings ?? []).toEqual([]);
        await deploy(first);
        expect((await exportOf(first, type, 'integrations,authorizers')).text, mode).toBe(text);
      }

      const second = await importOf(text);
      await deploy(second);
      expect(without(second, (await exportOf(second, type, 'integrations,authorizers')).text)).toBe(without(first, text));
    },
  );

  test('of one version says of an API what that of the other does', async () => {
    const first = await importOf(JSON.stringify(SOURCE));
    await deploy(first);
    const second = await importOf((await exportOf(first, 'oas30', 'apigateway')).text);
    await deploy(second);
    const [ours, theirs] = [await exportOf(first, 'swagger', 'apigateway'), await exportOf(second, 'swagger', 'apigateway')];
    expect(without(second, theirs.text)).toBe(without(first, ours.text));
  });
});

describe('GET /admin/v1/apis/{id}/deployments/{deploymentId}/export', () => {
  const read = async (path: string, query: Record<string, string> = {}, by: TestTenant = tenant) =>
    by.send({ path: `/admin/v1/apis/${path}/export`, query });

  test('is any deployment, a past one too, and only to its tenant', async () => {
    const { restApiId, resourceId, deploymentId } = await deployed();
    const served = await exportOf(restApiId, 'swagger', 'apigateway');
    await api.deleteMethod({ restApiId, resourceId, httpMethod: 'PUT' });
    await api.createDeployment({ restApiId, stageName: 'dev' });
    const path = `${restApiId}/deployments/${deploymentId}`;
    const query = { type: 'swagger', extensions: 'apigateway' };
    const { status, text, headers } = await read(path, query);
    expect(status).toBe(200);
    expect(headers['content-disposition']).toMatch(/^attachment; filename="swagger_.*\.json"$/);
    expect(text).toContain('"put": {');
    expect(JSON.parse(text)).not.toHaveProperty('basePath');
    expect((await read(path, { ...query, stage: 'dev' })).text, 'as the stage had it').toBe(served.text);
    expect((await exportOf(restApiId, 'swagger')).text).not.toContain('"put": {');
    expect((await read(path, query, await house.tenant())).status).toBe(404);
  });

  test('refuses what it does not know', async () => {
    const { restApiId, deploymentId } = await deployed();
    const answer = async (path: string, query?: Record<string, string>): Promise<unknown> => {
      const { status, text } = await read(path, query);
      return [status, JSON.parse(text)];
    };
    expect(await answer(`${restApiId}/deployments/zzzzzz`)).toEqual([
      404,
      { type: 'NotFoundException', message: 'Invalid Deployment identifier specified' },
    ]);
    expect(await answer(`${restApiId}/deployments/${deploymentId}`, { stage: 'nope' })).toEqual([
      404,
      { type: 'NotFoundException', message: 'Invalid stage identifier specified' },
    ]);
    expect(await answer(`${restApiId}/deployments/${deploymentId}`, { type: 'raml' })).toEqual([
      400,
      { type: 'BadRequestException', message: "No API exporter for type 'raml'" },
    ]);
  });
});

describe('GetSdk', () => {
  test('is an archive of a client for the stage', async () => {
    const { restApiId } = await deployed();
    const sdk = await api.getSdk({ restApiId, stageName: 'dev', sdkType: 'javascript' });
    expect(sdk.contentType).toBe('application/octet-stream');
    expect(sdk.contentDisposition).toMatch(/^attachment; filename="javascript_\d{4}-\d\d-\d\d_\d\d-\d\dZ\.zip"$/);
    const files = await unzipped(Buffer.from(sdk.body!));
    expect([...files.keys()].sort()).toEqual(
      ['README.md', 'apigClient.d.ts', 'apigClient.js', 'package.json'].map((name) => `apiGateway-js-sdk/${name}`),
    );
    expect(files.get('apiGateway-js-sdk/apigClient.js')).toContain(
      `"https://${restApiId}.execute-api.us-east-1.amazonaws.com/dev"`,
    );
    expect(files.get('apiGateway-js-sdk/apigClient.d.ts')).toContain('usersPut(params: {} | undefined, body: UserModel');
    const again = await api.getSdk({ restApiId, stageName: 'dev', sdkType: 'javascript' });
    expect(Buffer.from(again.body!).equals(Buffer.from(sdk.body!))).toBe(true);
  });

  test('refuses what it does not generate, and what is not deployed', async () => {
    const { restApiId } = await deployed();
    const get = (sdkType: string, stageName = 'dev') => refusalOf(api.getSdk({ restApiId, stageName, sdkType }));
    expect(await get('java')).toBe(
      "400 BadRequestException: SDK type 'java' is not generated by this server. Types it generates: javascript",
    );
    expect(await get('cobol')).toBe("400 BadRequestException: Invalid SDK type 'cobol'");
    expect(await get('javascript', 'nope')).toBe('404 NotFoundException: Invalid stage identifier specified');
  });
});

/** The text of each file by name. */
async function unzipped(archive: Buffer): Promise<Map<string, string>> {
  const zip = await fromBufferPromise(archive);
  const files = new Map<string, string>();
  for await (const entry of zip.eachEntry()) {
    files.set(entry.fileName, (await buffer(await zip.openReadStreamPromise(entry))).toString('utf8'));
  }
  return files;
}

describe('SDK types', () => {
  test('are those of AWS, and each is found by its id', async () => {
    const { items } = await api.getSdkTypes({});
    expect(items!.map(({ id }) => id)).toEqual(['android', 'java', 'javascript', 'objectivec', 'ruby', 'swift']);
    expect(await api.getSdkType({ id: 'android' })).toMatchObject({
      friendlyName: 'Android',
      configurationProperties: [{ name: 'groupId', required: true }, {}, {}, {}],
    });
    expect(await refusalOf(api.getSdkType({ id: 'cobol' }))).toBe('404 NotFoundException: Invalid SDK type identifier specified');
  });
});
