/** The files in `testdata/export` are whole documents; `npx vitest run export-document --update` writes them anew. */
import { describe, expect, test } from 'vitest';
import type { DocumentationPart, DocumentationVersion } from '../api-parts/documentation.js';
import { freezeDefinition } from '../deployments/definition.js';
import type { RestApiDefinition } from '../deployments/deployment.js';
import type { Method, Resource } from '../rest-apis/rest-api.js';
import { exportOpenApi, exportVersion } from './export-document.js';
import type { JsonObject } from './export-json.js';
import { readExportExtensions, readExportType, type ExportType } from './export-options.js';
import { documentText } from './export-text.js';
import { SAMPLE_PARTS, SAMPLE_RESOURCES, sampleDefinition, sampleMethod } from './samples.js';

const part = (location: Partial<DocumentationPart['location']>, properties: object): DocumentationVersion['parts'][number] => ({
  location: { type: 'API', path: null, method: null, statusCode: null, name: null, ...location },
  properties: JSON.stringify(properties),
});
const documentation: DocumentationVersion = {
  apiId: 'api1234567',
  id: 'v7',
  description: null,
  createdAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  parts: [
    part(
      {},
      { info: { description: 'From the parts', version: 'not this', 'x-team': 'zoo' }, 'x-status': 'beta', foo: 'only listed' },
    ),
    part({ type: 'METHOD' }, { summary: 'any method' }),
    part(
      { type: 'METHOD', path: '/pets', method: 'GET' },
      { summary: 'All pets', tags: ['pets'], 'x-amazon-apigateway-other': 1 },
    ),
    part({ type: 'QUERY_PARAMETER', path: '/pets', method: 'GET', name: 'page' }, { description: 'from 1' }),
    part({ type: 'RESPONSE', path: '/pets', statusCode: '200' }, { description: 'pets' }),
    part(
      { type: 'RESPONSE_HEADER', path: '/pets', method: 'GET', statusCode: '200', name: 'X-Count' },
      { description: 'how many' },
    ),
    part({ type: 'REQUEST_BODY', path: '/pets' }, { description: 'a pet' }),
    part({ type: 'RESOURCE', path: '/pets/{petId}' }, { description: 'not in OpenAPI', 'x-kind': 'item' }),
    part({ type: 'MODEL', name: 'Pet' }, { title: 'Pet' }),
    part({ type: 'AUTHORIZER', name: 'door' }, { description: 'the door' }),
  ],
};

const exported = (type: ExportType, extensions?: string, definition: RestApiDefinition = sampleDefinition()): JsonObject =>
  exportOpenApi({ definition, stageName: 'prod', documentation: null }, type, readExportExtensions(extensions));

describe('whole documents', () => {
  test.each([
    ['swagger', '', null],
    ['oas30', '', null],
    ['swagger', 'integrations,authorizers', null],
    ['oas30', 'apigateway', null],
    ['swagger', 'documentation', documentation],
    ['oas30', 'documentation', documentation],
  ] as const)('%s with "%s"', async (type, extensions, version) => {
    const source = { definition: sampleDefinition(), stageName: 'prod', documentation: version };
    const text = documentText(exportOpenApi(source, type, readExportExtensions(extensions)), 'json');
    await expect(`${text}\n`).toMatchFileSnapshot(`testdata/export/${type}-${extensions.split(',')[0] || 'plain'}.json`);
  });

  test('YAML', async () => {
    await expect(documentText(exported('oas30', 'apigateway'), 'yaml')).toMatchFileSnapshot(
      'testdata/export/oas30-apigateway.yaml',
    );
  });
});

describe('extensions', () => {
  const extensionsIn = (document: JsonObject): string[] =>
    [...new Set(JSON.stringify(document).match(/x-amazon-apigateway-[a-z-]+/g) ?? [])].sort();

  test('none: nothing but the standard, not even in a name', () => {
    expect(extensionsIn(exported('swagger'))).toEqual(['x-amazon-apigateway-any-method']);
    expect(extensionsIn(exported('oas30', 'postman, nonsense'))).toEqual(['x-amazon-apigateway-any-method']);
  });

  test('authorizers and integrations come apart, and apigateway is both', () => {
    const authorizers = extensionsIn(exported('oas30', 'authorizers'));
    expect(authorizers).toContain('x-amazon-apigateway-authorizer');
    expect(authorizers).not.toContain('x-amazon-apigateway-integration');
    const integrations = extensionsIn(exported('oas30', 'integrations'));
    expect(integrations).toContain('x-amazon-apigateway-integration');
    expect(integrations).not.toContain('x-amazon-apigateway-authorizer');
    expect(exported('oas30', 'apigateway')).toEqual(exported('oas30', ' Integrations , authorizers'));
  });

  test('validators alone', () => {
    expect(extensionsIn(exported('swagger', 'validators')).filter((name) => name.includes('valid'))).toHaveLength(2);
    expect(extensionsIn(exported('swagger', 'validators'))).not.toContain('x-amazon-apigateway-policy');
  });

  test('documentation without a version on the stage is none', () => {
    expect(extensionsIn(exported('swagger', 'documentation'))).toEqual(['x-amazon-apigateway-any-method']);
  });
});

describe('documents', () => {
  const one = (method: Method, parts = SAMPLE_PARTS): JsonObject => {
    const definition = freezeDefinition(sampleDefinition().api, SAMPLE_RESOURCES, [method], parts);
    return exported('oas30', 'apigateway', definition);
  };
  const operationOf = (document: JsonObject, path: string, verb: string): JsonObject =>
    ((document['paths'] as JsonObject)[path] as JsonObject)[verb] as JsonObject;

  test('are equal for equal APIs, whatever the order their maps were filled in', () => {
    const parameters = { 'method.request.querystring.a': true, 'method.request.querystring.b': false };
    const reversed = Object.fromEntries(Object.entries(parameters).reverse());
    const document = (requestParameters: Method['requestParameters']): string =>
      JSON.stringify(one(sampleMethod('pets12', 'GET', { requestParameters })));
    expect(document(reversed)).toBe(document(parameters));
  });

  test('name the day the API was made when it has no version', () => {
    const { api } = sampleDefinition({ version: null, createdAtMs: Date.UTC(2026, 10, 21, 9, 8, 7, 6) });
    expect(exportVersion(api)).toBe('2026-11-21T09:08:07Z');
  });

  test('of a deployment by itself name no base path', () => {
    const source = { definition: sampleDefinition(), stageName: null, documentation: null };
    expect(exportOpenApi(source, 'swagger', readExportExtensions('')).basePath).toBeUndefined();
    expect(exportOpenApi(source, 'oas30', readExportExtensions(''))['servers']).toEqual([
      { url: 'https://api1234567.execute-api.us-east-1.amazonaws.com' },
    ]);
  });

  test('of definitions frozen before APIs had parts are written too', () => {
    const { formatVersion, api, resources, methods } = sampleDefinition();
    expect(exported('oas30', '', { formatVersion, api, resources, methods })['components']).toMatchObject({
      securitySchemes: { api_key: { name: 'x-api-key' } },
    });
  });

  test('tell the schemes of AWS from authorizers that have their names', () => {
    const [door] = SAMPLE_PARTS.authorizers;
    const parts = {
      ...SAMPLE_PARTS,
      authorizers: [
        { ...door!, name: 'api_key' },
        { ...door!, id: 'second', name: 'sigv4' },
      ],
    };
    const document = one(
      sampleMethod('pets12', 'GET', { authorizationType: 'CUSTOM', authorizerId: 'token1', apiKeyRequired: true }),
      parts,
    );
    expect(operationOf(document, '/pets', 'get')['security']).toEqual([{ api_key: [] }, { api_key_: [] }]);
    expect(Object.keys((document['components'] as JsonObject)['securitySchemes'] as JsonObject)).toEqual([
      'api_key',
      'api_key_',
      'sigv4',
    ]);
  });

  test.each(['NONE', 'AWS_IAM'])('name no authorizer that a method of type %s no longer uses', (authorizationType) => {
    const document = one(sampleMethod('pets12', 'GET', { authorizationType, authorizerId: 'token1' }));
    expect(JSON.stringify(operationOf(document, '/pets', 'get')['security'] ?? [])).not.toContain('door');
  });

  test('keep the names of tenants apart from those of JavaScript', () => {
    const requestParameters = { 'method.request.querystring.__proto__': true };
    const schema = '{"type":"object","properties":{"__proto__":{"type":"string"},"constructor":{"type":"string"}}}';
    const parts = { ...SAMPLE_PARTS, models: [{ ...SAMPLE_PARTS.models[0]!, schema }] };
    const document = one(sampleMethod('pets12', 'GET', { requestParameters }), parts);
    expect(operationOf(document, '/pets', 'get')['parameters']).toMatchObject([{ name: '__proto__' }]);
    expect(documentText(document, 'json')).toContain('"__proto__": {');
  });

  test('give validators whose names are not their own another one', () => {
    const [all] = SAMPLE_PARTS.requestValidators;
    const parts = { ...SAMPLE_PARTS, requestValidators: [all!, { ...all!, id: 'valid9', validateRequestBody: false }] };
    const document = one(sampleMethod('pets12', 'GET', { requestValidatorId: 'valid9' }), parts);
    expect(operationOf(document, '/pets', 'get')['x-amazon-apigateway-request-validator']).toBe('valid9');
    expect(Object.keys(document['x-amazon-apigateway-request-validators'] as JsonObject)).toEqual(['all', 'valid9']);
  });

  test('of a private API say so beside its VPC endpoints', () => {
    const endpointConfiguration = { types: ['PRIVATE'], ipAddressType: 'dualstack', vpcEndpointIds: ['vpce-1'] };
    const definition = sampleDefinition({ endpointConfiguration, disableExecuteApiEndpoint: false });
    const expected = { types: ['PRIVATE'], vpcEndpointIds: ['vpce-1'] };
    expect(exported('swagger', 'integrations', definition)['x-amazon-apigateway-endpoint-configuration']).toEqual(expected);
    expect(exported('oas30', 'integrations', definition)['servers']).toMatchObject([
      { 'x-amazon-apigateway-endpoint-configuration': expected },
    ]);
  });

  test('are written whatever was nested in a stored text', () => {
    const deep = `{"description":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`;
    const parts = { ...SAMPLE_PARTS, models: [{ ...SAMPLE_PARTS.models[0]!, schema: deep }] };
    const definition = freezeDefinition(sampleDefinition().api, SAMPLE_RESOURCES, [sampleMethod('pets12', 'GET')], parts);
    const location = part({ type: 'METHOD' }, {}).location;
    const version = { ...documentation, parts: [{ location, properties: deep }] };
    const source = { definition, stageName: 'prod', documentation: version };
    const document = exportOpenApi(source, 'oas30', readExportExtensions('documentation'));
    expect(document['components']).toMatchObject({ schemas: { Pet: {} } });
    expect(documentText(document, 'yaml')).toContain('properties: "{');
  });

  test('list resources that have methods or lead nowhere', () => {
    const tree: Resource[] = [...SAMPLE_RESOURCES];
    const document = exported(
      'oas30',
      '',
      freezeDefinition(sampleDefinition().api, tree, [sampleMethod('pet123', 'GET')], SAMPLE_PARTS),
    );
    expect(Object.keys(document['paths'] as JsonObject)).toEqual(['/deep/{proxy+}', '/empty', '/pets/{petId}']);
  });
});

test('the closest documentation speaks for an entity', () => {
  const about = (path: string, verb: string, ...parts: DocumentationVersion['parts'][number][]): unknown => {
    const source = { definition: sampleDefinition(), stageName: 'prod', documentation: { ...documentation, parts } };
    const paths = exportOpenApi(source, 'oas30', readExportExtensions('')).paths as JsonObject;
    return ((paths[path] as JsonObject)[verb] as JsonObject)['summary'];
  };
  const everywhere = part({ type: 'METHOD' }, { summary: 'everywhere' });
  const get = part({ type: 'METHOD', method: 'GET' }, { summary: 'every GET' });
  const pets = part({ type: 'METHOD', path: '/pets' }, { summary: 'pets' });
  const getPets = part({ type: 'METHOD', path: '/pets', method: 'GET' }, { summary: 'GET pets' });
  expect(about('/pets', 'post', everywhere, get)).toBe('everywhere');
  expect(about('/pets', 'get', get, everywhere)).toBe('every GET');
  expect(about('/pets', 'get', get, pets)).toBe('pets');
  expect(about('/pets/{petId}', 'get', pets, getPets)).toBe('GET pets');
  expect(about('/pets/{petId}', 'delete', pets, getPets)).toBe('pets');
  expect(about('/deep/{proxy+}', 'x-amazon-apigateway-any-method', pets)).toBeUndefined();
});

test('what nothing writes is refused', () => {
  expect(() => readExportType('raml')).toThrow("No API exporter for type 'raml'");
  expect([readExportType('swagger'), readExportType('oas30')]).toEqual(['swagger', 'oas30']);
});
