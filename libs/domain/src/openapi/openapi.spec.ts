import { describe, expect, it } from 'vitest';
import { AWS_QUOTAS } from '../tenancy/quotas.js';
import { assemble, type ApiState, type AssembleOptions } from './assemble.js';
import { openApiText } from './json.js';
import { readOpenApi } from './read-document.js';
import type { ApiDocument, BasePathMode } from './api-document.js';

const API = 'api1234567';

function swagger(members: object): object {
  return { swagger: '2.0', info: { title: 'pets' }, ...members };
}

function openapi(members: object): object {
  return { openapi: '3.0.1', info: { title: 'pets' }, ...members };
}

function read(document: unknown, basePath: BasePathMode = 'ignore'): ApiDocument {
  return readOpenApi(document, { apiId: API, basePath });
}

const EMPTY: ApiState = {
  resources: [{ apiId: API, id: 'root', parentId: null, pathPart: null, path: '/' }],
  methods: [],
  models: [],
  requestValidators: [],
  authorizers: [],
  gatewayResponses: [],
  documentationParts: [],
};

function imported(document: unknown, present: ApiState = EMPTY, options: Partial<AssembleOptions> = {}): ApiState {
  let next = 0;
  const newId = () => `new${next++}`;
  return assemble(read(document), present, {
    mode: 'overwrite',
    ignoresDocumentation: false,
    quotas: AWS_QUOTAS,
    newId,
    ...options,
  }).state;
}

describe('models', () => {
  const $ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
  const withSchemas = (schemas: object) => openapi({ paths: {}, components: { schemas } });

  it('may refer to one another in any order, and in circles', () => {
    const { models } = imported(withSchemas({ A: { items: $ref('B') }, B: { properties: { a: $ref('A'), b: $ref('B') } } }));
    expect(models.map(({ id }) => id).sort()).toEqual(['A', 'B']);
  });

  it('that are no draft-04 schemas are all named', () => {
    const broken = withSchemas({
      Good: { type: 'string' },
      Bad: { pattern: '(?!x)' },
      Worse: { properties: { a: { minLength: -1 } } },
    });
    const form = (error: string): string =>
      `Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified. ${error}]`;
    expect(() => imported(broken)).toThrow(
      `Errors found during import: Unable to create model 'Bad': ${form('#/pattern: invalid pattern: look-ahead is not supported, at character 2')}` +
        `\tUnable to create model 'Worse': ${form('#/properties/a/minLength: expected a whole number of 0 or more')}`,
    );
  });
});

describe('a document', () => {
  it.each([
    ['text', 'hello'],
    ['a list', []],
    ['nothing', null],
    ['an object without a version', { info: {} }],
    ['Swagger 1.2', { swagger: '1.2' }],
    ['OpenAPI 4', { openapi: '4.0.0' }],
  ])('that is %s is refused', (_name, document) => {
    expect(() => read(document)).toThrow('Invalid OpenAPI input.');
  });

  it.each([['2.0'], [2]])('of Swagger %s is read', (version) => {
    expect(read({ swagger: version, info: { title: 'a', version: 1 } }).settings).toMatchObject({ name: 'a', version: '1' });
  });

  it.each([['3.0.1'], ['3.1.0']])('of OpenAPI %s is read', (version) => {
    expect(read({ openapi: version, info: { title: 'a', description: 'b' } }).settings).toMatchObject({
      name: 'a',
      description: 'b',
    });
  });

  it('larger than 6 MB, or no UTF-8, is refused', () => {
    expect(() => openApiText(new Uint8Array(6 * 1024 * 1024 + 1))).toThrow('Invalid OpenAPI input.');
    expect(() => openApiText(Uint8Array.of(0xff, 0xfe))).toThrow('Invalid OpenAPI input.');
  });

  it('that nests deeper than anybody can walk is refused', () => {
    expect(() => read(JSON.parse(`${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`))).toThrow('Invalid OpenAPI input.');
  });

  it('whose shared values would unfold without end is refused', () => {
    let value: unknown = ['lol'];
    for (let level = 0; level < 30; level++) value = Array.from({ length: 10 }, () => value);
    expect(() => read(swagger({ 'x-bomb': value }))).toThrow('Invalid OpenAPI input.');
  });

  it('whose references quote one another without end is refused', () => {
    const quoting = (level: number) => ({
      properties: Object.fromEntries(
        Array.from({ length: 10 }, (_, index) => [`p${index}`, { $ref: `#/x-parts/${level + 1}/schema` }]),
      ),
    });
    const parts = Array.from({ length: 12 }, (_, level) => ({ schema: quoting(level) }));
    expect(() => read(swagger({ 'x-parts': parts, definitions: { Bomb: parts[0]!.schema } }))).toThrow('Invalid OpenAPI input.');
  });
});

describe('paths', () => {
  const paths = { '/test': { get: {} } };
  const server = (url: string, variables: object = {}) => openapi({ paths, servers: [{ url, variables }] });

  it.each<[string, object, BasePathMode, string]>([
    ['Swagger, ignored', swagger({ basePath: '/a/b/c', paths }), 'ignore', '/test'],
    ['Swagger, prepended', swagger({ basePath: '/a/b/c', paths }), 'prepend', '/a/b/c/test'],
    ['Swagger, split', swagger({ basePath: '/a/b/c', paths }), 'split', '/b/c/test'],
    ['Swagger, split of one part', swagger({ basePath: '/base', paths }), 'split', '/test'],
    ['a server variable', server('https://h/{basePath}', { basePath: { default: 'a/b' } }), 'prepend', '/a/b/test'],
    [
      'a server variable that the address does not mention',
      server('https://h/x', { basePath: { default: '/a' } }),
      'prepend',
      '/a/test',
    ],
    ['an address with a path', server('https://h.example/v1/'), 'prepend', '/v1/test'],
    ['an address without a path', server('https://h.example'), 'prepend', '/test'],
    ['a relative address', server('/v2'), 'prepend', '/v2/test'],
  ])('%s', (_name, document, mode, path) => {
    expect(read(document, mode).paths.map((entry) => entry.path)).toEqual([path]);
  });

  it('make the resources above them, and stand where the API says they can', () => {
    const state = imported(swagger({ paths: { '/a/{id}/b': { get: {} }, '/a/': { post: {} }, '/': { get: {} } } }));
    expect(state.resources.map(({ path }) => path)).toEqual(['/', '/a', '/a/{id}', '/a/{id}/b']);
    expect(state.methods.map(({ httpMethod }) => httpMethod)).toEqual(['GET', 'POST', 'GET']);
    expect(() => imported(swagger({ paths: { '/a/{id}': {}, '/a/{name}': {} } }))).toThrow(
      "Errors found during import: Unable to create resource at path '/a/{name}': A sibling ({id}) of this resource already has a variable path part -- only one is allowed",
    );
  });

  it('stop at the quota, with its own error', () => {
    const paths = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`/p${index}`, {}]));
    expect(() => imported(swagger({ paths }))).toThrow('Maximum number of Resources');
    expect(imported(swagger({ paths }), EMPTY, { quotas: { ...AWS_QUOTAS, resources: 301 } }).resources).toHaveLength(301);
  });
});
