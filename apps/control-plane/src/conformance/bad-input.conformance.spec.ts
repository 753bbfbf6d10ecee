/** Requests no AWS client sends: each gets the modelled error, and nothing of it is written. */
import {
  createMockApi,
  startControlPlaneHouse,
  type ControlPlaneHouse,
  type RawRequest,
  type TestTenant,
} from '@gatehouse/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let tenant: TestTenant;
let restApiId: string;
let methodPath: string;
let before: Readonly<Record<string, number>>;
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
  tenant = await house.tenant();
  const { key } = await createMockApi(tenant.apiGateway);
  restApiId = key.restApiId;
  methodPath = `/restapis/${restApiId}/resources/${key.resourceId}/methods`;
});
beforeEach(async () => {
  before = await house.rowCounts();
});
afterEach(async () => {
  expect(await house.rowCounts()).toEqual(before);
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

const JSON_HEADERS = { 'content-type': 'application/json' };
const post = (path: string, body: string | Buffer, headers: Readonly<Record<string, string>> = JSON_HEADERS): RawRequest => ({
  method: 'POST',
  path,
  body,
  headers,
});
const put = (path: string, body: string): RawRequest => ({ ...post(path, body), method: 'PUT' });
const patch = (path: string, body: string): RawRequest => ({ ...post(path, body), method: 'PATCH' });

/** `400 SerializationException: text`, from the wire alone. */
async function refusal(request: RawRequest): Promise<string> {
  const { status, headers, text } = await tenant.send(request);
  expect(headers['x-amzn-requestid']).toMatch(/^[0-9a-f-]{36}$/);
  if (status < 400) return `${status} ${text}`;
  expect(headers['content-type']).toBe('application/json');
  const { message, Message = message } = JSON.parse(text) as { message?: string; Message?: string };
  return `${status} ${headers['x-amzn-errortype']}: ${Message}`;
}

const notJson = '400 SerializationException: The request body is not valid JSON';
const noConversion = (from: string, to: string): string =>
  `400 SerializationException: class ${from} can not be converted to an ${to}`;
const NUMBER = 'com.amazon.coral.value.json.numbers.TruncatingBigNumber';
const missing = (path: string): string =>
  `400 ValidationException: 1 validation error detected: Value null at '${path}' failed to satisfy constraint: Member must not be null`;

describe('bodies', () => {
  for (const [name, request, expected] of [
    ['JSON cut short', () => post('/restapis', '{"name":"a"'), notJson],
    ['no JSON at all', () => post('/restapis', 'name=a'), notJson],
    ['two documents', () => post('/restapis', '{"name":"a"}{"name":"b"}'), notJson],
    ['bytes that are no UTF-8', () => post('/restapis', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])), notJson],
    ['a NUL byte after the document', () => post('/restapis', '{"name":"a"}\0'), notJson],
    ['a list for a structure', () => post('/restapis', '[]'), '400 SerializationException: Expected map or null'],
    ['text for a structure', () => post('/restapis', '"name"'), '400 SerializationException: Expected map or null'],
    ['null for a structure', () => post('/restapis', 'null'), '400 SerializationException: Expected map or null'],
    ['nothing', () => post('/restapis', ''), missing('createRestApiInput.name')],
    ['null for a required member', () => post('/restapis', '{"name":null}'), missing('createRestApiInput.name')],
    [
      'only members nobody knows',
      () => post('/restapis', '{"nmae":"a","__proto__":{"name":"b"},"constructor":"c"}'),
      missing('createRestApiInput.name'),
    ],
    ['a boolean for text', () => post('/restapis', '{"name":true}'), noConversion('java.lang.Boolean', 'String')],
    ['a number for text', () => post('/restapis', '{"name":1}'), noConversion(NUMBER, 'String')],
    [
      'a list for text',
      () => post('/restapis', '{"name":["a"]}'),
      '400 SerializationException: Start of list found where not expected',
    ],
    [
      'a structure for text',
      () => post('/restapis', '{"name":{}}'),
      '400 SerializationException: Start of structure or map found where not expected.',
    ],
    [
      'text for a whole number',
      () => post('/restapis', '{"name":"a","minimumCompressionSize":"1"}'),
      noConversion('java.lang.String', 'Integer'),
    ],
    [
      'a number too large for a whole one',
      () => post('/restapis', '{"name":"a","minimumCompressionSize":1e300}'),
      noConversion(NUMBER, 'Integer'),
    ],
    [
      'text for a boolean',
      () => post('/restapis', '{"name":"a","disableExecuteApiEndpoint":"true"}'),
      noConversion('java.lang.String', 'Boolean'),
    ],
    [
      'a number for a boolean',
      () => post('/restapis', '{"name":"a","disableExecuteApiEndpoint":1}'),
      noConversion(NUMBER, 'Boolean'),
    ],
    [
      'text for a number',
      () => post('/usageplans', '{"name":"a","throttle":{"rateLimit":"1"}}'),
      noConversion('java.lang.String', 'Double'),
    ],
    [
      'text for a list',
      () => post('/restapis', '{"name":"a","binaryMediaTypes":"a/b"}'),
      '400 SerializationException: Expected list or null',
    ],
    [
      'a number in a list of text',
      () => post('/restapis', '{"name":"a","binaryMediaTypes":["a/b",1]}'),
      noConversion(NUMBER, 'String'),
    ],
    [
      'a list for a map',
      () => post('/restapis', '{"name":"a","tags":["a"]}'),
      '400 SerializationException: Expected map or null',
    ],
    ['a number in a map of text', () => post('/restapis', '{"name":"a","tags":{"a":1}}'), noConversion(NUMBER, 'String')],
    [
      'text in a map of booleans',
      () => put(`${methodPath}/PUT`, '{"authorizationType":"NONE","requestParameters":{"method.request.header.X":"true"}}'),
      noConversion('java.lang.String', 'Boolean'),
    ],
    [
      'text for patch operations',
      () => patch(`/restapis/${restApiId}`, '{"patchOperations":"replace"}'),
      '400 SerializationException: Expected list or null',
    ],
    [
      'a number as a patch value',
      () => patch(`/restapis/${restApiId}`, '{"patchOperations":[{"op":"replace","path":"/name","value":1}]}'),
      noConversion(NUMBER, 'String'),
    ],
    [
      'several wrong enums, all named at once',
      () => patch(`/restapis/${restApiId}`, '{"patchOperations":[{"op":"set"},{"op":"unset"}]}'),
      "400 ValidationException: 2 validation errors detected: Value 'set' at 'updateRestApiInput.patchOperations.1.member.op' failed to satisfy constraint: " +
        "Member must satisfy enum value set: [add, remove, move, test, replace, copy]; Value 'unset' at 'updateRestApiInput.patchOperations.2.member.op' " +
        'failed to satisfy constraint: Member must satisfy enum value set: [add, remove, move, test, replace, copy]',
    ],
    [
      'another content type',
      () => post('/restapis', '<name>a</name>', { 'content-type': 'text/xml' }),
      "415 UnsupportedMediaTypeException: The body of CreateRestApi must be application/json, not 'text/xml'",
    ],
    [
      'a form',
      () => post('/restapis', 'name=a', { 'content-type': 'application/x-www-form-urlencoded' }),
      "415 UnsupportedMediaTypeException: The body of CreateRestApi must be application/json, not 'application/x-www-form-urlencoded'",
    ],
    [
      'more patch operations than one update may hold the process for',
      () =>
        patch(
          `/restapis/${restApiId}`,
          JSON.stringify({
            patchOperations: Array.from({ length: 50_000 }, (_, index) => ({ op: 'add', path: `/binaryMediaTypes/a~1${index}` })),
          }),
        ),
      '400 BadRequestException: At most 1000 patch operations can be made at once, got 50000',
    ],
    [
      'a tag whose name the store would lose',
      () =>
        put(`/tags/${encodeURIComponent(`arn:aws:apigateway:us-east-1::/restapis/${restApiId}`)}`, '{"tags":{"__proto__":"x"}}'),
      '400 BadRequestException: Invalid tag key "__proto__": this name cannot be stored',
    ],
    [
      'a stage variable whose name the store would lose',
      () => post(`/restapis/${restApiId}/deployments`, '{"stageName":"dev","variables":{"__proto__":"x"}}'),
      '400 BadRequestException: Invalid stage variable name "__proto__": this name cannot be stored',
    ],
    [
      'structures nested very deeply',
      () => post('/restapis', `${'{"name":'.repeat(50_000)}1${'}'.repeat(50_000)}`),
      '400 SerializationException: Start of structure or map found where not expected.',
    ],
    [
      'one byte more than 10 MB',
      () => post('/restapis', Buffer.alloc(10 * 1024 * 1024 + 1, ' ')),
      '413 RequestEntityTooLargeException: Request must be smaller than 10485760 bytes for the CreateRestApi operation',
    ],
  ] satisfies [string, () => RawRequest, string][]) {
    test(name, async () => {
      expect(await refusal(request())).toBe(expected);
    });
  }

  test('10 MB exactly are read', async () => {
    expect(await refusal(post('/restapis', Buffer.alloc(10 * 1024 * 1024, ' ')))).toBe(notJson);
  });
});

describe('paths and queries', () => {
  for (const [name, request, expected] of [
    [
      'a path nobody answers',
      { path: '/nothing' },
      '404 UnknownOperationException: No operation answers to this method and path.',
    ],
    [
      'a verb nobody answers',
      { path: '/restapis', method: 'DELETE' },
      '404 UnknownOperationException: No operation answers to this method and path.',
    ],
    [
      'an id with an encoded slash',
      { path: '/restapis/a%2Fb' },
      '404 NotFoundException: Invalid API identifier specified 111111111111:a/b',
    ],
    [
      'an id that is a path upwards',
      { path: '/restapis/..%2F..%2Fapikeys' },
      '404 NotFoundException: Invalid API identifier specified 111111111111:../../apikeys',
    ],
    [
      'an id with a NUL byte',
      { path: '/restapis/a%00b' },
      '404 NotFoundException: Invalid API identifier specified 111111111111:a\0b',
    ],
    [
      'an id of SQL',
      { path: `/restapis/${encodeURIComponent("' OR '1'='1")}` },
      "404 NotFoundException: Invalid API identifier specified 111111111111:' OR '1'='1",
    ],
    ['an id that is no UTF-8', { path: '/restapis/%ff%fe' }, /^40[04] /],
    ['a percent sign without digits', { path: '/restapis/%zz' }, /^40[04] /],
    [
      'an ARN that names nothing',
      { path: '/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fnothing%2Fx' },
      '400 BadRequestException: Invalid ARN specified in the request',
    ],
    [
      'an ARN with a NUL byte',
      { path: '/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fapikeys%2Fx%00' },
      '404 NotFoundException: Invalid API Key identifier specified',
    ],
    [
      'a status code that is none',
      { path: '/restapis/x/resources/y/methods/GET/responses/2000' },
      /^400 ValidationException: 1 validation error detected: Value '2000' at 'statusCode'/,
    ],
    [
      'text for a number in the query',
      { path: '/restapis', query: { limit: 'many' } },
      noConversion('java.lang.String', 'Integer'),
    ],
    [
      'text for a boolean in the query',
      { path: '/apikeys', query: { includeValues: 'yes' } },
      noConversion('java.lang.String', 'Boolean'),
    ],
  ] satisfies [string, RawRequest, string | RegExp][]) {
    test(name, async () => {
      const text = await refusal(request);
      if (typeof expected === 'string') expect(text).toBe(expected);
      else expect(text).toMatch(expected);
    });
  }

  test('doubled slashes count as one, as in the signature', async () => {
    for (const path of ['//restapis', `//restapis//${restApiId}`, `/restapis/${restApiId}/`, `/restapis/./${restApiId}`]) {
      expect(await refusal({ path })).toMatch(/^200 /);
    }
  });

  test('positions that no answer ever gave are no error, and leak nothing', async () => {
    for (const position of ['', 'x', '\0', "'", '9'.repeat(300), '💥', '-1', 'null']) {
      for (const path of [
        '/restapis',
        '/apikeys',
        '/usageplans',
        `/restapis/${restApiId}/resources`,
        `/restapis/${restApiId}/deployments`,
      ]) {
        expect(await refusal({ path, query: { position } })).toMatch(/^(200|400 BadRequestException:) /);
      }
    }
  });

  test('limits out of bounds are moved into them', async () => {
    for (const limit of ['0', '-5', '100000', '1.5'])
      expect(await refusal({ path: '/restapis', query: { limit } })).toMatch(/^200 /);
  });
});

describe('text that a database or a regular expression may choke on', () => {
  for (const [name, text] of [
    ['a NUL character', 'a\0b'],
    ['what may look like an escape of one', 'a\\u0000\\0b'],
    ['a lone surrogate', '\ud800'],
    ['emoji', '💥'],
    ['SQL', `'; DROP TABLE rest_apis; --`],
    ['a template', '${jndi:x}{{7*7}}%s'],
  ] as const) {
    test(`${name} is read back as it was written, or refused`, async () => {
      const body = { name: text, description: text, binaryMediaTypes: [text], tags: { [text]: text } };
      const { status, text: answer } = await tenant.send(post('/restapis', JSON.stringify(body)));
      expect([201, 400]).toContain(status);
      if (status === 400) return;
      const created = JSON.parse(answer) as { id: string };
      expect(JSON.parse((await tenant.send({ path: `/restapis/${created.id}` })).text)).toMatchObject(body);
      await tenant.apiGateway.deleteRestApi({ restApiId: created.id });
    });
  }
  test('a selection pattern that would run for ever is bounded or refused, at once', async () => {
    const startedAt = performance.now();
    await refusal(put(`${methodPath}/GET/integration/responses/200`, JSON.stringify({ selectionPattern: '(a+)+$' })));
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});

describe('signatures', () => {
  const path = '/restapis';
  const wrong =
    '403 InvalidSignatureException: The request signature we calculated does not match the signature you provided. ' +
    'Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';
  const minutes = (count: number): Date => new Date(Date.now() + count * 60_000);

  for (const [name, signature, expected] of [
    ['none', null, '403 MissingAuthenticationTokenException: Missing Authentication Token'],
    [
      'an unknown key',
      { credentials: { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'x' } },
      '403 UnrecognizedClientException: The security token included in the request is invalid.',
    ],
    [
      'another service',
      { service: 'lambda' },
      "403 InvalidSignatureException: Credential should be scoped to correct service: 'apigateway'.",
    ],
    [
      'a region that is none',
      { region: 'x"y-1' },
      `403 InvalidSignatureException: Credential should be scoped to a valid region, not 'x"y-1'.`,
    ],
    [
      'a time past',
      { date: minutes(-6) },
      /^403 InvalidSignatureException: Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)$/,
    ],
    [
      'a time to come',
      { date: minutes(6) },
      /^403 InvalidSignatureException: Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 5 min\.\)$/,
    ],
  ] satisfies [string, RawRequest['signature'], string | RegExp][]) {
    test(name, async () => {
      const text = await refusal({ ...post(path, '{"name":"a"}'), signature });
      if (typeof expected === 'string') expect(text).toBe(expected);
      else expect(text).toMatch(expected);
    });
  }

  test('the secret of another', async () => {
    const { accessKeyId } = tenant.credentials;
    expect(
      await refusal({ ...post(path, '{"name":"a"}'), signature: { credentials: { accessKeyId, secretAccessKey: 'guessed' } } }),
    ).toBe(wrong);
  });

  test('a disabled key', async () => {
    const other = await house.tenant();
    await house.query('UPDATE credentials SET enabled = false WHERE access_key_id = $1', [other.credentials.accessKeyId]);
    before = await house.rowCounts();
    expect(await refusal({ path, signature: { credentials: other.credentials } })).toBe(
      '403 UnrecognizedClientException: The security token included in the request is invalid.',
    );
  });

  test('any region of the right form is taken', async () => {
    expect(await refusal({ path, signature: { region: 'eu-central-7' } })).toMatch(/^200 /);
  });

  for (const [name, authorization] of [
    ['empty', ''],
    ['of another scheme', 'Basic dXNlcjpwYXNz'],
    ['without parts', 'AWS4-HMAC-SHA256'],
    ['with a broken credential', 'AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00'],
    ['very long', `AWS4-HMAC-SHA256 ${'a=b,'.repeat(3_000)}`],
  ] as const) {
    test(`an Authorization header ${name}`, async () => {
      expect(
        await refusal({ ...post(path, '{"name":"a"}'), headers: { ...JSON_HEADERS, authorization }, signature: null }),
      ).toMatch(/^(400|403) (IncompleteSignature|MissingAuthenticationToken|InvalidSignature|UnrecognizedClient)\w*: /);
    });
  }

  test('an unsigned caller learns nothing about sizes, shapes or paths', async () => {
    for (const request of [post(path, '{'), { path: '/nothing' }, { path: `/restapis/${restApiId}` }]) {
      expect(await refusal({ ...request, signature: null })).toBe(
        '403 MissingAuthenticationTokenException: Missing Authentication Token',
      );
    }
  });
});
