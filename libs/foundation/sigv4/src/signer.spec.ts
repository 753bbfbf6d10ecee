/**
 * The signer of the AWS SDK is the oracle again: for the same request both write the same signature. What it does not cover, our own verifier
 * has to accept.
 */
import { ManualClock, Secret } from '@gatehouse/kernel';
import { NodeSha256 } from '@gatehouse/testkit';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  readClaim,
  RequestSigner,
  SignatureVerifier,
  strictPath,
  strictQuery,
  type Credentials,
  type RequestToSign,
} from './index.js';

const NOW = Date.UTC(2026, 10, 20, 10, 11, 12);
const credentials: Credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secret: new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
  sessionToken: null,
};
const signer = new RequestSigner(new ManualClock(NOW));

const pairs = (headers: readonly string[]): [string, string][] =>
  Array.from({ length: headers.length / 2 }, (_, i) => [headers[2 * i]!, headers[2 * i + 1]!]);

async function oracle(request: RequestToSign, service: string, given: Credentials): Promise<string> {
  const sdk = new SignatureV4({
    service,
    region: 'eu-west-1',
    sha256: NodeSha256 as never,
    uriEscapePath: service !== 's3',
    credentials: {
      accessKeyId: given.accessKeyId,
      secretAccessKey: given.secret.reveal(),
      ...(given.sessionToken !== null && { sessionToken: given.sessionToken.reveal() }),
    },
  });
  const query: Record<string, string[]> = {};
  for (const part of request.query.split('&').filter((text) => text !== '')) {
    const [name, value] = part.split('=').map(decodeURIComponent) as [string, string];
    if (!Object.hasOwn(query, name)) query[name] = [];
    query[name]!.push(value);
  }
  const { headers } = await sdk.sign(
    {
      method: request.httpMethod,
      protocol: 'https:',
      hostname: request.host,
      path: request.path,
      query,
      headers: { host: request.host, ...Object.fromEntries(pairs(request.headers)) },
      ...(request.body.length > 0 && { body: request.body }),
    },
    { signingDate: new Date(NOW) },
  );
  return Object.entries(headers).find(([name]) => name.toLowerCase() === 'authorization')![1];
}

const own = (request: RequestToSign, service: string, given = credentials): string =>
  pairs(signer.sign(request, given, { region: 'eu-west-1', service })).find(([name]) => name === 'Authorization')![1];

const anyText = fc.string({ unit: 'grapheme', maxLength: 8 });
const request: fc.Arbitrary<RequestToSign> = fc.record({
  httpMethod: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE'),
  host: fc.constantFrom('dynamodb.eu-west-1.amazonaws.com', 'localhost:4566'),
  path: fc.array(anyText, { maxLength: 4 }).map((segments) => strictPath(`/${segments.map(encodeURIComponent).join('/')}`)),
  query: fc
    .array(
      fc.tuple(
        anyText.filter((name) => name !== '' && name !== '__proto__' && !/^x-amz-/i.test(name)),
        anyText,
      ),
      { maxLength: 4 },
    )
    .map((list) => strictQuery(list.map((pair) => pair.map(encodeURIComponent).join('=')).join('&'))),
  headers: fc
    .dictionary(
      fc.constantFrom('Content-Type', 'X-Amz-Target', 'X-Amz-Meta-A', 'x-amz-acl'),
      fc.string({ unit: fc.constantFrom(...'ab ;=/"'), minLength: 1, maxLength: 10 }),
    )
    .map((headers) => Object.entries(headers).flat()),
  body: fc.uint8Array({ maxLength: 40 }),
});

for (const service of ['s3', 'dynamodb']) {
  test(`requests to ${service} get the signature that the AWS SDK gives them`, async () => {
    await fc.assert(
      fc.asyncProperty(request, fc.boolean(), async (given, isTemporary) => {
        const signing = isTemporary ? { ...credentials, sessionToken: new Secret('FQoGZXIvYXdzE//token==') } : credentials;
        expect(own(given, service, signing)).toBe(await oracle(given, service, signing));
      }),
      { seed: 7, numRuns: 150 },
    );
  });
}

test('a verifier accepts what was signed, and nothing else that was changed of it', () => {
  const given: RequestToSign = {
    httpMethod: 'POST',
    host: 'localhost:4566',
    path: '/a%20b/c',
    query: 'Action=Publish&Message=%2B',
    headers: ['Content-Type', 'application/json'],
    body: Buffer.from('{}'),
  };
  const headers = Object.fromEntries(
    pairs([
      'host',
      given.host,
      ...given.headers,
      ...signer.sign(given, credentials, { region: 'eu-west-1', service: 'sns' }),
    ]).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const verify = (rawUrl: string, body = given.body): string | null => {
    const sent = { method: 'POST', rawUrl, headers, body };
    const result = readClaim(sent);
    if ('fault' in result) return result.fault.type;
    const credential = { secret: credentials.secret, enabled: true, session: null };
    const policy = { services: ['sns'], isValidRegion: () => true };
    return new SignatureVerifier(new ManualClock(NOW)).verify(sent, result.claim, credential, policy)?.type ?? null;
  };
  expect(verify('/a%20b/c?Action=Publish&Message=%2B')).toBe(null);
  expect(verify('/a%20b/d?Action=Publish&Message=%2B')).not.toBe(null);
  expect(verify('/a%20b/c?Action=Publish&Message=%2C')).not.toBe(null);
  expect(verify('/a%20b/c?Action=Publish&Message=%2B', Buffer.from('[]'))).not.toBe(null);
});

test('a key whose secret was replaced signs with the new one', () => {
  const given: RequestToSign = { httpMethod: 'GET', host: 'h', path: '/', query: '', headers: [], body: new Uint8Array() };
  const first = own(given, 'sqs');
  expect(own(given, 'sqs', { ...credentials, secret: new Secret('another') })).not.toBe(first);
  expect(own(given, 'sqs')).toBe(first);
});

test.each([
  ['/a b', '/a%20b'],
  ['/a@b:c', '/a%40b%3Ac'],
  ['/%7e%2f+', '/~%2F%2B'],
  ['/a//b/../c', '/a//b/../c'],
])('path %s goes out as %s', (path, expected) => expect(strictPath(path)).toBe(expected));

test.each([
  ['', ''],
  ['a', 'a='],
  ['b=1&a=x y&&c=%7e', 'b=1&a=x%20y&c=~'],
])('query %s goes out as %s', (query, expected) => expect(strictQuery(query)).toBe(expected));
