/**
 * The SDK's own clients are the oracle: what they send for a random input decodes to that input, and what we encode for a
 * random output they read as that output. Every operation of every service takes part.
 */
import { Readable } from 'node:stream';
import * as apiGatewayClient from '@aws-sdk/client-api-gateway';
import * as managementClient from '@aws-sdk/client-apigatewaymanagementapi';
import * as apiGatewayV2Client from '@aws-sdk/client-apigatewayv2';
import * as lambdaClient from '@aws-sdk/client-lambda';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ApiGateway,
  ApiGatewayManagement,
  ApiGatewayV2,
  decodeInput,
  encodeError,
  encodeOutput,
  Lambda,
  OperationRouter,
  readQuery,
  type MemberModel,
  type OperationModel,
  type ServiceModel,
  type TypeModel,
  type WireResponse,
} from './index.js';

interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Record<string, string | string[] | null>;
  readonly headers: Record<string, string>;
  readonly body?: string | Uint8Array;
}
interface Client {
  send(command: unknown): Promise<Record<string, unknown>>;
}
type Answer = (request: SentRequest) => WireResponse;

const packages = {
  ApiGateway: [ApiGateway.model, apiGatewayClient, apiGatewayClient.APIGatewayClient],
  ApiGatewayV2: [ApiGatewayV2.model, apiGatewayV2Client, apiGatewayV2Client.ApiGatewayV2Client],
  ApiGatewayManagement: [ApiGatewayManagement.model, managementClient, managementClient.ApiGatewayManagementApiClient],
  Lambda: [Lambda.model, lambdaClient, lambdaClient.LambdaClient],
} as const;

// What a client adds when it is not given: a token, a header, an empty structure, the status as a member.
const ALWAYS_SENT = new Set(['accepts', 'ClientToken', 'contentType', 'Error', 'StatusCode', 'Status']);

// An event stream instead of a body.
const NOT_ENCODED = new Set(['InvokeWithResponseStream']);

const router = new OperationRouter(Object.values(packages).map(([model]) => model));

function clientOf(service: keyof typeof packages, answer: Answer): Client {
  const [, , ClientClass] = packages[service];
  return new ClientClass({
    region: 'eu-west-1',
    endpoint: 'http://localhost:7080',
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' },
    maxAttempts: 1,
    requestHandler: {
      handle: (request: unknown) => {
        const { status, headers, body } = answer(request as SentRequest);
        return Promise.resolve({ response: { statusCode: status, headers, body: Readable.from([Buffer.from(body)]) } });
      },
    },
  } as never) as unknown as Client;
}

function commandOf(service: keyof typeof packages, operation: string, input: unknown): unknown {
  const exported = packages[service][1] as unknown as Record<string, new (input: unknown) => unknown>;
  return new exported[`${operation}Command`]!(input);
}

/** The request as a server receives it, routed and decoded. */
function received(request: SentRequest): { operation: OperationModel; input: Record<string, unknown> } {
  const rawQuery = Object.entries(request.query)
    .flatMap(([name, value]) => [value ?? ''].flat().map((item) => `${encodeURIComponent(name)}=${encodeURIComponent(item)}`))
    .join('&');
  const query = readQuery(rawQuery);
  const match = router.match(request.method, request.path.split('/').slice(1), query);
  if (match === null) throw new Error(`no operation for ${request.method} ${request.path}`);
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const body = request.body === undefined ? new Uint8Array() : Buffer.from(request.body);
  return {
    operation: match.operation,
    input: decodeInput(match.service, match.operation, { labels: match.labels, query, headers, body }),
  };
}

const anyText = fc.string({ unit: 'grapheme', maxLength: 8 });
const someText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 });
// A label of dots is a step in the path; its URL never reaches a server as written.
const labelText = someText.filter((text) => text !== '.' && text !== '..');
const headerText = fc.string({ unit: fc.constantFrom(...'abcXYZ019/-=;'), minLength: 1, maxLength: 8 });
const seconds = fc.integer({ min: 0, max: 4_000_000_000 }).map((value) => new Date(value * 1000));
const key = someText.filter((text) => text !== '__proto__');

function valueOf(service: ServiceModel, type: TypeModel, text: fc.Arbitrary<string>, depth = 0): fc.Arbitrary<unknown> {
  if (typeof type === 'object') {
    if ('enum' in type) return fc.constantFrom(...service.enums[type.enum]!);
    if ('list' in type) return fc.array(valueOf(service, type.list, text, depth + 1), { minLength: 1, maxLength: 2 });
    if ('map' in type)
      return fc.dictionary(key, valueOf(service, type.map, text, depth + 1), { maxKeys: 2, noNullPrototype: true });
    return structureOf(service, service.shapes[type.shape]!, depth + 1);
  }
  switch (type) {
    case 'string':
      return text;
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer();
    case 'double':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value || 0);
    case 'blob':
      return fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => Buffer.from(bytes));
    case 'epochSeconds':
    case 'isoDateTime':
    case 'httpDate':
      return seconds;
  }
}

function memberOf(service: ServiceModel, { name, binding, type }: MemberModel, depth: number): fc.Arbitrary<unknown> {
  // Names that no other query parameter of an operation has.
  if (binding === 'queryParams')
    return fc.dictionary(
      key.map((text) => `x${text}`),
      someText,
      { minKeys: 1, maxKeys: 2, noNullPrototype: true },
    );
  if (binding === 'statusCode') return fc.constantFrom(200, 202);
  // An empty template is answered as null: encode-output.spec.ts.
  const bodyText = name.endsWith('Templates') ? someText : anyText;
  const text = { label: labelText, header: headerText, query: someText }[binding as string] ?? bodyText;
  return valueOf(service, type, text, depth);
}

function structureOf(service: ServiceModel, members: readonly MemberModel[], depth = 0): fc.Arbitrary<Record<string, unknown>> {
  const wanted = depth > 3 ? members.filter(({ isRequired }) => isRequired) : members;
  const statusCode = fc.integer({ min: 100, max: 599 }).map(String);
  return fc.record(
    Object.fromEntries(
      wanted.map((member) => [member.name, member.name === 'statusCode' ? statusCode : memberOf(service, member, depth)]),
    ),
    {
      requiredKeys: wanted.filter(({ isRequired, name }) => isRequired || ALWAYS_SENT.has(name)).map(({ name }) => name),
      noNullPrototype: true,
    },
  );
}

function shapeOf(service: ServiceModel, name: string | null): fc.Arbitrary<Record<string, unknown>> {
  return name === null ? fc.constant({}) : structureOf(service, service.shapes[name]!);
}

/** Blobs come as the client's own classes, and streams still to be read. */
async function plain(output: Record<string, unknown>): Promise<Record<string, unknown>> {
  const entries = await Promise.all(
    Object.entries(output)
      .filter(([name, value]) => name !== '$metadata' && value !== undefined && value !== null)
      .map(async ([name, value]) => [name, await bytesOf(value)] as const),
  );
  return Object.fromEntries(entries);
}

async function bytesOf(value: unknown): Promise<unknown> {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (value instanceof Readable) return Buffer.concat(await value.toArray());
  return value;
}

describe.each(Object.keys(packages) as (keyof typeof packages)[])('%s', (name) => {
  const service = packages[name][0];
  const operations = Object.values(service.operations).filter((operation) => !NOT_ENCODED.has(operation.name));

  test.each(operations.map((operation) => [operation.name, operation] as const))(
    '%s crosses the wire unchanged',
    (_, operation) =>
      fc.assert(
        fc.asyncProperty(shapeOf(service, operation.input), shapeOf(service, operation.output), async (input, output) => {
          const seen: Record<string, unknown>[] = [];
          const client = clientOf(name, (request) => {
            const decoded = received(request);
            expect(decoded.operation.name).toBe(operation.name);
            seen.push(decoded.input);
            return encodeOutput(service, operation, output);
          });
          const answer = await client.send(commandOf(name, operation.name, input));
          expect(seen).toEqual([input]);
          expect(await plain(answer)).toEqual(output);
        }),
        { numRuns: 12 },
      ),
  );

  test.each(Object.entries(service.errors))('%s is thrown by the client as that error', async (type, { status }) => {
    const client = clientOf(name, () => encodeError(service, { type, status, message: 'because', members: {} }));
    const operation = operations.find(({ input }) => input !== null)!;
    const [input] = fc.sample(shapeOf(service, operation.input), { numRuns: 1, seed: 1 });
    const error = await client.send(commandOf(name, operation.name, input)).catch((thrown: unknown) => thrown);
    const hasMessage = service.shapes[service.errors[type]!.shape]!.some((member) => /^message$/i.test(member.name));
    expect(error).toMatchObject({
      name: type,
      $metadata: { httpStatusCode: status },
      ...(hasMessage ? { message: 'because' } : {}),
    });
  });
});
