import { canonicalJson } from '@gatehouse/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Integration, Method } from '../rest-apis/rest-api.js';
import { sampleRestApi } from '../rest-apis/samples.js';
import { draftDefinition } from './definition.js';
import type { DeployedParts, RestApiDefinition } from './deployment.js';
import { diffDefinitions, unitsOf, type Json } from './diff.js';

const apiId = 'abcdefghij';
const mock: Integration = {
  type: 'MOCK',
  httpMethod: null,
  uri: null,
  connectionType: null,
  connectionId: null,
  credentials: null,
  requestParameters: null,
  requestTemplates: null,
  passthroughBehavior: 'WHEN_NO_MATCH',
  contentHandling: null,
  timeoutInMillis: 29_000,
  cacheNamespace: 'pets01',
  cacheKeyParameters: [],
  tlsConfig: null,
  responseTransferMode: null,
  integrationTarget: null,
  integrationResponses: {},
};
const method = (about: Partial<Method> = {}): Method => ({
  apiId,
  resourceId: 'pets01',
  httpMethod: 'GET',
  authorizationType: 'NONE',
  authorizerId: null,
  authorizationScopes: [],
  apiKeyRequired: false,
  operationName: null,
  requestValidatorId: null,
  requestParameters: null,
  requestModels: null,
  methodResponses: {},
  integration: mock,
  ...about,
});
const authorizer = (id: string, name: string) => ({
  apiId,
  id,
  name,
  type: 'TOKEN' as const,
  providerARNs: [],
  authType: null,
  authorizerUri: 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/f/invocations',
  authorizerCredentials: null,
  identitySource: 'method.request.header.Authorization',
  identityValidationExpression: null,
  authorizerResultTtlInSeconds: null,
});
const NO_PARTS: DeployedParts = { models: [], requestValidators: [], authorizers: [], gatewayResponses: [] };

interface Content {
  readonly about?: Parameters<typeof sampleRestApi>[0];
  readonly paths?: Readonly<Record<string, string>>;
  readonly methods?: readonly Method[];
  readonly parts?: Partial<DeployedParts>;
}
function definition({ about = {}, paths = { root01: '/', pets01: '/pets' }, methods = [method()], parts = {} }: Content = {}) {
  const resources = Object.entries(paths).map(([id, path]) => ({ apiId, id, parentId: null, pathPart: null, path }));
  return draftDefinition(sampleRestApi({ id: apiId, ...about }), resources, methods, { ...NO_PARTS, ...parts });
}

const INTEGRATION = { resourcePath: '/pets', httpMethod: 'GET', concerns: [] };

describe('a change is named by its path, with what was and what is', () => {
  test.each([
    [
      'a setting of the API',
      { about: { policy: '{"Statement":[]}' } },
      [
        {
          path: 'api.policy',
          kind: 'added',
          resourcePath: null,
          httpMethod: null,
          part: 'policy',
          before: null,
          after: '{"Statement":[]}',
          concerns: ['policy'],
        },
      ],
    ],
    [
      'a value deep in a method',
      { methods: [method({ integration: { ...mock, timeoutInMillis: 50, requestTemplates: { 'application/json': '{}' } } })] },
      [
        {
          ...INTEGRATION,
          path: '/pets GET integration.requestTemplates',
          part: 'integration.requestTemplates',
          kind: 'added',
          before: null,
          after: { 'application/json': '{}' },
        },
        {
          ...INTEGRATION,
          path: '/pets GET integration.timeoutInMillis',
          part: 'integration.timeoutInMillis',
          kind: 'changed',
          before: 29_000,
          after: 50,
        },
      ],
    ],
    [
      'the lock of a method',
      {
        methods: [method({ authorizationType: 'CUSTOM', authorizerId: 'auth01', apiKeyRequired: true })],
        parts: { authorizers: [authorizer('auth01', 'users')] },
      },
      [
        expect.objectContaining({ path: '/pets GET apiKeyRequired', before: false, after: true, concerns: ['keys'] }),
        expect.objectContaining({ path: '/pets GET authorizationType', concerns: ['authorization'] }),
        expect.objectContaining({ path: '/pets GET authorizer', kind: 'added', after: 'users', concerns: ['authorization'] }),
        expect.objectContaining({ path: 'authorizers.users', kind: 'added', concerns: ['authorization'] }),
      ],
    ],
    [
      'a whole method, and the headers of CORS wherever they stand',
      {
        methods: [
          method({
            methodResponses: {
              200: {
                statusCode: '200',
                responseParameters: { 'method.response.header.Access-Control-Allow-Origin': false },
                responseModels: null,
              },
            },
          }),
          method({ httpMethod: 'OPTIONS' }),
        ],
      },
      [
        expect.objectContaining({ path: '/pets GET methodResponses["200"]', kind: 'added', concerns: ['cors'] }),
        expect.objectContaining({ path: '/pets OPTIONS', kind: 'added', part: null, concerns: ['authorization', 'cors'] }),
      ],
    ],
    [
      'what is gone',
      { paths: { root01: '/' }, methods: [] },
      [
        expect.objectContaining({ path: '/pets', kind: 'removed', before: {}, after: null, concerns: [] }),
        expect.objectContaining({ path: '/pets GET', kind: 'removed', after: null, concerns: ['authorization'] }),
      ],
    ],
  ] as [string, Content, object[]][])('%s', (_name, content, changes) => {
    expect(diffDefinitions(definition(), definition(content))).toEqual(changes);
  });
});

test('nothing differs between an API and the same one under other ids, with other tags', () => {
  const at = (root: string, pets: string, auth: string) =>
    definition({
      about: { id: root, rootResourceId: root, createdAtMs: root.length, region: root, tags: { root } },
      paths: { [root]: '/', [pets]: '/pets' },
      methods: [method({ resourceId: pets, authorizerId: auth, integration: { ...mock, cacheNamespace: pets } })],
      parts: { authorizers: [authorizer(auth, 'users'), authorizer(`${auth}2`, 'robots')] },
    });
  expect(diffDefinitions(at('a', 'b', 'c'), at('root', 'pets', 'auth'))).toEqual([]);
});

test('an empty template is another thing than none, and members that are not given are left out', () => {
  const templates = (requestTemplates: Integration['requestTemplates']) =>
    definition({ methods: [method({ integration: { ...mock, requestTemplates } })] });
  expect(diffDefinitions(templates({}), templates({ 'application/json': null }))).toEqual([
    expect.objectContaining({
      path: '/pets GET integration.requestTemplates["application/json"]',
      kind: 'added',
      before: null,
      after: '',
    }),
  ]);
  const [added] = diffDefinitions(definition({ methods: [] }), definition());
  expect(added!.after).toEqual({
    authorizationType: 'NONE',
    authorizationScopes: [],
    apiKeyRequired: false,
    methodResponses: {},
    integration: {
      type: 'MOCK',
      passthroughBehavior: 'WHEN_NO_MATCH',
      timeoutInMillis: 29_000,
      cacheKeyParameters: [],
      integrationResponses: {},
    },
  });
});

test('authorizers of one name are told apart by their ids', () => {
  const two = definition({ parts: { authorizers: [authorizer('a', 'users'), { ...authorizer('b', 'users'), authType: 'x' }] } });
  const one = definition({ parts: { authorizers: [authorizer('a', 'users')] } });
  expect(diffDefinitions(two, one).map(({ path, kind }) => [path, kind])).toEqual([
    ['authorizers.users', 'added'],
    ['authorizers["users (a)"]', 'removed'],
    ['authorizers["users (b)"]', 'removed'],
  ]);
});

const PATHS = ['/', '/pets', '/pets/{id}', '/a.b', '/é'];
const text = fc.constantFrom(
  '',
  'a',
  'b',
  'x.y',
  'application/json',
  'Access-Control-Allow-Origin',
  '"]',
  '__proto__x',
  'constructor',
);
const textMap = fc.option(fc.dictionary(text, fc.option(text, { nil: null }), { maxKeys: 3 }), { nil: null });
const integrations = fc.record({
  ...Object.fromEntries(Object.entries(mock).map(([name, value]) => [name, fc.constant(value)])),
  uri: fc.option(text, { nil: null }),
  timeoutInMillis: fc.constantFrom(50, 29_000),
  requestTemplates: textMap,
  cacheKeyParameters: fc.uniqueArray(text, { maxLength: 2 }),
  integrationResponses: fc.dictionary(
    fc.constantFrom('200', '404'),
    fc.record({ statusCode: text, selectionPattern: fc.option(text, { nil: null }), responseTemplates: textMap }),
  ),
}) as unknown as fc.Arbitrary<Integration>;
const methods = fc.record({
  path: fc.constantFrom(...PATHS),
  httpMethod: fc.constantFrom('GET', 'OPTIONS', 'ANY'),
  authorizationType: fc.constantFrom('NONE', 'AWS_IAM', 'CUSTOM'),
  authorizerId: fc.constantFrom('a1', 'a2', 'gone', null),
  apiKeyRequired: fc.boolean(),
  requestParameters: fc.option(fc.dictionary(text, fc.boolean(), { maxKeys: 2 }), { nil: null }),
  integration: fc.option(integrations, { nil: null }),
});
const definitions: fc.Arbitrary<RestApiDefinition> = fc
  .record({
    policy: fc.option(text, { nil: null }),
    binaryMediaTypes: fc.uniqueArray(text, { maxLength: 2 }),
    methods: fc.uniqueArray(methods, { maxLength: 5, selector: ({ path, httpMethod }) => `${path} ${httpMethod}` }),
    models: fc.uniqueArray(fc.record({ name: fc.constantFrom('Pet', '1st'), schema: text }), { selector: ({ name }) => name }),
    authorizers: fc.uniqueArray(fc.tuple(fc.constantFrom('a1', 'a2', 'a3'), fc.constantFrom('users', 'robots')), {
      selector: ([id]) => id,
    }),
  })
  .map(({ policy, binaryMediaTypes, methods: chosen, models, authorizers }) =>
    definition({
      about: { policy, binaryMediaTypes },
      paths: Object.fromEntries(['/', ...chosen.map(({ path }) => path)].map((path) => [`id of ${path}`, path])),
      methods: chosen.map(({ path, ...about }) => method({ ...about, resourceId: `id of ${path}` })),
      parts: {
        models: models.map(({ name, schema }) => ({
          apiId,
          id: name,
          modelId: name,
          contentType: 'application/json',
          description: null,
          schema,
        })),
        authorizers: authorizers.map(([id, name]) => authorizer(id, name)),
      },
    }),
  );
const RUNS = { seed: Number(process.env.FUZZ_SEED ?? 20_261_121), numRuns: 400 };

test('nothing differs between a definition and itself, read in another order', () => {
  fc.assert(
    fc.property(definitions, (a) => {
      const { api, resources, methods: all, parts } = a;
      const turned = { models: [...parts!.models].reverse(), authorizers: [...parts!.authorizers].reverse() };
      const again = draftDefinition(api, [...resources].reverse(), [...all].reverse(), { ...parts!, ...turned });
      expect(diffDefinitions(a, a)).toEqual([]);
      expect(diffDefinitions(a, again)).toEqual([]);
    }),
    RUNS,
  );
});

test('the list is the same bytes each time, no path is named twice, and the way back is the way there turned round', () => {
  fc.assert(
    fc.property(definitions, definitions, (a, b) => {
      const there = diffDefinitions(a, b);
      expect(JSON.stringify(diffDefinitions(a, b))).toBe(JSON.stringify(there));
      expect(new Set(there.map(({ path }) => path)).size).toBe(there.length);
      const turned = { added: 'removed', removed: 'added', changed: 'changed' } as const;
      expect(diffDefinitions(b, a)).toEqual(
        there.map((change) => ({ ...change, kind: turned[change.kind], before: change.after, after: change.before })),
      );
    }),
    RUNS,
  );
});

test('whoever makes the listed changes in the one definition has the other', () => {
  fc.assert(
    fc.property(definitions, definitions, (a, b) => {
      const values = leavesOf(a);
      for (const { path, before, after } of diffDefinitions(a, b)) {
        for (const [leaf] of spread(path, before)) expect(values.delete(leaf), `${path} was there`).toBe(true);
        for (const [leaf, value] of spread(path, after)) values.set(leaf, value);
      }
      expect(sorted(values)).toEqual(sorted(leavesOf(b)));
    }),
    RUNS,
  );
});

const sorted = (values: Map<string, string>) => [...values].sort(([a], [b]) => (a < b ? -1 : 1));

/** Every value of a definition by its path, written down apart from the code under test. */
function leavesOf(of: RestApiDefinition): Map<string, string> {
  return new Map(
    unitsOf(of).flatMap(({ steps, value }) => {
      const isInTree = steps[0] === 'resources' || steps[0] === 'methods';
      return spread(isInTree ? steps.slice(1).join(' ') : pathText(steps), value);
    }),
  );
}

function spread(path: string, value: Json): [string, string][] {
  if (value === null) return [];
  if (typeof value !== 'object' || Array.isArray(value)) return [[path, canonicalJson(value)]];
  const isUnitOfTree = path.startsWith('/') && path.split(' ').length < 3;
  return [
    [path, 'object'],
    ...Object.entries(value).flatMap(([name, inner]) => {
      const step = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : `[${JSON.stringify(name)}]`;
      return spread(`${path}${isUnitOfTree ? ' ' : step.startsWith('[') ? '' : '.'}${step}`, inner);
    }),
  ];
}

const pathText = ([section, name]: readonly string[]): string =>
  name === undefined
    ? section!
    : /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
      ? `${section}.${name}`
      : `${section}[${JSON.stringify(name)}]`;
