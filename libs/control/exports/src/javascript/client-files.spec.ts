/** Generated clients as their users have them: files in a folder, checked by TypeScript, run against a server. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { freezeDefinition, newMethod, type DeployedParts, type Method, type Model, type Resource } from '@gatehouse/domain';
import { sampleRestApi } from '@gatehouse/domain/samples';
import ts from 'typescript';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { clientFiles } from './client-files.js';
import { clientFunctions } from './client-functions.js';

const apiId = 'api1234567';
const at = (id: string, path: string): Resource => ({
  apiId,
  id,
  parentId: path === '/' ? null : 'root',
  pathPart: path === '/' ? null : path.slice(path.lastIndexOf('/') + 1),
  path,
});
const RESOURCES = [at('root', '/'), at('pets', '/pets'), at('pet', '/pets/{petId}'), at('proxy', '/files/{path+}')];
const integration: Method['integration'] = {
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
  cacheNamespace: 'x',
  cacheKeyParameters: [],
  tlsConfig: null,
  responseTransferMode: null,
  integrationTarget: null,
  integrationResponses: {},
};
const method = (resourceId: string, httpMethod: string, about: Partial<Method> = {}): Method => ({
  ...newMethod({ apiId, resourceId, httpMethod }, { authorizationType: 'NONE' }),
  integration,
  ...about,
});
const model = (id: string, schema: unknown): Model => ({
  apiId,
  id,
  modelId: 'modl01',
  contentType: 'application/json',
  description: null,
  schema: JSON.stringify(schema),
});
const answers = (name: string): Pick<Method, 'methodResponses'> => ({
  methodResponses: {
    '200': { statusCode: '200', responseParameters: null, responseModels: { 'application/json': name } },
    '404': { statusCode: '404', responseParameters: null, responseModels: { 'application/json': 'Error' } },
  },
});
const modelRef = (name: string) => ({ $ref: `https://apigateway.amazonaws.com/restapis/${apiId}/models/${name}` });
const MODELS: Model[] = [
  model('Pet', {
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string' },
      kind: { enum: ['cat', 'dog'] },
      mother: modelRef('Pet'),
      age: { type: ['integer', 'null'] },
    },
  }),
  model('Pets', { type: 'array', items: modelRef('Pet') }),
];
const door: DeployedParts['authorizers'][number] = {
  apiId,
  id: 'door12',
  name: 'door',
  type: 'TOKEN',
  providerARNs: [],
  authType: null,
  authorizerUri: null,
  authorizerCredentials: null,
  identitySource: 'method.request.header.X-Token',
  identityValidationExpression: null,
  authorizerResultTtlInSeconds: null,
};
const METHODS: Method[] = [
  method('pets', 'GET', {
    operationName: 'listPets',
    requestParameters: { 'method.request.querystring.tag': false, 'method.request.header.X-Trace': true },
    ...answers('Pets'),
  }),
  method('pets', 'POST', { requestModels: { 'application/json': 'Pet' }, apiKeyRequired: true, ...answers('Pet') }),
  method('pet', 'GET', { authorizationType: 'CUSTOM', authorizerId: 'door12', ...answers('Pet') }),
  method('proxy', 'ANY'),
  method('root', 'GET', { authorizationType: 'AWS_IAM' }),
];
const definitionOf = (methods: Method[], models = MODELS, resources = RESOURCES) =>
  freezeDefinition(sampleRestApi({ id: apiId }), resources, methods, {
    models,
    requestValidators: [],
    authorizers: [door],
    gatewayResponses: [],
  });

/** The files in a folder of their own, gone at the end of the test. */
async function unpacked(definition = definitionOf(METHODS)): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-client-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const file of clientFiles(definition, 'prod')) await writeFile(path.join(folder, file.name), file.text);
  return folder;
}

/** What TypeScript says of a program that uses the client, by line. */
async function diagnosticsOf(program: string, definition = definitionOf(METHODS)): Promise<string[]> {
  const folder = await unpacked(definition);
  const file = path.join(folder, 'program.ts');
  await writeFile(
    file,
    `import { createClient, ApiError } from './apigClient.js';\nconst client = createClient();\n${program}\n`,
  );
  const checked = ts.createProgram([file], {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    types: [],
  });
  return ts.getPreEmitDiagnostics(checked).map(({ messageText, file: where, start }) => {
    const line = where === undefined ? 0 : ts.getLineAndCharacterOfPosition(where, start!).line + 1;
    return `${path.basename(where?.fileName ?? '')}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

describe('types', () => {
  test('accept what the API takes and say what it answers', async () => {
    const program = `
      const listed = await client.listPets({ 'X-Trace': 'a', tag: ['x', 1] });
      const first: string = listed.body[0]!.name;
      const kind: 'cat' | 'dog' | undefined = listed.body[0]!.mother?.kind;
      const made = await client.petsPost(undefined, { name: first, kind, age: null }, { headers: { a: 'b' } });
      const status: number = made.status;
      await client.petsPetIdGet({ petId: 7 });
      await client.filesPathAny({ path: 'a/b' }, { any: 'body' }, { method: 'PUT' });
      await client.rootGet();
      createClient({ baseUrl: 'http://x', apiKey: async () => 'k', authorization: 'Bearer x', sign: (request) => request });
      if (new Object() instanceof ApiError) throw new Error(String(status));
    `;
    expect(await diagnosticsOf(program)).toEqual([]);
  });

  test('refuse what the API does not take, and an answer taken for another', async () => {
    const lines = [
      'await client.petsPetIdGet({});',
      'await client.listPets({ tag: "x" });',
      'await client.petsPost(undefined, { name: 1 });',
      'await client.petsPost(undefined);',
      'const n: number = (await client.petsPetIdGet({ petId: "1" })).body.name;',
      'await client.petsDelete();',
    ];
    const expected = [/petId/, /X-Trace/, /not assignable/, /Expected 2-3 arguments/, /not assignable/, /does not exist/];
    expect(await diagnosticsOf(lines.join('\n'))).toEqual(
      expected.map((message, index) => expect.stringMatching(new RegExp(`^program.ts:${index + 3} .*${message.source}`))),
    );
  });

  test('are valid whatever schemas the models have', async () => {
    const local = { $ref: '#/definitions/Node' };
    const models = [
      model('Self', { $ref: '#' }),
      model('A', { oneOf: [modelRef('B'), { type: 'null' }] }),
      model('B', { anyOf: [modelRef('A')] }),
      model('C', modelRef('A')),
      model('string', { type: 'string' }),
      model('1st', { type: 'object', additionalProperties: { type: 'number' } }),
      model('Promise', { type: 'array', items: [{ type: 'string' }] }),
      model('Tree', { ...local, definitions: { Node: { type: 'object', properties: { left: local, right: local } } } }),
      model('Explosive', {
        ...local,
        definitions: { Node: { allOf: Array.from({ length: 50 }, () => ({ properties: { a: local } })) } },
      }),
      model('Names', { properties: { 'a"; };': {}, '*/': { enum: ['*/ "', { x: 1 }, true] }, '\u2028': {}, __proto__: {} } }),
      model('Odd', { type: 'wat', properties: 7, enum: [] }),
      model('Away', { $ref: 'https://example.com/x' }),
      model('Gone', modelRef('Nobody')),
    ];
    const definition = definitionOf([method('root', 'GET', answers('Tree'))], models);
    expect(await diagnosticsOf('const left: unknown = (await client.rootGet()).body.left;', definition)).toEqual([]);
  });
});

describe('functions', () => {
  const namesOf = (...methods: Method[]) => clientFunctions(definitionOf(methods)).map(({ name }) => name);

  test('are named by operation, or by path and verb', () => {
    expect(namesOf(...METHODS)).toEqual(['rootGet', 'filesPathAny', 'listPets', 'petsPost', 'petsPetIdGet']);
  });

  test.each(['then', 'constructor', '__proto__', 'a-b', 'a b', '1st', 'x(){}', 'é'])('are not named %j', (operationName) => {
    expect(namesOf(method('pets', 'GET', { operationName }))).toEqual(['petsGet']);
  });

  test('and their types have each a name of its own', () => {
    const named = (httpMethod: string, operationName: string) => method('pets', httpMethod, { operationName });
    expect(namesOf(named('DELETE', 'pets'), named('GET', 'Pets'), named('POST', 'pets'), named('PUT', 'pets_2'))).toEqual([
      'pets',
      'Pets_2',
      'pets_3',
      'pets_2_2',
    ]);
  });
});

describe('calls', () => {
  interface Seen {
    readonly method: string;
    readonly url: string;
    readonly headers: IncomingMessage['headers'];
    readonly body: string;
  }
  type Client = Record<
    string,
    (params?: unknown, body?: unknown, options?: unknown) => Promise<{ status: number; body: unknown }>
  >;
  let server: Server | null = null;
  afterEach(() => server?.close());

  /** A client of a server that notes what it is asked and answers with `respond`. */
  async function clientOf(
    config: object = {},
    respond: (response: ServerResponse) => void = (response) =>
      response.setHeader('content-type', 'application/json').end('{"ok":true}'),
  ): Promise<{ client: Client; seen: Seen[] }> {
    const seen: Seen[] = [];
    server = createServer(async (request, response) => {
      const { method: verb = '', url = '', headers } = request;
      const body = await text(request);
      seen.push({ method: verb, url, headers, body });
      respond(response);
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/prod/`;
    const file = pathToFileURL(path.join(await unpacked(), 'apigClient.js')).href;
    const { createClient } = (await import(/* @vite-ignore */ file)) as { createClient: (config: object) => Client };
    return { client: createClient({ baseUrl, ...config }), seen };
  }

  test('put every parameter where the method wants it', async () => {
    const { client, seen } = await clientOf({ headers: { 'x-all': '1' } });
    expect(await client['listPets']!({ tag: ['a b', '&'], 'X-Trace': 't' })).toMatchObject({ status: 200, body: { ok: true } });
    await client['petsPetIdGet']!({ petId: 'a/b c' });
    await client['filesPathAny']!({ path: 'a/b c' }, undefined, { method: 'DELETE', headers: { 'x-one': '2' } });
    expect(seen.map(({ method: verb, url }) => `${verb} ${url}`)).toEqual([
      'GET /prod/pets?tag=a+b&tag=%26',
      'GET /prod/pets/a%2Fb%20c',
      'DELETE /prod/files/a/b%20c',
    ]);
    expect(seen[0]!.headers).toMatchObject({ 'x-trace': 't', 'x-all': '1' });
    expect(seen[2]!.headers).toMatchObject({ 'x-all': '1', 'x-one': '2' });
  });

  test('send keys and tokens to the methods that want them, and to no other', async () => {
    const sign = (request: Request) => new Request(request, { headers: { authorization: 'AWS4' } });
    const { client, seen } = await clientOf({ apiKey: 'key', authorization: async () => 'token', sign });
    await client['petsPost']!(undefined, { name: 'Rex' });
    await client['petsPetIdGet']!({ petId: '1' });
    await client['rootGet']!();
    const sent = seen.map(({ headers }) => [headers['x-api-key'], headers['x-token'], headers.authorization]);
    expect(sent).toEqual([
      ['key', undefined, undefined],
      [undefined, 'token', undefined],
      [undefined, undefined, 'AWS4'],
    ]);
    expect(seen[0]).toMatchObject({ body: '{"name":"Rex"}', headers: { 'content-type': 'application/json' } });
  });

  test('throw an answer that is an error, with its body', async () => {
    const { client } = await clientOf({}, (response) => {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"no pet"}');
    });
    await expect(client['petsPetIdGet']!({ petId: '1' })).rejects.toMatchObject({
      name: 'ApiError',
      status: 404,
      body: { message: 'no pet' },
    });
    await expect(client['petsPetIdGet']!({})).rejects.toThrow('The parameter "petId" is needed for /pets/{petId}');
  });
});

test('names of tenants are data in the module', async () => {
  const evil = '"}]});globalThis.broken=true;//*/`$&';
  const resources = [at('root', '/'), at('evil', `/${evil}`)];
  const methods = [
    method('evil', 'GET', {
      operationName: evil,
      requestParameters: { [`method.request.querystring.${evil}`]: true, 'method.request.querystring.__proto__': false },
    }),
  ];
  const folder = await unpacked(definitionOf(methods, [], resources));
  const { createClient } = (await import(/* @vite-ignore */ pathToFileURL(path.join(folder, 'apigClient.js')).href)) as {
    createClient: (config: object) => Record<string, (params: unknown) => Promise<unknown>>;
  };
  const asked: string[] = [];
  const client = createClient({
    fetch: async (request: Request) => {
      asked.push(new URL(request.url).search);
      return new Response('');
    },
  });
  await Object.values(client)[0]!({ [evil]: 'x' });
  expect(asked).toEqual([`?${new URLSearchParams([[evil, 'x']]).toString()}`]);
  expect(globalThis).not.toHaveProperty('broken');
  expect(await diagnosticsOf('void client;', definitionOf(methods, [], resources))).toEqual([]);
});
