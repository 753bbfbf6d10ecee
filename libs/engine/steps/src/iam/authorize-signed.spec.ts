// What AWS answers to signatures that hold, and to those that do not (data-plane reference §1.4; fault 41 of the fault list).
import { CONTINUE, contextVariable, FAULT, lastHeader, type AccessKeyView, type Exchange } from '@gatehouse/engine-exchange';
import { ManualClock, sha256Hex } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { authorize, limitBody, mayInvalidateCache } from '../index.js';
import {
  ACCESS_KEY_ID,
  accessKey,
  exchangeOf,
  NOW,
  signedRequest,
  type SentRequest,
  type Signing,
} from '../testing/signed-exchange.js';

const route = routeSnapshot({ path: '/pets', authorization: { type: 'IAM' } });
const stage = stageSnapshot({ routes: [route] });
const nobody = { call: () => Promise.reject(new Error('somebody was called')) };
const step = authorize({ functions: nobody, http: nobody, limits: { clock: new ManualClock(NOW) } })({ stage, route })!;
const policy = (Effect: string, Resource = '*', over: object = {}): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect, Action: 'execute-api:Invoke', Resource, ...over }] });
const ann = (over: Partial<AccessKeyView> = {}): AccessKeyView => accessKey({ policy: policy('Allow'), ...over });

const verdictOf = async (x: Exchange): Promise<string> => {
  const verdict = await step(x);
  if (verdict === CONTINUE) return 'admitted';
  expect(verdict).toBe(FAULT);
  return `${x.fault!.errorType}: ${x.faultMessage}`;
};
const send = async (
  signing: Signing = {},
  change: (request: SentRequest) => void = () => undefined,
  key: AccessKeyView | null = ann(),
): Promise<string> => {
  const request = await signedRequest(signing);
  change(request);
  return verdictOf(exchangeOf(request, stage, key));
};

const MISMATCH =
  'InvalidSignatureException: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';
const UNKNOWN = 'AccessDeniedException: The security token included in the request is invalid.';
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

describe('a signature holds', () => {
  test.each([
    ['in headers', {}],
    ['in a query', { presignedForSeconds: 60 }],
    ['in a query that was made days ago', { presignedForSeconds: 7 * 86_400, atMs: NOW - 6 * DAY_MS }],
    ['of a body whose hash is stated', { method: 'POST', body: '{"name":"Rex"}' }],
    ['of a body whose hash is not stated', { method: 'POST', body: '{"name":"Rex"}', statesPayloadHash: false }],
    ['of parameters that come twice', { query: { tag: ['b', 'a'], 'a b': 'c+d/e' } }],
    ['of a path with escapes', { path: '/dev/pets/a%20b%2Fc' }],
    ['of a path behind the common host', { path: '/_aws/execute-api/abc123defg/dev/pets', host: 'localhost:8080' }],
    ['of a port in Host', { host: 'abc123defg.execute-api.localhost:8080' }],
    ['of other headers', { headers: { 'x-api-key': 'k', 'X-Amz-Meta': 'a  b' } }],
    ['four minutes late', { atMs: NOW - 4 * MINUTE_MS }],
    ['four minutes early', { atMs: NOW + 4 * MINUTE_MS }],
  ] as [string, Signing][])('%s', async (_, signing) => {
    const onCommonHost = signing.path?.startsWith('/_aws/') ?? false;
    expect(
      await send(signing, (request) => {
        if (onCommonHost) request.path = '/dev/pets'; // as the target is read
      }),
    ).toBe('admitted');
  });

  test('a length that the signer signed is one that no step sees', async () => {
    const signing = { method: 'POST', body: 'four', headers: { 'content-length': '4' } };
    expect(await send(signing, ({ headers }) => delete headers['content-length'])).toBe('admitted');
  });

  test('CloudFront in front may add its own header', async () => {
    expect(await send({}, ({ headers }) => (headers['x-amz-cf-id'] = 'abc'))).toBe('admitted');
  });

  test('a replay within the time window passes, as at AWS', async () => {
    const request = await signedRequest();
    expect(await verdictOf(exchangeOf(request, stage, ann()))).toBe('admitted');
    expect(await verdictOf(exchangeOf(request, stage, ann()))).toBe('admitted');
  });

  test('a space that was signed as %20 may be sent as +', async () => {
    expect(await send({ query: { q: 'a b' } }, (request) => (request.rawQuery = 'q=a+b'))).toBe('admitted');
  });
});

describe('a signature is refused', () => {
  const body = { method: 'POST', body: 'x' };
  const cases: [string, Signing, (request: SentRequest) => void, string, (AccessKeyView | null)?][] = [
    ['there is none', { isSigned: false }, () => {}, 'MissingAuthenticationTokenException: Missing Authentication Token'],
    [
      'of another scheme',
      { isSigned: false, headers: { authorization: 'Bearer abc' } },
      () => {},
      "IncompleteSignatureException: Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
        "Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    ],
    [
      'too late',
      { atMs: NOW - 6 * MINUTE_MS },
      () => {},
      'InvalidSignatureException: Signature expired: 20261120T100512Z is now earlier than 20261120T100612Z (20261120T101112Z - 5 min.)',
    ],
    [
      'too early',
      { atMs: NOW + 6 * MINUTE_MS },
      () => {},
      'InvalidSignatureException: Signature not yet current: 20261120T101712Z is still later than 20261120T101612Z (20261120T101112Z + 5 min.)',
    ],
    [
      'presigned and over',
      { presignedForSeconds: 60, atMs: NOW - 2 * MINUTE_MS },
      () => {},
      'InvalidSignatureException: Signature expired: 20261120T101012Z is now earlier than 20261120T101112Z',
    ],
    ['a parameter doubled', { query: { a: '1' } }, (r) => (r.rawQuery += '&a=1'), MISMATCH],
    ['a parameter changed', { query: { a: '1' } }, (r) => (r.rawQuery = 'a=2'), MISMATCH],
    ['a plus where a plus was signed', { query: { q: 'a+b' } }, (r) => (r.rawQuery = 'q=a+b'), MISMATCH],
    [
      'a doubled X-Amz-Date',
      { presignedForSeconds: 60 },
      (r) => (r.rawQuery += '&X-Amz-Date=20261120T101112Z'),
      "IncompleteSignatureException: AWS query-string parameter 'X-Amz-Date' must be given once.",
    ],
    ['another path', {}, (r) => (r.path = '/dev/cats'), MISMATCH],
    ['another verb', {}, (r) => (r.method = 'DELETE'), MISMATCH],
    ['another body', body, (r) => (r.body = 'y'), MISMATCH],
    ['another body, no hash stated', { ...body, statesPayloadHash: false }, (r) => (r.body = 'y'), MISMATCH],
    ['a body that was not signed', {}, (r) => (r.body = 'y'), MISMATCH],
    ['an unsigned payload', { ...body, headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }, () => {}, MISMATCH],
    ['another secret', { secret: 'guessed' }, () => {}, MISMATCH],
    ['another host', {}, (r) => (r.headers['host'] = 'zzz123defg.execute-api.localhost'), MISMATCH],
    ['an unknown key', { accessKeyId: 'AKIAIOSFODNN7ANOTHER' }, () => {}, UNKNOWN],
    ['a key that is not enabled', {}, () => {}, UNKNOWN, null],
    ['a session token that was lost', { accessKeyId: 'ASIAIOSFODNN7EXAMPLE' }, () => {}, UNKNOWN],
    ['a session token with a long-lived key', { sessionToken: 'abc' }, () => {}, UNKNOWN],
    [
      'for another service',
      { service: 'apigateway' },
      () => {},
      "InvalidSignatureException: Credential should be scoped to correct service: 'execute-api'.",
    ],
    [
      'for another region',
      { region: 'eu-west-1' },
      () => {},
      "InvalidSignatureException: Credential should be scoped to a valid region, not 'eu-west-1'.",
    ],
    [
      'a header that was added on the way',
      {},
      (r) => (r.headers['x-amz-meta'] = 'a'),
      'InvalidSignatureException: There were headers present in the request which were not signed: x-amz-meta',
    ],
  ];
  test.each(cases)('%s', async (_, signing, change, expected, key = ann()) => {
    expect(await send(signing, change, key)).toBe(expected);
  });
});

describe('the body', () => {
  const ofBody = async (signing: Signing, change: (request: SentRequest) => void = () => undefined) => {
    const reads = { count: 0 };
    const request = await signedRequest({ method: 'POST', body: 'x'.repeat(10), ...signing });
    change(request);
    const x = exchangeOf(request, stage, ann(), reads);
    return { verdict: await verdictOf(x), reads: reads.count, x };
  };

  test('is read once, and is there for the steps behind', async () => {
    const { verdict, reads, x } = await ofBody({});
    expect([verdict, reads, String(x.openBody())]).toEqual(['admitted', 1, 'xxxxxxxxxx']);
  });

  test('is not read for a signature that does not hold over the hash it states', async () => {
    const { verdict, reads } = await ofBody({ secret: 'guessed' });
    expect([verdict, reads]).toEqual([MISMATCH, 0]);
  });

  test('is signed as it is sent, compressed or not, and decoded for the steps behind', async () => {
    const body = gzipSync('{"name":"Rex"}').toString('latin1');
    const signing = { method: 'POST', headers: { 'content-encoding': 'gzip' }, body };
    const x = exchangeOf(await signedRequest(signing), stage, ann());
    limitBody({ stage, route })!(x);
    expect(await verdictOf(x)).toBe('admitted');
    expect(String(x.openBody())).toBe('{"name":"Rex"}');
  });

  test('is not read for nobody', async () => {
    const { verdict, reads } = await ofBody({ accessKeyId: 'AKIAIOSFODNN7ANOTHER', statesPayloadHash: false });
    expect([verdict, reads]).toEqual([UNKNOWN, 0]);
  });

  test('beyond the limit is refused as everywhere', async () => {
    const request = await signedRequest({ method: 'POST', body: 'x'.repeat(10), statesPayloadHash: false });
    const x = exchangeOf(request, stage, ann());
    x.bodyLimitBytes = 5;
    expect(await verdictOf(x)).toBe('RequestTooLargeException: HTTP content length exceeded 10485760 bytes.');
  });
});

describe('who signed may call by policy', () => {
  const REFUSED =
    'AccessDeniedException: User: arn:aws:iam::123456789012:user/ann is not authorized to perform: execute-api:Invoke on resource: ' +
    'arn:aws:execute-api:us-east-1:********9012:abc123defg/dev/GET/pets';
  const PETS = 'arn:aws:execute-api:us-east-1:123456789012:abc123defg/dev/GET/pets';
  const cases: [string, Partial<AccessKeyView>, string][] = [
    ['without a policy nobody', { policy: null }, REFUSED],
    ['but for the root of the account', { policy: null, principalArn: 'arn:aws:iam::123456789012:root' }, 'admitted'],
    ['the method itself', { policy: policy('Allow', PETS) }, 'admitted'],
    ['another method', { policy: policy('Allow', PETS.replace('GET', 'POST')) }, REFUSED],
    ['a deny', { policy: policy('Deny') }, `${REFUSED} with an explicit deny`],
    ['another action', { policy: policy('Allow').replace('execute-api:Invoke', 's3:GetObject') }, REFUSED],
    [
      'an address',
      { policy: policy('Allow', '*', { Condition: { IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } } }) },
      'admitted',
    ],
    [
      'another address',
      { policy: policy('Allow', '*', { Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } }) },
      REFUSED,
    ],
    ['her name', { policy: policy('Allow', '*', { Condition: { StringEquals: { 'aws:username': 'ann' } } }) }, 'admitted'],
    [
      'her ARN',
      { policy: policy('Allow', '*', { Condition: { ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:user/a*' } } }) },
      'admitted',
    ],
    ['a policy of a later release', { policy: policy('Allow', '*', { Unheard: 'of' }) }, `${REFUSED} with an explicit deny`],
    [
      'another account',
      { tenant: '999999999999', principalArn: 'arn:aws:iam::999999999999:user/ann' },
      REFUSED.replace('123456789012:user', '999999999999:user'),
    ],
    [
      'the root of another account',
      { tenant: '999999999999', principalArn: 'arn:aws:iam::999999999999:root' },
      REFUSED.replace('123456789012:user/ann', '999999999999:root'),
    ],
  ];
  test.each(cases)('%s', async (_, over, expected) => {
    expect(await send({}, undefined, ann(over))).toBe(expected);
  });

  test('backends are told who calls, and not shown the signature', async () => {
    const x = exchangeOf(await signedRequest(), stage, ann());
    expect(await verdictOf(x)).toBe('admitted');
    const names = ['accessKey', 'accountId', 'caller', 'user', 'userArn', 'principalOrgId'];
    expect(names.map((name) => contextVariable(`identity.${name}`)!(x))).toEqual([
      ACCESS_KEY_ID,
      '123456789012',
      ACCESS_KEY_ID,
      ACCESS_KEY_ID,
      'arn:aws:iam::123456789012:user/ann',
      null,
    ]);
    expect(lastHeader(x.requestHeaders, 'authorization')).toBeNull();
  });

  test('who is refused is nobody in gateway responses', async () => {
    const x = exchangeOf(await signedRequest({ secret: 'guessed' }), stage, ann());
    await verdictOf(x);
    expect(x.accessKey).toBeNull();
  });
});

describe('a session', () => {
  const token = 'the token';
  const terms = { tokenDigest: sha256Hex(token), expiresAtMs: NOW + 1, madeBy: 'AKIAIOSFODNN7EXAMPLE' };
  const ID = 'ASIAIOSFODNN7EXAMPLE';
  const sendAs = async (
    signing: Signing,
    over: Partial<AccessKeyView> = {},
    madeBy: AccessKeyView | null = ann(),
  ): Promise<string> => {
    const x = exchangeOf(await signedRequest({ accessKeyId: ID, ...signing }), stage, madeBy);
    const { world } = x;
    const session = ann({ accessKeyId: ID, session: terms, ...over });
    x.world = { ...world!, accessKey: (id) => (id === ID ? session : world!.accessKey(id)) };
    return verdictOf(x);
  };
  test.each([
    ['in headers', { sessionToken: token }],
    ['in a query', { sessionToken: token, presignedForSeconds: 60 }],
  ])('with its token %s is admitted', async (_, signing) => expect(await sendAs(signing)).toBe('admitted'));
  test.each([
    ['without its token', {}],
    ['without its token in a query', { presignedForSeconds: 60 }],
    ['with the token of another', { sessionToken: 'other' }],
    ['with the token of another in a query', { sessionToken: 'other', presignedForSeconds: 60 }],
  ])('%s is invalid', async (_, signing) => expect(await sendAs(signing)).toBe(UNKNOWN));
  test('has expired at its end', async () =>
    expect(await sendAs({ sessionToken: token }, { session: { ...terms, expiresAtMs: NOW } })).toBe(
      'ExpiredTokenException: The security token included in the request is expired',
    ));
  test('is nobody without the key that it was made with', async () =>
    expect(await sendAs({ sessionToken: token }, {}, null)).toBe(UNKNOWN));
});

describe('invalidating the cache', () => {
  const { INVALIDATES, INVOKES } = { INVALIDATES: 'execute-api:InvalidateCache', INVOKES: 'execute-api:Invoke' };
  const allowing = (...actions: string[]): string =>
    JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }] });
  test.each([
    ['by a policy that lets invoke and invalidate', ann({ policy: allowing(INVOKES, INVALIDATES) }), true],
    ['by the root of the account', ann({ principalArn: 'arn:aws:iam::123456789012:root', policy: null }), true],
    ['not by one that lets invoke alone', ann(), false],
    ['not without a policy', ann({ policy: null }), false],
    ['not in another account', ann({ tenant: '210987654321', policy: allowing(INVOKES, INVALIDATES) }), false],
    ['not by nobody', null, false],
  ] as const)('%s', async (_, key, may) => {
    const x = exchangeOf(await signedRequest({}), stage, key);
    x.accessKey = key;
    expect(mayInvalidateCache(stage)(x)).toBe(may);
  });
});
