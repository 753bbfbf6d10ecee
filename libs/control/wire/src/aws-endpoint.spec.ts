/**
 * The endpoint between unmodified SDK clients and handlers that stand for the feature libraries.
 */
import { Readable } from 'node:stream';
import { APIGatewayClient, CreateRestApiCommand, GetRestApiCommand, GetVpcLinksCommand } from '@aws-sdk/client-api-gateway';
import { ApiGatewayV2Client, GetApisCommand } from '@aws-sdk/client-apigatewayv2';
import { GetFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { ApiGateway, ApiGatewayV2, Lambda } from '@gatehouse/aws-api';
import { ApiError, InMemoryStore, notFound, tenantId, type Caller } from '@gatehouse/domain';
import { ManualClock, Secret } from '@gatehouse/kernel';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  Authenticator,
  AwsEndpoint,
  noneYet,
  notYet,
  type EndpointBug,
  type Handlers,
  type OperationContext,
  type OperationTables,
  type SessionSource,
  type WireRequest,
  type WireResponse,
} from './index.js';

const ACCOUNT = '123456789012';
const SESSION = { accessKeyId: 'ASIA1', secretAccessKey: 's3', sessionToken: 'token', expiresAtMs: Date.UTC(2026, 10, 22) };
const ARN = `arn:aws:iam::${ACCOUNT}:user/admin`;
const KEY_ID = 'AKIAIOSFODNN7EXAMPLE';
const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let clock: ManualClock;
let bugs: EndpointBug[];
let calls: { context: OperationContext; input: unknown }[];
let endpoint: AwsEndpoint;
let authenticator: Authenticator;
const sessions: SessionSource = { create: async () => SESSION };

const api = { id: 'a1b2c3d4e5', name: 'pets', createdDate: new Date(Date.UTC(2026, 10, 20)) };

const handled: Handlers<ApiGateway.Operations, 'CreateRestApi' | 'GetRestApi' | 'DeleteRestApi' | 'GetRestApis' | 'GetTags'> = {
  CreateRestApi: async (context, input) => {
    calls.push({ context, input });
    return { ...api, name: input.name };
  },
  GetRestApi: async ({ caller }, { restApiId }) => {
    if (restApiId !== api.id) throw notFound(`Invalid API identifier specified ${caller.tenant}:${restApiId}`);
    return api;
  },
  DeleteRestApi: async () => {
    throw new Error('password=hunter2');
  },
  GetRestApis: async () => {
    throw new ApiError('TooManyRequestsException', 429, 'Too Many Requests', { retryAfterSeconds: '3' });
  },
  GetTags: async (_, { resourceArn }) => ({ tags: { arn: resourceArn } }),
};
const tables = (): OperationTables => ({
  ApiGateway: { ...noneYet<ApiGateway.Operations>(ApiGateway.model), ...handled },
  ApiGatewayV2: noneYet<ApiGatewayV2.Operations>(ApiGatewayV2.model),
  Lambda: noneYet<Lambda.Operations>(Lambda.model),
});

beforeEach(async () => {
  // The clients sign with the real time.
  clock = new ManualClock(Date.now());
  bugs = [];
  calls = [];
  const { directory } = new InMemoryStore(clock);
  const tenant = tenantId(ACCOUNT);
  const secret = new Secret('secret');
  await directory.create({ id: tenant, name: 'pets', createdAtMs: 0 }, [
    { accessKeyId: KEY_ID, tenant, secret, principalArn: ARN, enabled: true },
  ]);
  authenticator = new Authenticator({ directory, clock, regions: 'any' });
  endpoint = new AwsEndpoint({ tables: tables(), authenticator, sessions, clock, onBug: (bug) => bugs.push(bug) });
});

/** What clients sent and got, newest last. */
interface Exchanged {
  readonly request: WireRequest;
  readonly response: WireResponse;
}

function clientConfig(change: (request: WireRequest) => WireRequest = (request) => request, given: Record<string, unknown> = {}) {
  const seen: Exchanged[] = [];
  const config = {
    region: 'eu-west-1',
    endpoint: 'http://localhost:7080',
    credentials: { accessKeyId: KEY_ID, secretAccessKey: 'secret' },
    maxAttempts: 1,
    requestHandler: {
      handle: async (sent: unknown) => {
        const request = change(received(sent as SentRequest));
        const response = await endpoint.handle(request);
        seen.push({ request, response });
        return {
          response: { statusCode: response.status, headers: response.headers, body: Readable.from([Buffer.from(response.body)]) },
        };
      },
    },
    ...given,
  };
  return { seen, config: config as never };
}

interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Record<string, string | string[]>;
  readonly headers: Record<string, string>;
  readonly body?: string | Uint8Array;
}

function received({ method, path, query, headers, body }: SentRequest): WireRequest {
  const rawQuery = new URLSearchParams(
    Object.entries(query).flatMap(([name, value]) => [value].flat().map((item) => [name, item])),
  );
  return {
    method,
    rawUrl: rawQuery.size === 0 ? path : `${path}?${rawQuery}`,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    body: body === undefined ? new Uint8Array() : Buffer.from(body),
    remoteAddress: '127.0.0.1',
  };
}

/** Sends `given` in place of what the client would have sent, signed by the client. */
async function signedCall(
  given: Partial<Pick<SentRequest, 'method' | 'path' | 'query' | 'body'>>,
  service: 'sts' | 'v1' = 'v1',
): Promise<WireResponse> {
  const { seen, config } = clientConfig();
  const replaceRequest = { step: 'build', priority: 'low' } as const;
  const replace =
    <Args extends object, Result>(next: (args: Args) => Promise<Result>) =>
    (args: Args): Promise<Result> => {
      Object.assign((args as unknown as { request: object }).request, given);
      return next(args);
    };
  if (service === 'sts') {
    const client = new STSClient(config);
    client.middlewareStack.add(replace, replaceRequest);
    await client.send(new GetCallerIdentityCommand({})).catch(() => undefined);
  } else {
    const client = new APIGatewayClient(config);
    client.middlewareStack.add(replace, replaceRequest);
    await client.send(new GetRestApiCommand({ restApiId: 'x' })).catch(() => undefined);
  }
  return seen[0]!.response;
}

const bodyOf = (response: WireResponse): unknown => JSON.parse(Buffer.from(response.body).toString());

describe('a signed call', () => {
  test('reaches its handler with the caller and the region of the signature, and its answer the client', async () => {
    const { seen, config } = clientConfig();
    const output = await new APIGatewayClient(config).send(new CreateRestApiCommand({ name: 'pets', tags: { team: 'a' } }));
    expect(output).toMatchObject({ id: api.id, name: 'pets', createdDate: api.createdDate, $metadata: { httpStatusCode: 201 } });
    const caller: Caller = { tenant: tenantId(ACCOUNT), accessKeyId: KEY_ID, principalArn: ARN, region: 'eu-west-1' };
    const requestId = seen[0]!.response.headers['x-amzn-requestid']!;
    expect(requestId).toMatch(REQUEST_ID);
    expect(calls).toEqual([
      { context: { caller, requestId, headers: seen[0]!.request.headers }, input: { name: 'pets', tags: { team: 'a' } } },
    ]);
    expect(seen[0]!.response.headers['date']).toBe(new Date(clock.nowMs()).toUTCString());
  });

  test('that its handler refuses gets that error', async () => {
    const { config } = clientConfig();
    await expect(new APIGatewayClient(config).send(new GetRestApiCommand({ restApiId: 'nothere' }))).rejects.toMatchObject({
      name: 'NotFoundException',
      message: `Invalid API identifier specified ${ACCOUNT}:nothere`,
      $metadata: { httpStatusCode: 404 },
    });
  });

  test('is told when to come back where the handler says so', async () => {
    const response = await signedCall({ path: '/restapis' });
    expect(response).toMatchObject({
      status: 429,
      headers: { 'retry-after': '3', 'x-amzn-errortype': 'TooManyRequestsException' },
    });
  });

  test('that meets a bug is a 500 that tells nothing, and the bug is logged', async () => {
    const response = await signedCall({ method: 'DELETE', path: '/restapis/a1' });
    expect(response).toMatchObject({
      status: 500,
      headers: { 'x-amzn-errortype': 'InternalFailure' },
      body: '{"message":"Internal failure"}',
    });
    expect(bugs).toMatchObject([
      {
        operation: 'ApiGateway.DeleteRestApi',
        requestId: response.headers['x-amzn-requestid'],
        error: { message: 'password=hunter2' },
      },
    ]);
  });

  test('with a label of encoded slashes keeps them', async () => {
    const arn = 'arn:aws:apigateway:eu-west-1::/restapis/a1';
    const response = await signedCall({ path: `/tags/${encodeURIComponent(arn)}` });
    expect(bodyOf(response)).toEqual({ tags: { arn } });
  });
});

describe('an operation without a handler is a modelled refusal that names it', () => {
  const refusal = (name: string): object => ({ message: `The operation ${name} is not available on this server.` });
  test('v1', () =>
    expect(new APIGatewayClient(clientConfig().config).send(new GetVpcLinksCommand({}))).rejects.toMatchObject({
      name: 'BadRequestException',
      ...refusal('GetVpcLinks'),
    }));
  test('v2', () =>
    expect(new ApiGatewayV2Client(clientConfig().config).send(new GetApisCommand({}))).rejects.toMatchObject({
      name: 'BadRequestException',
      ...refusal('GetApis'),
    }));
  test('Lambda', () =>
    expect(new LambdaClient(clientConfig().config).send(new GetFunctionCommand({ FunctionName: 'f' }))).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      Type: 'User',
      ...refusal('GetFunction'),
    }));

  test('and a table that forgets one does not compile', () => {
    const { GetAccount: forgotten, ...rest } = tables().ApiGateway;
    expect(forgotten).toBeDefined();
    // @ts-expect-error GetAccount is missing.
    const incomplete: Handlers<ApiGateway.Operations> = rest;
    const complete: Handlers<ApiGateway.Operations> = { ...rest, ...notYet('GetAccount') };
    expect(Object.keys(complete)).toHaveLength(Object.keys(incomplete).length + 1);
  });
  test('and a table that lost or invented one does not start', () => {
    const { ApiGateway: whole, ...others } = tables();
    const broken = {
      ...others,
      ApiGateway: { ...whole, GetAccount: undefined, GetAcount: whole.GetAccount },
    } as unknown as OperationTables;
    expect(() => new AwsEndpoint({ tables: broken, authenticator, sessions, clock, onBug: () => undefined })).toThrow(
      'Operation tables:\n  ApiGateway.GetAccount has no handler\n  ApiGateway.GetAcount is no operation',
    );
  });
});

describe('a caller', () => {
  const get = (change: (request: WireRequest) => WireRequest, given = {}): Promise<unknown> =>
    new APIGatewayClient(clientConfig(change, given).config).send(new GetRestApiCommand({ restApiId: api.id }));

  test('without a signature learns nothing, not even which paths exist', async () => {
    for (const rawUrl of ['/restapis', '/nothing']) {
      const response = await endpoint.handle({
        method: 'GET',
        rawUrl,
        headers: { host: 'x' },
        body: new Uint8Array(),
        remoteAddress: '::1',
      });
      expect(response).toMatchObject({
        status: 403,
        headers: { 'x-amzn-errortype': 'MissingAuthenticationTokenException' },
        body: '{"message":"Missing Authentication Token"}',
      });
    }
  });
  test('with an unknown key is not recognised', () =>
    expect(
      get((request) => request, { credentials: { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'x' } }),
    ).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
    }));
  test('whose request was changed has a wrong signature', () =>
    expect(get((request) => ({ ...request, rawUrl: '/restapis/other' }))).rejects.toMatchObject({
      name: 'InvalidSignatureException',
    }));
  test('who signed for another service is told the right one', () =>
    expect(get((request) => ({ ...request, rawUrl: '/2015-03-31/functions/f' }))).rejects.toMatchObject({
      message: "Credential should be scoped to correct service: 'lambda'.",
    }));
  test('of a region that could not stand in an ARN is refused', () =>
    expect(
      get((request) => {
        const authorization = request.headers['authorization']!.replace('/eu-west-1/', '/x"y-1/');
        return { ...request, headers: { ...request.headers, authorization } };
      }),
    ).rejects.toMatchObject({ message: `Credential should be scoped to a valid region, not 'x"y-1'.` }));
  test('whose clock is wrong is told the time', async () => {
    clock.advance(6 * 60_000);
    const { seen, config } = clientConfig();
    await expect(new APIGatewayClient(config).send(new GetRestApiCommand({ restApiId: api.id }))).rejects.toMatchObject({
      name: 'InvalidSignatureException',
      message: expect.stringMatching(/^Signature expired: /),
    });
    expect(seen[0]!.response.headers['date']).toBe(new Date(clock.nowMs()).toUTCString());
  });
  test('with a valid signature is told that a path is unknown', async () => {
    expect(await signedCall({ path: '/nothing' })).toMatchObject({
      status: 404,
      headers: { 'x-amzn-errortype': 'UnknownOperationException' },
    });
  });
  test('gets the operation that was signed, however the path is written', async () => {
    // The signature of /restapis/x/../{id} is that of /restapis/{id}; the routes must agree.
    expect(bodyOf(await signedCall({ path: `/restapis/x/..//${api.id}` }))).toMatchObject({ id: api.id });
  });
});

describe('bad input', () => {
  test.each([
    ['malformed JSON', '{"name":', 400, 'SerializationException'],
    ['a wrong type', '{"name":true}', 400, 'SerializationException'],
    ['a missing member', '{}', 400, 'ValidationException'],
    ['more than 10 MB', Buffer.alloc(10 * 1024 * 1024 + 1), 413, 'RequestEntityTooLargeException'],
  ])('%s never reaches a handler', async (_, body, status, type) => {
    expect(await signedCall({ method: 'POST', path: '/restapis', body })).toMatchObject({
      status,
      headers: { 'x-amzn-errortype': type },
    });
    expect(calls).toEqual([]);
  });
  test('a broken escape in the path is a refusal, not a crash', async () => {
    expect(await signedCall({ path: '/restapis/%zz' })).toMatchObject({
      status: 400,
      headers: { 'x-amzn-errortype': 'SerializationException' },
    });
    expect(bugs).toEqual([]);
  });
  test.each([
    ['POST', '/restapis', 'Request must be smaller than 10485760 bytes for the CreateRestApi operation'],
    ['POST', '/2015-03-31/functions', 'Request must be smaller than 70167211 bytes for the CreateFunction operation'],
    [
      'POST',
      '/2015-03-31/functions/f/invocations',
      'Request must be smaller than 6291456 bytes for the InvokeFunction operation',
    ],
    ['POST', '/nothing', 'Request body is too large'],
  ])('a body the server stopped reading is refused: %s %s', async (method, rawUrl, message) => {
    const response = await endpoint.refuseBody({ method, rawUrl });
    expect(response.status).toBe(413);
    expect(Buffer.from(response.body).toString()).toContain(message);
  });
});

describe('STS', () => {
  test('tells a caller who it is', async () => {
    const output = await new STSClient(clientConfig().config).send(new GetCallerIdentityCommand({}));
    expect(output).toMatchObject({ Account: ACCOUNT, Arn: ARN, UserId: KEY_ID });
  });
  test('refuses with its own codes', () =>
    expect(
      new STSClient(clientConfig(undefined, { credentials: { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'x' } }).config).send(
        new GetCallerIdentityCommand({}),
      ),
    ).rejects.toMatchObject({ name: 'InvalidClientTokenId', message: 'The security token included in the request is invalid.' }));
  test('knows no other action, and repeats none as markup', async () => {
    const response = await signedCall({ body: 'Action=%3Cx%3E&Version=2011-06-15' }, 'sts');
    expect(response).toMatchObject({ status: 400, headers: { 'content-type': 'text/xml' } });
    expect(response.body).toContain(
      '<Code>InvalidAction</Code><Message>The action &#60;x&#62; is not valid for this endpoint.</Message>',
    );
  });
});
