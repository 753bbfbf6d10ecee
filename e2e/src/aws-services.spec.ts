/**
 * Integrations of type AWS through the whole product: an API is imported and deployed, endpoints and credentials are registered, and callers reach
 * servers that speak DynamoDB, S3 and Kinesis, a recorder that checks signatures for services without such a server, and a function.
 */
import { readFileSync } from 'node:fs';
import { APIGatewayClient, CreateDeploymentCommand, ImportRestApiCommand } from '@aws-sdk/client-api-gateway';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Secret, systemClock } from '@gatehouse/kernel';
import { RequestSigner } from '@gatehouse/sigv4';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import yazl from 'yazl';
import {
  S3_KEY,
  startDynamoDb,
  startKinesis,
  startRecorder,
  startS3,
  type ReceivedCall,
  type RunningServer,
} from './compatible-servers.js';
import { eventually, Gatehouse } from './gatehouse.js';

const REGION = 'us-east-1';
const KEY = { accessKeyId: 'AKIAORDERS', secretAccessKey: 'a/secret+of=orders' };
const BUCKET = 'pictures';

let gatehouse: Gatehouse;
let account: string;
let base: string;
let recorder: RunningServer & { readonly calls: ReceivedCall[] };
const servers = new Map<string, RunningServer>();

beforeAll(async () => {
  recorder = await startRecorder(KEY, ({ service }) =>
    service === 'sqs' ? { status: 400, body: '{"__type":"QueueDoesNotExist"}' } : { status: 200, body: '{"answered":true}' },
  );
  const started = [startDynamoDb(), startS3(BUCKET), startKinesis()];
  for (const [index, name] of ['dynamodb', 's3', 'kinesis'].entries()) servers.set(name, await started[index]!);
  for (const name of ['sqs', 'sns', 'events', 'states']) servers.set(name, recorder);
  await prepareServers();
  gatehouse = await Gatehouse.prepare(inject('checkout'));
  await gatehouse.start();
  account = gatehouse.env()['GATEHOUSE_ACCOUNT_ID'] ?? (await accountOf());
  await createFunction();
  base = await deployApi();
});
afterAll(async () => {
  await gatehouse.discard();
  for (const server of new Set(servers.values())) await server.close();
});

/** Clients write into the credentials they are given. */
const sdkOf = (service: string, credentials = KEY) => ({
  endpoint: servers.get(service)!.url,
  region: REGION,
  credentials: { ...credentials },
});

async function prepareServers(): Promise<void> {
  await new DynamoDBClient(sdkOf('dynamodb')).send(
    new CreateTableCommand({
      TableName: 'orders',
      AttributeDefinitions: [
        { AttributeName: 'customer', AttributeType: 'S' },
        { AttributeName: 'id', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'customer', KeyType: 'HASH' },
        { AttributeName: 'id', KeyType: 'RANGE' },
      ],
      ProvisionedThroughput: { ReadCapacityUnits: 5, WriteCapacityUnits: 5 },
    }),
  );
  await kinesis('CreateStream', { StreamName: 'clicks', ShardCount: 1 });
}

/** Name, value, ...: as `fetch` takes them. */
function headersOf(...lists: readonly (readonly string[])[]): Headers {
  const headers = new Headers();
  for (const list of lists) for (let i = 0; i < list.length; i += 2) headers.set(list[i]!, list[i + 1]!);
  return headers;
}

/** By hand: the SDK's client speaks HTTP/2, and the server does not. */
async function kinesis(action: string, input: object): Promise<Record<string, unknown>> {
  const url = new URL(servers.get('kinesis')!.url);
  const body = Buffer.from(JSON.stringify(input));
  const headers = ['Content-Type', 'application/x-amz-json-1.1', 'X-Amz-Target', `Kinesis_20131202.${action}`];
  const credentials = { accessKeyId: KEY.accessKeyId, secret: new Secret(KEY.secretAccessKey), sessionToken: null };
  const request = { httpMethod: 'POST', host: url.host, path: '/', query: '', headers, body };
  const signed = new RequestSigner(systemClock).sign(request, credentials, { region: REGION, service: 'kinesis' });
  const response = await fetch(url, { method: 'POST', headers: headersOf(headers, signed), body });
  const text = await response.text();
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

/** The admin API, signed as for API Gateway. */
async function admin(httpMethod: string, path: string, body?: unknown): Promise<{ status: number; text: string }> {
  const { endpoint, region, credentials } = gatehouse.sdk();
  const { host, origin } = new URL(endpoint);
  const bytes = Buffer.from(body === undefined ? '' : JSON.stringify(body));
  const headers = ['Content-Type', 'application/json'];
  const signing = { accessKeyId: credentials.accessKeyId, secret: new Secret(credentials.secretAccessKey), sessionToken: null };
  const request = { httpMethod, host, path: `/admin/v1/${path}`, query: '', headers, body: bytes };
  const signed = new RequestSigner(systemClock).sign(request, signing, { region, service: 'apigateway' });
  const response = await fetch(`${origin}/admin/v1/${path}`, {
    method: httpMethod,
    headers: headersOf(headers, signed),
    ...(body !== undefined && { body: bytes }),
  });
  return { status: response.status, text: await response.text() };
}

async function accountOf(): Promise<string> {
  await admin('PUT', 'roles/probe', KEY);
  const { arn } = JSON.parse((await admin('GET', 'roles/probe')).text) as { arn: string };
  await admin('DELETE', 'roles/probe');
  return arn.split(':')[4]!;
}

const SOURCE = `exports.handler = async (event) => {
  if (event.fail) throw new Error(event.fail);
  return { got: event };
};`;

async function createFunction(): Promise<void> {
  await new LambdaClient(gatehouse.sdk()).send(
    new CreateFunctionCommand({
      FunctionName: 'custom',
      Runtime: 'nodejs22.x',
      Role: `arn:aws:iam::${account}:role/lambda`,
      Handler: 'index.handler',
      Code: { ZipFile: await zipped(SOURCE) },
    }),
  );
}

async function zipped(source: string): Promise<Buffer> {
  const archive = new yazl.ZipFile();
  archive.addBuffer(Buffer.from(source), 'index.js');
  archive.end();
  const chunks: Buffer[] = [];
  for await (const chunk of archive.outputStream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

interface Operation {
  readonly uri: string;
  readonly httpMethod?: string;
  readonly template?: string;
  readonly requestParameters?: Readonly<Record<string, string>>;
  readonly responses?: Readonly<Record<string, object>>;
  readonly role?: string | null;
}

/** One path each; parameters of paths and of the query are declared where a mapping names them. */
function operation({
  uri,
  httpMethod = 'POST',
  template,
  requestParameters = {},
  responses,
  role = 'orders',
}: Operation): object {
  const declared = Object.values(requestParameters).flatMap((source) => {
    const [, place, name] = /^method\.request\.(path|querystring|header)\.(.+)$/.exec(source) ?? [];
    return place === undefined
      ? []
      : [{ name, in: place === 'querystring' ? 'query' : place, required: place === 'path', type: 'string' }];
  });
  return {
    parameters: declared,
    responses: { 200: { description: 'ok' }, 404: { description: 'not found' }, 502: { description: 'failed' } },
    'x-amazon-apigateway-integration': {
      type: 'aws',
      uri,
      httpMethod,
      passthroughBehavior: 'when_no_match',
      ...(role !== null && { credentials: `arn:aws:iam::${account}:role/${role}` }),
      ...(template !== undefined && { requestTemplates: { 'application/json': template } }),
      requestParameters,
      responses: responses ?? { default: { statusCode: '200' } },
    },
  };
}

async function deployApi(): Promise<string> {
  const at = (rest: string): string => `arn:aws:apigateway:${REGION}:${rest}`;
  const key = { 'integration.request.path.key': 'method.request.path.key' };
  const functionUri = at(`lambda:path/2015-03-31/functions/arn:aws:lambda:${REGION}:${account}:function:custom/invocations`);
  const paths = {
    '/orders': {
      post: operation({
        uri: at('dynamodb:action/PutItem'),
        template: `{"TableName":"orders","Item":{"customer":{"S":"$input.path('$.customer')"},"id":{"S":"$context.requestId"},"note":{"S":"$util.escapeJavaScript($input.path('$.note'))"}}}`,
        responses: { default: { statusCode: '200', responseTemplates: { 'application/json': '{"id":"$context.requestId"}' } } },
      }),
    },
    '/orders/{customer}': {
      get: operation({
        uri: at('dynamodb:action/Query'),
        template: `{"TableName":"orders","KeyConditionExpression":"customer = :c","ExpressionAttributeValues":{":c":{"S":"$input.params('customer')"}}}`,
        responses: {
          default: {
            statusCode: '200',
            responseTemplates: {
              'application/json': `#set($items = $input.path('$.Items')){"orders":[#foreach($item in $items){"id":"$item.id.S","note":"$util.escapeJavaScript($item.note.S)"}#if($foreach.hasNext),#end#end]}`,
            },
          },
        },
      }),
    },
    '/orders/{customer}/{id}': {
      get: operation({
        uri: at('dynamodb:action/GetItem'),
        template: `{"TableName":"orders","Key":{"customer":{"S":"$input.params('customer')"},"id":{"S":"$input.params('id')"}}}`,
        responses: {
          default: {
            statusCode: '200',
            responseTemplates: {
              'application/json': `#set($item = $input.path('$.Item'))#if(!$item || $item == '')#set($context.responseOverride.status = 404){"missing":true}#else{"note":$input.json('$.Item.note.S')}#end`,
            },
          },
        },
      }),
    },
    '/broken': {
      post: operation({
        uri: at('dynamodb:action/PutItem'),
        template: '{"TableName":"nowhere","Item":{}}',
        responses: {
          default: { statusCode: '200' },
          '4\\d{2}': { statusCode: '404', responseTemplates: { 'application/json': '{"refused":true}' } },
        },
      }),
    },
    '/pictures/{key+}': {
      put: operation({
        uri: at(`s3:path/${BUCKET}/{key}`),
        httpMethod: 'PUT',
        requestParameters: { ...key, 'integration.request.header.Content-Type': 'method.request.header.Content-Type' },
        responses: { default: { statusCode: '200', responseParameters: {} } },
        role: 'service-role/pictures',
      }),
      get: operation({
        uri: at('{bucket}.s3:path/{key}'),
        httpMethod: 'GET',
        requestParameters: { ...key, 'integration.request.path.bucket': 'stageVariables.bucket' },
        responses: {
          '2..': { statusCode: '200' },
          404: { statusCode: '404', responseTemplates: { 'application/json': '{"missing":true}' } },
        },
        role: 'service-role/pictures',
      }),
    },
    '/clicks': {
      post: operation({
        uri: at('kinesis:action/PutRecord'),
        template: `{"StreamName":"clicks","Data":"$util.base64Encode($input.body)","PartitionKey":"p"}`,
      }),
    },
    '/queue': {
      post: operation({
        uri: at('sqs:path/123456789012/work'),
        requestParameters: { 'integration.request.header.Content-Type': "'application/x-www-form-urlencoded'" },
        template: 'Action=SendMessage&MessageBody=$util.urlEncode($input.body)',
        responses: { default: { statusCode: '200' }, 400: { statusCode: '502' } },
      }),
    },
    '/topic': {
      post: operation({
        uri: at('sns:action/Publish'),
        requestParameters: {
          'integration.request.querystring.TopicArn': "'arn:aws:sns:us-east-1:123456789012:t'",
          'integration.request.querystring.Message': 'method.request.body',
        },
        template: '',
      }),
    },
    '/events': {
      post: operation({
        uri: at('events:action/PutEvents'),
        template: '{"Entries":[{"Source":"s","DetailType":"d","Detail":"{}"}]}',
      }),
    },
    '/executions': {
      post: operation({
        uri: at('states:action/StartExecution'),
        template: `{"stateMachineArn":"arn:m","input":"$util.escapeJavaScript($input.json('$'))"}`,
      }),
    },
    '/stranger': { post: operation({ uri: at('sns:action/Publish'), role: 'nobody' }) },
    '/function': {
      post: operation({
        uri: functionUri,
        role: 'invoker',
        template: `{"name":$input.json('$.name')#if($input.path('$.fail') != ""),"fail":$input.json('$.fail')#end}`,
        responses: {
          default: { statusCode: '200', responseTemplates: { 'application/json': `{"answer":$input.json('$.got.name')}` } },
          '.*out of stock.*': {
            statusCode: '404',
            responseTemplates: { 'application/json': `{"said":$input.json('$.errorMessage')}` },
          },
        },
      }),
    },
    '/later': {
      post: operation({
        uri: functionUri,
        role: 'invoker',
        requestParameters: { 'integration.request.header.X-Amz-Invocation-Type': "'Event'" },
        responses: { default: { statusCode: '200' } },
      }),
    },
    '/not-permitted': { post: operation({ uri: functionUri, role: null }) },
  };
  const document = { swagger: '2.0', info: { title: 'services', version: '1' }, paths };
  const client = new APIGatewayClient(gatehouse.sdk());
  const { id } = await client.send(
    new ImportRestApiCommand({ body: Buffer.from(JSON.stringify(document)), failOnWarnings: true }),
  );
  await client.send(new CreateDeploymentCommand({ restApiId: id!, stageName: 'dev', variables: { bucket: BUCKET } }));
  for (const [service, { url }] of servers)
    expect(await admin('PUT', `services/${service}`, { endpoint: url })).toMatchObject({ status: 200 });
  expect(await admin('PUT', 'roles/orders', KEY)).toEqual({ status: 200, text: expect.stringContaining('AKIAORDERS') as string });
  expect(await admin('PUT', 'roles/service-role%2Fpictures', S3_KEY)).toMatchObject({ status: 200 });
  const url = `${gatehouse.url('GATEHOUSE_PORT')}/_aws/execute-api/${id!}/dev`;
  await eventually('the API is live', async () => (await fetch(`${url}/orders/nobody`)).status === 200);
  return url;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function call(httpMethod: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${base}${path}`, {
    method: httpMethod,
    headers: { 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? '' : (JSON.parse(text) as unknown) };
}

describe('DynamoDB, through templates', () => {
  test('what is put is found by its key and by a query, whatever stands in it', async () => {
    const notes = ['a "quoted" note', 'ä\\b'];
    const ids: string[] = [];
    for (const note of notes) {
      const { status, body } = await call('POST', '/orders', { customer: 'ann', note });
      expect(status).toBe(200);
      ids.push((body as { id: string }).id);
    }
    expect(await call('GET', `/orders/ann/${ids[0]!}`)).toEqual({ status: 200, body: { note: notes[0] } });
    const { orders } = (await call('GET', '/orders/ann')).body as { orders: { id: string; note: string }[] };
    expect(new Map(orders.map(({ id, note }) => [id, note]))).toEqual(new Map(ids.map((id, i) => [id, notes[i]!])));
  });

  test('an empty result is the template to judge', async () => {
    expect(await call('GET', '/orders/ann/none')).toEqual({ status: 404, body: { missing: true } });
    expect(await call('GET', '/orders/nobody')).toEqual({ status: 200, body: { orders: [] } });
  });

  test('a refusal of the service is matched by its status', async () => {
    expect(await call('POST', '/broken', {})).toEqual({ status: 404, body: { refused: true } });
  });
});

describe('S3, by paths', () => {
  test('bytes that are no text go in and come out as they are, under a key of several segments', async () => {
    const bytes = Buffer.from(Array.from({ length: 1_024 }, (_, i) => i % 256));
    const put = await fetch(`${base}/pictures/cats/tom%20cat.png`, {
      method: 'PUT',
      headers: { 'content-type': 'image/png' },
      body: bytes,
    });
    expect(put.status).toBe(200);
    const stored = await new S3Client({ ...sdkOf('s3', S3_KEY), forcePathStyle: true }).send(
      new GetObjectCommand({ Bucket: BUCKET, Key: 'cats/tom cat.png' }),
    );
    expect(stored.ContentType).toBe('image/png');
    expect(Buffer.from(await stored.Body!.transformToByteArray())).toEqual(bytes);
    const got = await fetch(`${base}/pictures/cats/tom%20cat.png`);
    expect([got.status, Buffer.from(await got.arrayBuffer())]).toEqual([200, bytes]);
  });

  test('what is not there is 404', async () => {
    expect(await call('GET', '/pictures/dogs/none')).toEqual({ status: 404, body: { missing: true } });
  });
});

test('Kinesis: a record is put as its base64 says', async () => {
  const { status, body } = await call('POST', '/clicks', { page: 7 });
  expect([status, body]).toEqual([200, { SequenceNumber: expect.any(String) as string, ShardId: expect.any(String) as string }]);
  const { ShardId } = body as { ShardId: string };
  const { ShardIterator } = await kinesis('GetShardIterator', {
    StreamName: 'clicks',
    ShardId,
    ShardIteratorType: 'TRIM_HORIZON',
  });
  const { Records } = (await kinesis('GetRecords', { ShardIterator })) as { Records: { Data: string }[] };
  expect(Records.map(({ Data }) => Buffer.from(Data, 'base64').toString())).toEqual(['{"page":7}']);
});

describe('services that a recorder stands for, which checks their signatures', () => {
  const taken = async (path: string, body: unknown): Promise<readonly [Answer, ReceivedCall]> => {
    recorder.calls.length = 0;
    const answer = await call('POST', path, body);
    expect(recorder.calls).toHaveLength(1);
    return [answer, recorder.calls[0]!];
  };

  test('SQS SendMessage, by path; its refusal is matched by its status', async () => {
    const [answer, sent] = await taken('/queue', { a: 'b c' });
    expect(answer).toEqual({ status: 502, body: { __type: 'QueueDoesNotExist' } });
    expect(sent).toEqual({
      service: 'sqs',
      region: REGION,
      httpMethod: 'POST',
      url: '/123456789012/work',
      target: null,
      contentType: 'application/x-www-form-urlencoded',
      body: 'Action=SendMessage&MessageBody=%7B%22a%22%3A%22b+c%22%7D',
    });
  });

  test('SNS Publish, by action', async () => {
    const [answer, sent] = await taken('/topic', { a: 'b c' });
    expect(answer).toEqual({ status: 200, body: { answered: true } });
    expect([sent.service, sent.body]).toEqual(['sns', '']);
    expect([...new URL(sent.url, 'http://h').searchParams]).toEqual([
      ['Action', 'Publish'],
      ['Version', '2010-03-31'],
      ['Message', '{"a":"b c"}'],
      ['TopicArn', 'arn:aws:sns:us-east-1:123456789012:t'],
    ]);
  });

  test('EventBridge PutEvents and Step Functions StartExecution, by targets', async () => {
    const [, events] = await taken('/events', {});
    expect([events.service, events.url, events.target, events.contentType]).toEqual([
      'events',
      '/',
      'AWSEvents.PutEvents',
      'application/x-amz-json-1.1',
    ]);
    const [, states] = await taken('/executions', { a: 1 });
    expect([states.service, states.target, JSON.parse(states.body)]).toEqual([
      'states',
      'AWSStepFunctions.StartExecution',
      { stateMachineArn: 'arn:m', input: '{"a":1}' },
    ]);
  });

  test('a role without credentials is 500, says nothing to the caller, and the request reaches nobody', async () => {
    recorder.calls.length = 0;
    expect(await call('POST', '/stranger', {})).toEqual({ status: 500, body: { message: 'Internal server error' } });
    expect(recorder.calls).toEqual([]);
  });
});

describe('a function', () => {
  test('gets what the template makes, and its answer is mapped', async () => {
    expect(await call('POST', '/function', { name: 'ann' })).toEqual({ status: 200, body: { answer: 'ann' } });
  });

  test('that throws is matched by its message', async () => {
    const fail = 'bolts are out of stock';
    expect(await call('POST', '/function', { name: 'ann', fail })).toEqual({ status: 404, body: { said: fail } });
  });

  test('called with Event is answered before it ran', async () => {
    expect(await call('POST', '/later', { name: 'ann' })).toEqual({ status: 200, body: '' });
  });

  test('without a role it is asked whether API Gateway may call it', async () => {
    expect(await call('POST', '/not-permitted', {})).toEqual({ status: 500, body: { message: 'Internal server error' } });
  });
});

test('no secret of a role is in a log', () => {
  expect(gatehouse.logs()).not.toContain(KEY.secretAccessKey);
  expect(readFileSync(`${gatehouse.home}/logs/control-plane.log`, 'utf8')).not.toContain(KEY.secretAccessKey);
});
