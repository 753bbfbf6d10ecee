import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ApiGateway, decodeInput, Lambda, ProtocolError, readQuery, type OperationRequest, type ServiceModel } from './index.js';

type Given = Partial<Omit<OperationRequest, 'query' | 'body'>> & { readonly query?: string; readonly body?: unknown };

function decoded(service: ServiceModel, operation: string, given: Given): Record<string, unknown> {
  const body = given.body === undefined ? '' : typeof given.body === 'string' ? given.body : JSON.stringify(given.body);
  return decodeInput(service, service.operations[operation]!, {
    labels: given.labels ?? {},
    headers: given.headers ?? {},
    query: readQuery(given.query ?? ''),
    body: Buffer.from(body),
  });
}

/** `Type status: message` of the refusal. */
function refusal(service: ServiceModel, operation: string, given: Given): string {
  try {
    return `accepted ${JSON.stringify(decoded(service, operation, given))}`;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return `${error.type} ${error.status}: ${error.message}`;
  }
}

const v1 = ApiGateway.model;

describe('members', () => {
  test('that are unknown are ignored, and null is absent', () => {
    expect(
      decoded(v1, 'CreateRestApi', { body: { name: 'pets', description: null, colour: 'red', tags: { a: '1', b: null } } }),
    ).toEqual({
      name: 'pets',
      tags: { a: '1' },
    });
  });
  test('of a list that are null are left out', () => {
    expect(decoded(v1, 'CreateRestApi', { body: { name: 'pets', binaryMediaTypes: ['a/b', null] } })).toMatchObject({
      binaryMediaTypes: ['a/b'],
    });
  });
  test('called __proto__ stay keys of their map', () => {
    const input = decoded(v1, 'CreateRestApi', { body: '{"name":"pets","tags":{"__proto__":"x"}}' });
    expect(Object.entries(input['tags'] as object)).toEqual([['__proto__', 'x']]);
    expect(Object.getPrototypeOf(input['tags'])).toBe(Object.prototype);
  });
  test('of an absent body are absent', () => {
    expect(decoded(v1, 'UpdateAccount', {})).toEqual({});
    expect(decoded(v1, 'UpdateAccount', { body: { patchOperations: [] } })).toEqual({ patchOperations: [] });
  });
  test('of a query map are the parameters without a name of their own, the first of each', () => {
    const input = decoded(v1, 'ImportRestApi', {
      query: 'mode=import&failonwarnings=true&basepath=prepend&basepath=ignore&X-Amz-Date=now',
      body: '{}',
    });
    expect(input).toEqual({ failOnWarnings: true, parameters: { basepath: 'prepend' }, body: Buffer.from('{}') });
  });
  test('that are whole numbers lose their fraction', () => {
    expect(decoded(v1, 'CreateRestApi', { body: { name: 'pets', minimumCompressionSize: 10.9 } })).toMatchObject({
      minimumCompressionSize: 10,
    });
  });
  test('of a raw payload need no content type, and an empty one is empty bytes', () => {
    expect(decoded(v1, 'ImportRestApi', { headers: { 'content-type': 'text/yaml' }, body: 'openapi: 3' })).toEqual({
      body: Buffer.from('openapi: 3'),
    });
    expect(decoded(v1, 'ImportRestApi', {})).toEqual({ body: Buffer.alloc(0) });
    expect(decoded(Lambda.model, 'Invoke', { labels: { FunctionName: 'f' } })).toEqual({ FunctionName: 'f' });
  });
});

describe('a body of the wrong type is a SerializationException', () => {
  const number = 'class com.amazon.coral.value.json.numbers.TruncatingBigNumber';
  test.each([
    [{ name: true }, 'class java.lang.Boolean can not be converted to an String'],
    [{ name: 5 }, `${number} can not be converted to an String`],
    [{ name: {} }, 'Start of structure or map found where not expected.'],
    [{ name: [] }, 'Start of list found where not expected'],
    [{ name: 'x', minimumCompressionSize: 'many' }, 'class java.lang.String can not be converted to an Integer'],
    [{ name: 'x', disableExecuteApiEndpoint: 'true' }, 'class java.lang.String can not be converted to an Boolean'],
    [{ name: 'x', binaryMediaTypes: 'image/png' }, 'Expected list or null'],
    [{ name: 'x', endpointConfiguration: ['EDGE'] }, 'Expected map or null'],
    [{ name: 'x', tags: 'a' }, 'Expected map or null'],
    ['{"name":', 'The request body is not valid JSON'],
    ['[]', 'Expected map or null'],
    ['"pets"', 'Expected map or null'],
    ['null', 'Expected map or null'],
  ])('%j', (body, message) => {
    expect(refusal(v1, 'CreateRestApi', { body })).toBe(`SerializationException 400: ${message}`);
  });
  test('bytes that are no UTF-8', () => {
    const request = { labels: {}, headers: {}, query: [], body: Uint8Array.from([0x22, 0xff, 0x22]) };
    expect(() => decodeInput(v1, v1.operations['CreateRestApi']!, request)).toThrow('The request body is not valid JSON');
  });
  test('a query parameter', () => {
    expect(refusal(v1, 'GetRestApis', { query: 'limit=many' })).toBe(
      'SerializationException 400: class java.lang.String can not be converted to an Integer',
    );
    expect(refusal(v1, 'GetApiKey', { labels: { apiKey: 'k' }, query: 'includeValue=yes' })).toBe(
      'SerializationException 400: class java.lang.String can not be converted to an Boolean',
    );
  });
  test('a blob that is no base64', () => {
    const code = { ZipFile: '%%%' };
    expect(refusal(Lambda.model, 'UpdateFunctionCode', { labels: { FunctionName: 'f' }, body: code })).toBe(
      'SerializationException 400: A binary member must be base64',
    );
  });
});

describe('a broken constraint is a ValidationException', () => {
  const ops = '[add, remove, move, test, replace, copy]';
  test.each<[string, string, Given, string]>([
    [
      'one patch operation',
      'UpdateRestApi',
      { labels: { restApiId: 'a' }, body: { patchOperations: [{ op: 'set', path: '/name', value: 'x' }] } },
      `1 validation error detected: Value 'set' at 'updateRestApiInput.patchOperations.1.member.op' failed to satisfy constraint: Member must satisfy enum value set: ${ops}`,
    ],
    [
      'several patch operations, joined',
      'UpdateRestApi',
      { labels: { restApiId: 'a' }, body: { patchOperations: [{ op: 'set' }, { op: 'add' }, { op: 'drop' }] } },
      `2 validation errors detected: Value 'set' at 'updateRestApiInput.patchOperations.1.member.op' failed to satisfy constraint: Member must satisfy enum value set: ${ops}; ` +
        `Value 'drop' at 'updateRestApiInput.patchOperations.3.member.op' failed to satisfy constraint: Member must satisfy enum value set: ${ops}`,
    ],
    [
      'an integration type',
      'PutIntegration',
      { labels: { restApiId: 'a', resourceId: 'r', httpMethod: 'GET' }, body: { type: 'LAMBDA' } },
      "1 validation error detected: Value 'LAMBDA' at 'putIntegrationInput.type' failed to satisfy constraint: Member must satisfy enum value set: [HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]",
    ],
    [
      'a list of endpoint types',
      'CreateRestApi',
      { body: { name: 'x', endpointConfiguration: { types: ['EDGE', 'LOCAL'] } } },
      "1 validation error detected: Value '[EDGE, LOCAL]' at 'createRestApiInput.endpointConfiguration.types' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [PRIVATE, EDGE, REGIONAL]]",
    ],
    [
      'a status code in the path, by its bare name',
      'GetMethodResponse',
      { labels: { restApiId: 'a', resourceId: 'r', httpMethod: 'GET', statusCode: '20' } },
      "1 validation error detected: Value '20' at 'statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [1-5]\\d\\d",
    ],
    [
      'a missing member',
      'CreateStage',
      { labels: { restApiId: 'a' }, body: { deploymentId: 'd' } },
      "1 validation error detected: Value null at 'createStageInput.stageName' failed to satisfy constraint: Member must not be null",
    ],
  ])('%s', (_, operation, given, message) => {
    expect(refusal(v1, operation, given)).toBe(`ValidationException 400: ${message}`);
  });

  test('Lambda addresses members by their bare names', () => {
    const body = { FunctionName: 'f', Role: 'r', Code: {}, Architectures: ['mips'] };
    expect(refusal(Lambda.model, 'CreateFunction', { body })).toBe(
      "ValidationException 400: 1 validation error detected: Value '[mips]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [arm64, x86_64]]",
    );
  });
  test('an unknown Lambda runtime has an exception of its own', () => {
    const body = { FunctionName: 'f', Role: 'r', Code: {}, Runtime: 'cobol85' };
    expect(refusal(Lambda.model, 'CreateFunction', { body })).toMatch(
      /^InvalidParameterValueException 400: Value cobol85 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: \[.*\] or be a valid ARN$/,
    );
  });
});

test.each([
  ['text/plain', 'UnsupportedMediaTypeException 415'],
  ['application/x-www-form-urlencoded', 'UnsupportedMediaTypeException 415'],
  ['application/jsonp', 'UnsupportedMediaTypeException 415'],
  ['application/json', 'accepted'],
  ['application/json; charset=utf-8', 'accepted'],
  ['application/x-amz-json-1.1', 'accepted'],
  ['', 'accepted'],
])('a JSON body sent as "%s": %s', (contentType, expected) => {
  expect(refusal(v1, 'CreateRestApi', { headers: { 'content-type': contentType }, body: { name: 'x' } })).toMatch(
    new RegExp(`^${expected}`),
  );
});

test('any JSON is decoded or refused, never thrown at', () => {
  const operations = ['CreateRestApi', 'CreateUsagePlan', 'UpdateStage', 'PutIntegration', 'CreateDeployment'];
  fc.assert(
    fc.property(
      fc.constantFrom(...operations),
      fc.json({ maxDepth: 4 }),
      fc.string({ unit: 'binary' }),
      (operation, json, bytes) => {
        const labels = { restApiId: 'a', resourceId: 'r', httpMethod: 'GET', stageName: 's' };
        for (const body of [json, bytes, `{"patchOperations":${json},"tags":${json},"throttle":${json},"name":"x"}`]) {
          expect(refusal(v1, operation, { labels, body })).toMatch(/^(accepted|SerializationException|ValidationException)/);
        }
      },
    ),
  );
});
