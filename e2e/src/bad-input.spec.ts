import http from 'node:http';
import { NodeSha256 } from '@gatehouse/testkit';
import { SignatureV4 } from '@smithy/signature-v4';
import { APIGatewayClient, CreateRestApiCommand, GetRestApisCommand } from '@aws-sdk/client-api-gateway';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { Gatehouse } from './gatehouse.js';

let gatehouse: Gatehouse;
let apiId: string;
beforeAll(async () => {
  gatehouse = await Gatehouse.prepare(inject('checkout'));
  await gatehouse.start({ GATEHOUSE_DEMO: '0' });
  apiId = (await new APIGatewayClient(gatehouse.sdk()).send(new CreateRestApiCommand({ name: 'only' }))).id as string;
});
afterAll(() => gatehouse.discard());

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly message: string;
}

/** Sends a request as it is given, signed unless `secret` is wrong. */
async function send(
  method: string,
  path: string,
  body: string | Buffer = '',
  { contentType = 'application/json', secret }: { contentType?: string; secret?: string } = {},
): Promise<Answer> {
  const { credentials, region } = gatehouse.sdk();
  const url = new URL(gatehouse.url('GATEHOUSE_ADMIN_PORT'));
  const signer = new SignatureV4({
    service: 'apigateway',
    region,
    credentials: { ...credentials, secretAccessKey: secret ?? credentials.secretAccessKey },
    sha256: NodeSha256,
  });
  const signed = await signer.sign({
    method,
    protocol: 'http:',
    hostname: url.hostname,
    port: Number(url.port),
    path,
    query: {},
    headers: { host: url.host, 'content-type': contentType, 'content-length': String(Buffer.byteLength(body)) },
    body,
  });
  return new Promise((resolve, reject) => {
    const request = http.request({ host: url.hostname, port: url.port, method, path, headers: signed.headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const message = text === '' ? '' : ((JSON.parse(text) as { message?: string }).message ?? '');
        resolve({ status: response.statusCode ?? 0, type: String(response.headers['x-amzn-errortype']), message });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

const tenMegabytes = JSON.stringify({ name: 'x'.repeat(10 * 1024 * 1024) });
for (const [name, call, expected] of [
  ['malformed JSON', () => send('POST', '/restapis', '{"name": '), { status: 400, type: 'SerializationException' }],
  ['a list where an object belongs', () => send('POST', '/restapis', '[1]'), { status: 400, type: 'SerializationException' }],
  [
    'a number where text belongs',
    () => send('POST', '/restapis', '{"name": 5}'),
    { status: 400, type: 'SerializationException' },
  ],
  ['a missing name', () => send('POST', '/restapis', '{}'), { status: 400 }],
  ['a body over 10 MB', () => send('POST', '/restapis', tenMegabytes), { status: 413 }],
  ['a wrong content type', () => send('POST', '/restapis', '{"name":"x"}', { contentType: 'text/plain' }), { status: 415 }],
  [
    'a wrong signature',
    () => send('GET', '/restapis', '', { secret: 'wrong' }),
    { status: 403, type: 'InvalidSignatureException' },
  ],
  ['an unknown path', () => send('GET', '/nothing'), { status: 404, type: 'UnknownOperationException' }],
  ['an id that does not exist', () => send('GET', '/restapis/aaaaaaaaaa'), { status: 404, type: 'NotFoundException' }],
  [
    'an operator that does not exist',
    () => send('PATCH', `/restapis/${'0'.repeat(10)}`, '{"patchOperations":[{"op":"frob"}]}'),
    {
      status: 400,
      type: 'ValidationException',
    },
  ],
] as const) {
  test(`${name} gets the modelled error and leaves nothing behind`, async () => {
    expect(await call()).toMatchObject(expected);
    const { items } = await new APIGatewayClient(gatehouse.sdk()).send(new GetRestApisCommand({}));
    expect(items?.map(({ id }) => id)).toEqual([apiId]);
  });
}

test('unknown members are ignored, as AWS does', async () => {
  expect(await send('PATCH', `/restapis/${apiId}`, '{"patchOperations":[],"colour":"red"}')).toMatchObject({ status: 200 });
});

test('without a signature nothing is told', async () => {
  const response = await fetch(`${gatehouse.url('GATEHOUSE_ADMIN_PORT')}/restapis/${apiId}`);
  expect(response.status).toBe(403);
  expect(response.headers.get('x-amzn-errortype')).toBe('MissingAuthenticationTokenException');
  expect(await response.json()).toEqual({ message: 'Missing Authentication Token' });
});
