/**
 * A client of a stage: a JavaScript module without dependencies, and its types.
 *
 * Names and texts of the tenant stand in the files as strings that JSON writes, as identifiers that were checked, or in comments
 * that they cannot end.
 */
import type { RestApiDefinition } from '@gatehouse/domain';
import { clientFunctions, upperFirst, type ClientFunction, type ClientParameter } from './client-functions.js';
import { modelDeclarations, typeName } from './model-types.js';

export interface ClientFile {
  readonly name: string;
  readonly text: string;
}

/** The files of the client of a stage; equal definitions give equal files. */
export function clientFiles(definition: RestApiDefinition, stageName: string): ClientFile[] {
  const { api } = definition;
  const functions = clientFunctions(definition);
  const baseUrl = `https://${api.id}.execute-api.${api.region}.amazonaws.com/${stageName}`;
  return [
    { name: 'package.json', text: packageJson(api.id, api.version) },
    { name: 'apigClient.js', text: moduleText(functions, baseUrl) },
    { name: 'apigClient.d.ts', text: declarations(definition, functions, baseUrl) },
    { name: 'README.md', text: readme(functions, baseUrl) },
  ];
}

/** A package's version has a form of its own; what an API calls its version need not have it. */
function packageJson(apiId: string, version: string | null): string {
  const content = {
    name: `apigclient-${apiId}`,
    version: /^\d{1,9}\.\d{1,9}\.\d{1,9}$/.test(version ?? '') ? version : '1.0.0',
    private: true,
    type: 'module',
    main: './apigClient.js',
    types: './apigClient.d.ts',
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

function moduleText(functions: readonly ClientFunction[], baseUrl: string): string {
  const members = functions.map(
    (each) => `    ${each.name}: (params, body, options) => send(config, ${methodLiteral(each)}, params, body, options),\n`,
  );
  return RUNTIME.replace('/* baseUrl */', () => JSON.stringify(baseUrl)).replace('/* functions */', () => members.join(''));
}

/** No object has a tenant's text as the name of a member, for there are names that mean something to JavaScript. */
function methodLiteral({
  httpMethod,
  path,
  parameters,
  needsApiKey,
  authorizationHeader,
  needsSignature,
}: ClientFunction): string {
  return JSON.stringify({
    verb: httpMethod,
    path,
    parameters: parameters.map(({ name, in: place }) => [name, place]),
    apiKey: needsApiKey,
    authorization: authorizationHeader,
    signed: needsSignature,
  });
}

const RUNTIME = `const BASE_URL = /* baseUrl */;

export class ApiError extends Error {
  constructor(response, body) {
    super(\`The API answered \${response.status}\`);
    this.name = 'ApiError';
    this.status = response.status;
    this.headers = response.headers;
    this.body = body;
  }
}

export function createClient(config = {}) {
  return {
/* functions */  };
}

async function send(config, method, params = {}, body, options = {}) {
  const { path, query, headers } = place(method, params);
  for (const given of [config.headers, options.headers]) {
    for (const [name, value] of Object.entries(given ?? {})) headers.set(name, value);
  }
  if (method.apiKey) await setHeader(headers, 'x-api-key', config.apiKey);
  if (method.authorization !== null) await setHeader(headers, method.authorization, config.authorization);
  const verb = method.verb === 'ANY' ? (options.method ?? 'GET') : method.verb;
  let content;
  if (body !== undefined) {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    content = isRaw ? body : JSON.stringify(body);
    if (!headers.has('content-type')) headers.set('content-type', 'application/json');
  }
  const url = (config.baseUrl ?? BASE_URL).replace(/\\/+$/, '') + path + (query === '' ? '' : '?' + query);
  let request = new Request(url, { method: verb, headers, body: content, signal: options.signal });
  if (method.signed && config.sign !== undefined) request = await config.sign(request);
  const response = await (config.fetch ?? fetch)(request);
  const answer = await read(response);
  if (!response.ok) throw new ApiError(response, answer);
  return { status: response.status, headers: response.headers, body: answer };
}

/** Parameters where the method wants them. */
function place(method, params) {
  let path = method.path;
  const query = new URLSearchParams();
  const headers = new Headers();
  for (const [name, where] of method.parameters) {
    const value = Object.hasOwn(params, name) ? params[name] : undefined;
    if (value === undefined || value === null) {
      if (where === 'path') throw new TypeError(\`The parameter "\${name}" is needed for \${method.path}\`);
      continue;
    }
    if (where === 'query') {
      for (const each of Array.isArray(value) ? value : [value]) query.append(name, String(each));
    } else if (where === 'header') {
      headers.set(name, String(value));
    } else {
      // A greedy variable is the rest of the path, with its slashes.
      path = path
        .split(\`{\${name}+}\`)
        .join(String(value).split('/').map(encodeURIComponent).join('/'))
        .split(\`{\${name}}\`)
        .join(encodeURIComponent(String(value)));
    }
  }
  return { path, query: query.toString(), headers };
}

async function setHeader(headers, name, source) {
  const value = typeof source === 'function' ? await source() : source;
  if (value !== undefined) headers.set(name, value);
}

async function read(response) {
  const text = await response.text();
  if (text === '') return undefined;
  if (!/[/+]json\\b/i.test(response.headers.get('content-type') ?? '')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
`;

function declarations(definition: RestApiDefinition, functions: readonly ClientFunction[], baseUrl: string): string {
  const models = definition.parts?.models ?? [];
  const known = new Set(models.map(({ id }) => id));
  const withParams = functions.filter(({ parameters }) => parameters.length > 0);
  return [
    OPTIONS.replace('/* baseUrl */', () => comment(baseUrl)),
    modelDeclarations(models),
    ...withParams.map(
      ({ name, parameters }) => `export interface ${paramsName(name)} {\n${parameters.map(parameterType).join('')}}\n`,
    ),
    `export interface Client {\n${functions.map((each) => signature(each, known)).join('')}}\n`,
    'export function createClient(options?: ClientOptions): Client;\n',
  ].join('\n');
}

const OPTIONS = `export interface ClientOptions {
  /** Where the stage is reached; otherwise /* baseUrl */ */
  readonly baseUrl?: string;
  /** Sent as x-api-key by methods that want one. */
  readonly apiKey?: string | (() => string | Promise<string>);
  /** Sent in the header in which a method's authorizer looks. */
  readonly authorization?: string | (() => string | Promise<string>);
  /** Signs the requests of methods that want AWS Signature Version 4. */
  readonly sign?: (request: Request) => Request | Promise<Request>;
  readonly headers?: { readonly [name: string]: string };
  readonly fetch?: (request: Request) => Promise<Response>;
}

export interface CallOptions {
  readonly headers?: { readonly [name: string]: string };
  readonly signal?: AbortSignal;
}

export interface AnyCallOptions extends CallOptions {
  /** Of a method that takes any; GET otherwise. */
  readonly method?: string;
}

export interface ApiResponse<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** Thrown for an answer that is an error. */
export class ApiError extends Error {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}
`;

function signature(each: ClientFunction, known: ReadonlySet<string>): string {
  const { name, parameters, httpMethod, bodyModel, path, operationName } = each;
  const bodyType = bodyModel !== null && known.has(bodyModel) ? typeName(bodyModel) : null;
  const needsParams = parameters.some(({ isRequired }) => isRequired);
  const paramsType = parameters.length === 0 ? '{}' : paramsName(name);
  // What stands before a parameter that is needed cannot be left out, so it may be undefined.
  const params =
    needsParams || bodyType === null ? `params${needsParams ? '' : '?'}: ${paramsType}` : `params: ${paramsType} | undefined`;
  const body = bodyType === null ? 'body?: unknown' : `body: ${bodyType}`;
  const options = `options?: ${httpMethod === 'ANY' ? 'AnyCallOptions' : 'CallOptions'}`;
  const title = `${httpMethod} ${path}${operationName === null || operationName === name ? '' : `: ${operationName}`}`;
  return `  /** ${comment(title)} */\n  ${name}(${params}, ${body}, ${options}): Promise<ApiResponse<${resultType(each, known)}>>;\n`;
}

function resultType({ resultModels }: ClientFunction, known: ReadonlySet<string>): string {
  const isKnown = resultModels.length > 0 && resultModels.every((model) => known.has(model));
  return isKnown ? resultModels.map(typeName).join(' | ') : 'unknown';
}

function parameterType({ name, in: place, isRequired }: ClientParameter): string {
  const type =
    place === 'query' ? 'string | number | boolean | readonly (string | number | boolean)[]' : 'string | number | boolean';
  return `  readonly ${JSON.stringify(name)}${isRequired ? '' : '?'}: ${type};\n`;
}

function paramsName(functionName: string): string {
  return `${upperFirst(functionName)}Params`;
}

/** Text that neither ends the comment it stands in nor its line. */
function comment(text: string): string {
  return text.replaceAll('*/', '* /').replace(/[\p{Cc}\u2028\u2029]/gu, ' ');
}

function readme(functions: readonly ClientFunction[], baseUrl: string): string {
  const rows = functions.map(({ name, httpMethod, path }) => `| \`${name}\` | \`${httpMethod} ${path}\` |\n`);
  return `# API client

An ES module for browsers and Node.js. Types are in \`apigClient.d.ts\`.

\`\`\`js
import { createClient } from './apigClient.js';

const client = createClient({ baseUrl: '${baseUrl}', apiKey: '...', authorization: '...' });
\`\`\`

A function takes parameters, body and options, and answers \`{ status, headers, body }\`. An answer that is an error is thrown as \`ApiError\`.

| function | method |
|---|---|
${rows.join('')}`;
}
