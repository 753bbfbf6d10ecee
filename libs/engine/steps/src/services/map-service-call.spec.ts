/**
 * Requests to AWS services as integrations make them. For the calls that the AWS SDK makes too, the SDK's own client is the oracle: method,
 * path, query, target, content type and body of the same call. Every signature is checked by the verifier, with the request as it goes out.
 */
import type { ServiceAccessEntry, ServiceIntegrationSnapshot } from '@gatehouse/contracts';
import { CONTINUE, Exchange, lastHeader, type RawHeaders, type ServiceAccessView } from '@gatehouse/engine-exchange';
import { ManualClock, Secret, sha256Hex } from '@gatehouse/kernel';
import { readClaim, SignatureVerifier } from '@gatehouse/sigv4';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient, GetItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { KinesisClient, PutRecordCommand } from '@aws-sdk/client-kinesis';
import { DetectLabelsCommand, RekognitionClient } from '@aws-sdk/client-rekognition';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { InvokeEndpointCommand, SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { describe, expect, test } from 'vitest';
import { mapRequest } from '../index.js';

const NOW = Date.UTC(2026, 10, 21, 20, 0, 0);
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const KEY = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: SECRET, sessionToken: null };

const INTEGRATION: ServiceIntegrationSnapshot = {
  type: 'SERVICE',
  partition: 'aws',
  region: 'eu-west-1',
  service: 'dynamodb',
  subdomain: null,
  path: '/',
  action: null,
  role: 'orders',
  httpMethod: 'POST',
  timeoutMs: 29_000,
  requestParameters: {},
  passthroughBehavior: 'WHEN_NO_MATCH',
  requestTemplates: {},
  responses: [],
};

function accessOf({ services = {}, roles = { orders: KEY } }: Partial<ServiceAccessEntry> = {}): ServiceAccessView {
  return {
    endpoint: (service) => (Object.hasOwn(services, service) ? services[service]! : null),
    role: (name) => {
      const role = Object.hasOwn(roles, name) ? roles[name]! : null;
      if (role === null) return null;
      const sessionToken = role.sessionToken === null ? null : new Secret(role.sessionToken);
      return { accessKeyId: role.accessKeyId, secret: new Secret(role.secretAccessKey), sessionToken };
    },
  };
}

interface Call {
  readonly httpMethod?: string;
  readonly headers?: RawHeaders;
  readonly query?: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly isVelocity?: boolean;
  readonly access?: ServiceAccessView | null;
}

function call(over: Partial<ServiceIntegrationSnapshot>, options: Call = {}): Exchange {
  const inner = { ...INTEGRATION, ...over };
  const stage = stageSnapshot();
  const route = routeSnapshot({
    path: '/x',
    integration: options.isVelocity === true ? { type: 'VELOCITY', integration: inner } : inner,
  });
  const x = new Exchange();
  x.httpMethod = options.httpMethod ?? 'POST';
  x.requestHeaders = options.headers ?? [];
  x.rawQuery = options.query ?? '';
  x.traceId = 'Root=1';
  x.bufferedBody = Buffer.from(options.body ?? '');
  const access = options.access === undefined ? accessOf() : options.access;
  x.world = { revision: 1, apiKey: () => null, usagePlan: () => null, accessKey: () => null, serviceAccess: () => access };
  x.stage = { snapshot: stage } as never;
  x.route = { settings: route, paramNames: Object.keys(options.params ?? {}) } as never;
  x.params.push(...Object.values(options.params ?? {}));
  const verdict = mapRequest({ stage, route }, new ManualClock(NOW)).step(x);
  expect(verdict === CONTINUE).toBe(x.fault === null);
  return x;
}

interface Sent {
  readonly method: string;
  readonly url: string;
  readonly target: string | null;
  readonly contentType: string | null;
  readonly body: string;
}

/** What goes out, and that the service would accept its signature. */
function sentOf(x: Exchange, service: string, region = 'eu-west-1'): Sent {
  const { httpMethod, url, headers, body } = x.upstreamRequest!;
  const { host, origin } = new URL(url);
  const bytes = (body as Buffer | null) ?? Buffer.alloc(0);
  const byName: Record<string, string> = { host };
  for (let i = 0; i < headers.length; i += 2) byName[headers[i]!.toLowerCase()] = headers[i + 1]!;
  const received = { method: httpMethod, rawUrl: url.slice(origin.length), headers: byName, body: bytes };
  const result = readClaim(received);
  if ('fault' in result) throw new Error(result.fault.message);
  const token = byName['x-amz-security-token'];
  const session = token === undefined ? null : { tokenDigest: sha256Hex(token), expiresAtMs: NOW + 1 };
  const credential = { secret: new Secret(SECRET), enabled: true, session };
  const policy = { services: [service], isValidRegion: (name: string) => name === region };
  // The verifier is that of services that encode a path once more; S3 does not, and its paths here need no encoding.
  expect(new SignatureVerifier(new ManualClock(NOW)).verify(received, result.claim, credential, policy)).toBe(null);
  return {
    method: httpMethod,
    url,
    target: lastHeader(headers, 'x-amz-target'),
    contentType: lastHeader(headers, 'content-type'),
    body: bytes.toString('utf8'),
  };
}

// Against the SDK's clients

interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly path: string;
  readonly query?: Record<string, string | string[] | null>;
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

/** A client that keeps its request instead of sending it. */
const recorder = () => {
  const seen: SdkRequest[] = [];
  const requestHandler = {
    handle: (request: SdkRequest) => {
      seen.push(request);
      return Promise.reject(new Error('recorded'));
    },
  };
  const settings = {
    region: 'eu-west-1',
    credentials: { accessKeyId: KEY.accessKeyId, secretAccessKey: SECRET },
    requestHandler: requestHandler as never,
    maxAttempts: 1,
  };
  return { seen, settings };
};

type Send = (settings: ReturnType<typeof recorder>['settings']) => Promise<unknown>;

async function sdkRequest(send: Send): Promise<Sent> {
  const { seen, settings } = recorder();
  await send(settings).catch(() => undefined);
  const { method, protocol, hostname, path, query = {}, headers, body } = seen[0]!;
  const parameters = Object.entries(query).flatMap(([name, value]) =>
    [value ?? ''].flat().map((item) => `${name}=${encodeURIComponent(item)}`),
  );
  const sent = body === undefined ? '' : typeof body === 'string' ? body : Buffer.from(body as Uint8Array).toString('utf8');
  return {
    method,
    url: `${protocol}//${hostname}${path}${parameters.length === 0 ? '' : `?${parameters.join('&')}`}`,
    target: headers['x-amz-target'] ?? null,
    contentType: headers['content-type'] ?? null,
    body: sent,
  };
}

const item = { id: { S: '7' }, name: { S: 'a "quoted" one' } };
const JSON_CALLS: readonly (readonly [name: string, Partial<ServiceIntegrationSnapshot>, signedFor: string, Send])[] = [
  [
    'DynamoDB PutItem',
    { service: 'dynamodb', action: 'PutItem' },
    'dynamodb',
    (settings) => new DynamoDBClient(settings).send(new PutItemCommand({ TableName: 'orders', Item: item })),
  ],
  [
    'DynamoDB GetItem',
    { service: 'dynamodb', action: 'GetItem' },
    'dynamodb',
    (settings) => new DynamoDBClient(settings).send(new GetItemCommand({ TableName: 'orders', Key: { id: { S: '7' } } })),
  ],
  [
    'DynamoDB Query',
    { service: 'dynamodb', action: 'Query' },
    'dynamodb',
    (settings) => new DynamoDBClient(settings).send(new QueryCommand({ TableName: 'orders', KeyConditionExpression: 'id = :i' })),
  ],
  [
    'Kinesis PutRecord',
    { service: 'kinesis', action: 'PutRecord' },
    'kinesis',
    (settings) =>
      new KinesisClient(settings).send(new PutRecordCommand({ StreamName: 's', Data: Buffer.from('abc'), PartitionKey: 'p' })),
  ],
  [
    'EventBridge PutEvents',
    { service: 'events', action: 'PutEvents' },
    'events',
    (settings) =>
      new EventBridgeClient(settings).send(new PutEventsCommand({ Entries: [{ Source: 's', Detail: '{}', DetailType: 'd' }] })),
  ],
  [
    'Step Functions StartExecution',
    { service: 'states', action: 'StartExecution' },
    'states',
    (settings) =>
      new SFNClient(settings).send(
        new StartExecutionCommand({ stateMachineArn: 'arn:aws:states:eu-west-1:1:stateMachine:m', input: '{}' }),
      ),
  ],
  [
    'Secrets Manager GetSecretValue',
    { service: 'secretsmanager', action: 'GetSecretValue' },
    'secretsmanager',
    (settings) => new SecretsManagerClient(settings).send(new GetSecretValueCommand({ SecretId: 'a/b' })),
  ],
  [
    'Rekognition DetectLabels',
    { service: 'rekognition', action: 'DetectLabels' },
    'rekognition',
    (settings) =>
      new RekognitionClient(settings).send(new DetectLabelsCommand({ Image: { S3Object: { Bucket: 'b', Name: 'n' } } })),
  ],
];

describe('an action of a service that speaks JSON is the request of the AWS SDK', () => {
  test.each(JSON_CALLS)('%s', async (name, integration, service, send) => {
    const expected = await sdkRequest(send);
    const own = sentOf(call({ ...integration, requestTemplates: { 'application/json': expected.body } }), service);
    // The SDK reaches some accounts' tables at an address of the account; API Gateway uses the one of the region.
    expect({ ...own, url: own.url.replace(/\/$/, '') }, name).toEqual({
      ...expected,
      url: expected.url.replace(/\/$/, '').replace(/\/\/\d{12}\.ddb\./, '//dynamodb.'),
    });
  });
});

describe('an action of a service that speaks the query protocol is one Action and Version, and the rest of the SDK request', () => {
  test('SNS Publish by query mappings', async () => {
    const expected = await sdkRequest((settings) =>
      new SNSClient(settings).send(new PublishCommand({ TopicArn: 'arn:aws:sns:eu-west-1:1:t', Message: 'a b&c' })),
    );
    const own = sentOf(
      call(
        {
          service: 'sns',
          action: 'Publish',
          requestParameters: {
            'integration.request.querystring.TopicArn': "'arn:aws:sns:eu-west-1:1:t'",
            'integration.request.querystring.Message': 'method.request.querystring.text',
          },
        },
        { query: 'text=a%20b%26c' },
      ),
      'sns',
    );
    const url = new URL(own.url);
    expect([own.method, url.origin + url.pathname, own.contentType]).toEqual([
      expected.method,
      expected.url,
      expected.contentType,
    ]);
    expect(sorted(url.searchParams)).toEqual(sorted(new URLSearchParams(expected.body)));
  });

  test('CloudWatch and STS as a form, with the version that the service has', async () => {
    const own = sentOf(
      call({ service: 'monitoring', action: 'PutMetricData', requestTemplates: { 'application/json': 'Namespace=n' } }),
      'monitoring',
    );
    expect([own.url, own.body]).toEqual([
      'https://monitoring.eu-west-1.amazonaws.com/?Action=PutMetricData&Version=2010-08-01',
      'Namespace=n',
    ]);
    const { url } = await sdkRequest((settings) =>
      new CloudWatchClient(settings).send(new PutMetricDataCommand({ Namespace: 'n', MetricData: [] })),
    );
    expect(new URL(own.url).origin).toBe(new URL(url).origin);
  });

  test('parameters of the ARN stand behind the action; a service without a known version has none', () => {
    const own = sentOf(call({ service: 'newservice', action: 'DoIt', path: '/?Name=a:b' }), 'newservice');
    expect(own.url).toBe('https://newservice.eu-west-1.amazonaws.com/?Action=DoIt&Name=a%3Ab');
  });
});

const sorted = (parameters: URLSearchParams): [string, string][] => [...parameters].sort(([a], [b]) => (a < b ? -1 : 1));

describe('a path is the request itself', () => {
  test('SQS SendMessage as JSON, as the SDK sends it', async () => {
    const expected = await sdkRequest((settings) =>
      new SQSClient(settings).send(
        new SendMessageCommand({ QueueUrl: 'https://sqs.eu-west-1.amazonaws.com/123456789012/orders', MessageBody: 'hello' }),
      ),
    );
    const own = sentOf(
      call({
        service: 'sqs',
        path: '/',
        requestParameters: {
          'integration.request.header.Content-Type': "'application/x-amz-json-1.0'",
          'integration.request.header.X-Amz-Target': "'AmazonSQS.SendMessage'",
        },
        requestTemplates: { 'application/json': expected.body },
      }),
      'sqs',
    );
    expect({ ...own, url: new URL(own.url).href }).toEqual({ ...expected, url: new URL(expected.url).href });
  });

  test('SQS SendMessage as a form to the path of the queue', () => {
    const own = sentOf(
      call(
        {
          service: 'sqs',
          path: '/123456789012/{queue}',
          requestParameters: {
            'integration.request.header.Content-Type': "'application/x-www-form-urlencoded'",
            'integration.request.path.queue': 'method.request.querystring.queue',
          },
          requestTemplates: { 'application/json': 'Action=SendMessage&MessageBody=$util.urlEncode($input.body)' },
        },
        { query: 'queue=orders', body: 'a b', isVelocity: true },
      ),
      'sqs',
    );
    expect(own).toMatchObject({
      url: 'https://sqs.eu-west-1.amazonaws.com/123456789012/orders',
      contentType: 'application/x-www-form-urlencoded',
      body: 'Action=SendMessage&MessageBody=a+b',
    });
  });

  test('SageMaker: what stands before the service is part of its address, and not of what is signed for', async () => {
    const expected = await sdkRequest((settings) =>
      new SageMakerRuntimeClient(settings).send(
        new InvokeEndpointCommand({ EndpointName: 'e1', Body: Buffer.from('1,2'), ContentType: 'text/csv' }),
      ),
    );
    const own = sentOf(
      call(
        { service: 'sagemaker', subdomain: 'runtime', path: '/endpoints/e1/invocations' },
        { headers: ['Content-Type', 'text/csv'], body: '1,2' },
      ),
      'sagemaker',
    );
    expect(own).toEqual(expected);
  });

  test('S3: bucket and key from placeholders, and the bucket as a part of the host as the SDK has it', async () => {
    const expected = await sdkRequest((settings) =>
      new S3Client(settings).send(new GetObjectCommand({ Bucket: 'pictures', Key: 'cats/tom.png' })),
    );
    const own = sentOf(
      call(
        {
          service: 's3',
          subdomain: '{bucket}',
          path: '/{key}',
          httpMethod: 'GET',
          requestParameters: {
            'integration.request.path.bucket': 'method.request.path.bucket',
            'integration.request.path.key': 'method.request.path.key',
          },
        },
        { httpMethod: 'GET', params: { bucket: 'pictures', key: 'cats/tom.png' } },
      ),
      's3',
    );
    expect([own.method, own.url]).toEqual([expected.method, expected.url.replace(/\?.*/, '')]);
  });

  test('bytes that are no text go out as they came', () => {
    const body = Buffer.from([0, 255, 254, 128, 10]);
    const x = call({ service: 's3', path: '/b/k', httpMethod: 'PUT' }, { body, headers: ['Content-Type', 'image/png'] });
    sentOf(x, 's3');
    expect(x.upstreamRequest!.body).toEqual(body);
  });

  test("ANY is the caller's verb, and a request without content has no type of it", () => {
    const own = sentOf(call({ service: 's3', path: '/b/k', httpMethod: 'ANY' }, { httpMethod: 'HEAD' }), 's3');
    expect([own.method, own.contentType]).toEqual(['HEAD', null]);
  });
});

describe('where a service is', () => {
  const at = (
    integration: Partial<ServiceIntegrationSnapshot>,
    services: ServiceAccessEntry['services'] = {},
    service = 's3',
    region?: string,
  ): string => sentOf(call({ service: 's3', ...integration }, { access: accessOf({ services }) }), service, region).url;
  const local = { endpoint: 'http://127.0.0.1:4568', region: null };

  test.each<[string, Partial<ServiceIntegrationSnapshot>, ServiceAccessEntry['services'], string, string?, string?]>([
    ['AWS itself', {}, {}, 'https://s3.eu-west-1.amazonaws.com/'],
    [
      'AWS in China',
      { partition: 'aws-cn', region: 'cn-north-1' },
      {},
      'https://s3.cn-north-1.amazonaws.com.cn/',
      's3',
      'cn-north-1',
    ],
    ['one endpoint for all regions', { service: 'iam' }, {}, 'https://iam.amazonaws.com/', 'iam', 'us-east-1'],
    [
      'a name in the signature that is not that of the endpoint',
      { service: 'email' },
      {},
      'https://email.eu-west-1.amazonaws.com/',
      'ses',
    ],
    ['a registered endpoint', { path: '/b/k' }, { s3: local }, 'http://127.0.0.1:4568/b/k'],
    ['another service stays with AWS', {}, { sqs: local }, 'https://s3.eu-west-1.amazonaws.com/'],
    [
      'a registered endpoint with a path',
      { path: '/k' },
      { s3: { endpoint: 'http://127.0.0.1:4568/base', region: null } },
      'http://127.0.0.1:4568/base/k',
    ],
    ['a region of its own', {}, { s3: { ...local, region: 'local-1' } }, 'http://127.0.0.1:4568/', 's3', 'local-1'],
    [
      'a bucket of a registered endpoint is a segment of its path',
      { subdomain: 'pictures', path: '/k' },
      { s3: local },
      'http://127.0.0.1:4568/pictures/k',
    ],
    [
      'a subdomain of its own',
      { subdomain: 'runtime', service: 'sagemaker' },
      { 'runtime.sagemaker': local },
      'http://127.0.0.1:4568/',
      'sagemaker',
    ],
    [
      'that of the service, where the subdomain has none',
      { subdomain: 'runtime', service: 'sagemaker' },
      { sagemaker: local },
      'http://127.0.0.1:4568/',
      'sagemaker',
    ],
  ])('%s', (_what, integration, services, url, service, region) => expect(at(integration, services, service, region)).toBe(url));

  test.each(['evil.example/', 'a/b', 'evil.example#', 'a@evil.example', 'a:1', '.', '-a', 'a..b', 'é', ''])(
    'a value %j of a caller leads to no other host',
    (bucket) => {
      const x = call(
        {
          service: 's3',
          subdomain: '{bucket}',
          requestParameters: { 'integration.request.path.bucket': 'method.request.querystring.b' },
        },
        { query: `b=${encodeURIComponent(bucket)}` },
      );
      expect(x.fault!.name).toBe('MALFORMED_PATH_VALUE');
    },
  );

  test.each(['..', 'a/../../b', '.', 'a\\..\\b'])('nor %j out of the path that its owner wrote', (key) => {
    const x = call(
      {
        service: 's3',
        path: '/mine/{key}',
        requestParameters: { 'integration.request.path.key': 'method.request.querystring.k' },
      },
      { query: `k=${encodeURIComponent(key)}` },
    );
    expect(x.fault!.name).toBe('MALFORMED_PATH_VALUE');
  });

  test('a placeholder without a value is the mistake of the owner', () => {
    const requestParameters = { 'integration.request.path.key': 'method.request.querystring.k' };
    expect(call({ service: 's3', path: '/{key}', requestParameters }).fault!.name).toBe('INVALID_ENDPOINT');
  });
});

describe('credentials', () => {
  test('a role without any is what AWS says of one that cannot be assumed, and the log names it', () => {
    for (const access of [null, accessOf({ roles: {} })]) {
      const x = call({}, { access });
      expect([x.fault!.name, x.fault!.status, x.upstreamRequest]).toEqual(['API_CONFIGURATION_ERROR', 500, null]);
      expect(x.faultDoing).toContain(
        'API Gateway does not have permission to assume the provided role: role orders of account 123456789012',
      );
    }
  });

  test('those of a session say which', () => {
    const x = call({}, { access: accessOf({ roles: { orders: { ...KEY, sessionToken: 'token-1' } } }) });
    sentOf(x, 'dynamodb');
    expect(lastHeader(x.upstreamRequest!.headers, 'x-amz-security-token')).toBe('token-1');
  });
});

describe('headers', () => {
  const mapped = (name: string): Exchange => call({ requestParameters: { [`integration.request.header.${name}`]: "'mapped'" } });

  test.each([
    'Authorization',
    'Connection',
    'Expect',
    'Proxy-Authenticate',
    'TE',
    'Content-Length',
    'Transfer-Encoding',
    'X-Amzn-Trace-Id',
  ])('%s may not be mapped', (name) => expect(mapped(name).fault!.name).toBe('FORBIDDEN_HEADER_MAPPING'));

  test.each(['Host', 'X-Amz-Date', 'X-Amz-Security-Token', 'X-Amz-Content-Sha256', 'Referer', 'Via'])(
    '%s is ours to write',
    (name) => {
      const x = mapped(name);
      sentOf(x, 'dynamodb');
      expect(x.upstreamRequest!.headers).not.toContain('mapped');
    },
  );

  test.each(['X-Amz-Acl', 'X-Custom', 'Content-MD5', 'Accept'])('%s is sent as it is mapped', (name) => {
    const x = mapped(name);
    sentOf(x, 'dynamodb');
    expect(lastHeader(x.upstreamRequest!.headers, name.toLowerCase())).toBe('mapped');
  });

  test('a mapped target takes the place of the one of the action', () => {
    const x = call({
      service: 'events',
      action: 'PutEvents',
      requestParameters: { 'integration.request.header.X-Amz-Target': "'AWSEvents.Other'" },
    });
    expect(sentOf(x, 'events').target).toBe('AWSEvents.Other');
  });

  test("of the caller's own nothing goes out but the type of its body", () => {
    const x = call({ path: '/a' }, { headers: ['X-Secret', 's', 'Content-Type', 'text/plain', 'Authorization', 'Bearer t'] });
    sentOf(x, 'dynamodb');
    expect(x.upstreamRequest!.headers.filter((_, i) => i % 2 === 0)).toEqual([
      ...['Accept', 'User-Agent', 'Content-Type', 'X-Amz-Date', 'X-Amz-Content-Sha256', 'Authorization'],
    ]);
    expect(lastHeader(x.upstreamRequest!.headers, 'content-type')).toBe('text/plain');
  });

  test('overrides of a template are held to the same rules', () => {
    const template = (name: string): Exchange =>
      call(
        {
          requestTemplates: {
            'application/json': `#set($context.requestOverride.header.${name} = 'o')#set($context.requestOverride.querystring.q = 'a b')x`,
          },
        },
        { isVelocity: true },
      );
    const x = template('X-Custom');
    expect(sentOf(x, 'dynamodb').url).toBe('https://dynamodb.eu-west-1.amazonaws.com/?q=a%20b');
    expect(lastHeader(x.upstreamRequest!.headers, 'x-custom')).toBe('o');
    expect(template('Authorization').fault!.name).toBe('FORBIDDEN_HEADER_MAPPING');
    expect(template('Host').upstreamRequest!.headers).not.toContain('o');
  });
});
