/**
 * The signer of the AWS SDK is the oracle: what it signs must hold, and no longer once anything was changed.
 */
import { ManualClock, Secret, sha256Hex } from '@gatehouse/kernel';
import { NodeSha256 } from '@gatehouse/testkit';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readClaim, SignatureVerifier, type ScopePolicy, type SignedRequest, type SigningCredential } from './index.js';

const NOW = Date.UTC(2026, 10, 20, 10, 11, 12);
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const ACCESS_KEY_ID = 'AKIAIOSFODNN7EXAMPLE';
const HOST = 'localhost:7080';
const credential: SigningCredential = { secret: new Secret(SECRET), enabled: true, session: null };
const policy: ScopePolicy = { services: ['apigateway'], isValidRegion: (region) => region === 'eu-west-1' };

interface Unsigned {
  readonly method: string;
  readonly path: string;
  readonly query: Record<string, string | string[]>;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

interface SigningOptions {
  readonly presignedFor?: number;
  readonly sessionToken?: string;
  readonly service?: string;
  readonly region?: string;
  /** botocore and others state no hash of the body. */
  readonly statesPayloadHash?: boolean;
  readonly atMs?: number;
}

/** Signs with the SDK and gives the request as a server receives it. */
async function signed(unsigned: Unsigned, options: SigningOptions = {}): Promise<SignedRequest> {
  const signer = new SignatureV4({
    service: options.service ?? 'apigateway',
    region: options.region ?? 'eu-west-1',
    sha256: NodeSha256,
    applyChecksum: options.statesPayloadHash ?? true,
    credentials: {
      accessKeyId: ACCESS_KEY_ID,
      secretAccessKey: SECRET,
      ...(options.sessionToken === undefined ? {} : { sessionToken: options.sessionToken }),
    },
  });
  const request = {
    ...unsigned,
    protocol: 'http:',
    hostname: 'localhost',
    headers: { host: HOST, ...unsigned.headers },
    ...(unsigned.body.length === 0 ? { body: undefined } : {}),
  };
  const signingDate = new Date(options.atMs ?? NOW);
  const result =
    options.presignedFor === undefined
      ? await signer.sign(request, { signingDate })
      : await signer.presign(request, { signingDate, expiresIn: options.presignedFor });
  const query = Object.entries(result.query ?? {}).flatMap(([name, value]) =>
    [value ?? ''].flat().map((item) => `${strictly(name)}=${strictly(item)}`),
  );
  return {
    method: result.method,
    rawUrl: query.length === 0 ? result.path : `${result.path}?${query.join('&')}`,
    headers: lowerCased(result.headers),
    body: unsigned.body,
  };
}

function lowerCased(headers: Record<string, string>): Record<string, string> {
  // Node's parser trims the blanks around a value.
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.trim()]));
}

function strictly(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function verdict(request: SignedRequest, given: Partial<{ credential: SigningCredential | null; nowMs: number }> = {}): string {
  const result = readClaim(request);
  const verifier = new SignatureVerifier(new ManualClock(given.nowMs ?? NOW));
  const owner = given.credential === undefined ? credential : given.credential;
  const fault = 'fault' in result ? result.fault : verifier.verify(request, result.claim, owner, policy);
  return fault === null ? 'accepted' : `${fault.type}: ${fault.message}`;
}

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const segment = text.map((value) => strictly(value)).filter((value) => value !== '.' && value !== '..');
const path = fc
  .array(
    fc.oneof({ weight: 6, arbitrary: segment }, fc.constantFrom('..', '.', '', '@connections', '%2F', 'a%20b', '$default')),
    { maxLength: 5 },
  )
  .map((segments) => `/${segments.join('/')}`);
const query = fc.dictionary(
  // The oracle loses a parameter called __proto__ from what it signs.
  text.filter((name) => name !== '' && name !== '__proto__' && !/^x-amz-/i.test(name)),
  fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 })),
  { maxKeys: 4 },
);
const headers = fc.dictionary(
  fc.constantFrom('content-type', 'Accept', 'X-Amz-Meta', 'x-custom', 'amz-sdk-request'),
  fc.string({ unit: fc.constantFrom(...'ab c\t,;=/"é~'), maxLength: 10 }),
);
const unsigned: fc.Arbitrary<Unsigned> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE'),
  path,
  query,
  headers,
  body: fc.uint8Array({ maxLength: 40 }),
});
const options: fc.Arbitrary<SigningOptions> = fc.record(
  {
    presignedFor: fc.integer({ min: 1, max: 604_800 }),
    sessionToken: fc.base64String({ minLength: 4 }),
    statesPayloadHash: fc.boolean(),
  },
  { requiredKeys: [] },
);
const ownerOf = ({ sessionToken }: SigningOptions): SigningCredential =>
  sessionToken === undefined
    ? credential
    : { ...credential, session: { tokenDigest: sha256Hex(sessionToken), expiresAtMs: NOW + 1 } };

describe('against the signer of the AWS SDK', () => {
  test('everything it signs is accepted', () =>
    fc.assert(
      fc.asyncProperty(unsigned, options, async (request, how) => {
        expect(verdict(await signed(request, how), { credential: ownerOf(how) })).toBe('accepted');
      }),
      { numRuns: 400 },
    ));

  const changes: Record<string, (request: SignedRequest) => SignedRequest> = {
    'the method': (request) => ({ ...request, method: request.method === 'GET' ? 'DELETE' : 'GET' }),
    'the path': (request) => ({ ...request, rawUrl: request.rawUrl.replace(/^[^?]*/, (path) => `${path}/x`) }),
    'one more query parameter': (request) => ({
      ...request,
      rawUrl: `${request.rawUrl}${request.rawUrl.includes('?') ? '&' : '?'}extra=1`,
    }),
    'a signed header': (request) => ({ ...request, headers: { ...request.headers, host: 'elsewhere' } }),
    'one more x-amz header': (request) => ({ ...request, headers: { ...request.headers, 'x-amz-extra': '1' } }),
    'the body': (request) => ({ ...request, body: Uint8Array.from([...request.body, 1]) }),
  };
  test.each(Object.entries(changes))('%s cannot be changed after signing', (_, change) =>
    fc.assert(
      fc.asyncProperty(unsigned, options, async (request, how) => {
        const changed = change(await signed(request, how));
        expect(verdict(changed, { credential: ownerOf(how) })).toMatch(/^InvalidSignatureException: /);
      }),
      { numRuns: 60 },
    ),
  );
});

const plain: Unsigned = { method: 'GET', path: '/restapis', query: {}, headers: {}, body: new Uint8Array() };
const WRONG =
  'InvalidSignatureException: The request signature we calculated does not match the signature you provided. Check your AWS Secret ' +
  'Access Key and signing method. Consult the service documentation for details.';
const UNKNOWN = 'UnrecognizedClientException: The security token included in the request is invalid.';

describe('the caller', () => {
  test('without a signature is told so', () => {
    expect(verdict({ method: 'GET', rawUrl: '/restapis', headers: { host: HOST }, body: new Uint8Array() })).toBe(
      'MissingAuthenticationTokenException: Missing Authentication Token',
    );
  });
  test('with an unknown or disabled access key is not recognised', async () => {
    const request = await signed(plain);
    expect(verdict(request, { credential: null })).toBe(UNKNOWN);
    expect(verdict(request, { credential: { ...credential, enabled: false } })).toBe(UNKNOWN);
  });
  test('with another secret has a wrong signature', async () => {
    expect(verdict(await signed(plain), { credential: { ...credential, secret: new Secret('other') } })).toBe(WRONG);
  });
  test.each([
    ['lost its session token', undefined, 'token', UNKNOWN],
    ['has the token of another session', 'other', 'token', UNKNOWN],
    ['sends a token for a long-lived key', 'token', null, UNKNOWN],
  ])('%s', async (_, sent, expected, message) => {
    const request = await signed(plain, sent === undefined ? {} : { sessionToken: sent });
    const session = expected === null ? null : { tokenDigest: sha256Hex(expected), expiresAtMs: NOW + 1 };
    expect(verdict(request, { credential: { ...credential, session } })).toBe(message);
  });
  test('with an expired session is told so', async () => {
    const owner = { ...credential, session: { tokenDigest: sha256Hex('token'), expiresAtMs: NOW } };
    expect(verdict(await signed(plain, { sessionToken: 'token' }), { credential: owner })).toBe(
      'ExpiredTokenException: The security token included in the request is expired',
    );
  });
});

test('a signature of other characters whose low bytes are the same holds nothing', async () => {
  const request = await signed(plain);
  const authorization = request.headers['authorization']!.replace(/(?<=Signature=).*/, (hex) =>
    hex.replaceAll(/./g, (char) => String.fromCharCode(char.charCodeAt(0) + 0x100)),
  );
  expect(verdict({ ...request, headers: { ...request.headers, authorization } })).toMatch(/^InvalidSignatureException/);
});

describe('time', () => {
  const minutes = (count: number): number => count * 60_000;
  test.each([
    ['five minutes early', minutes(-5), 'accepted'],
    ['five minutes late', minutes(5), 'accepted'],
    [
      'later than that',
      minutes(5) + 1000,
      'InvalidSignatureException: Signature expired: 20261120T101112Z is now earlier than 20261120T101113Z (20261120T101613Z - 5 min.)',
    ],
    [
      'earlier than that',
      minutes(-5) - 1000,
      'InvalidSignatureException: Signature not yet current: 20261120T101112Z is still later than 20261120T101111Z (20261120T100611Z + 5 min.)',
    ],
  ])('a server clock %s', async (_, offsetMs, expected) => {
    expect(verdict(await signed(plain), { nowMs: NOW + offsetMs })).toBe(expected);
  });
  test('a presigned request holds until it expires, and not before it was signed', async () => {
    const request = await signed(plain, { presignedFor: 3600 });
    expect(verdict(request, { nowMs: NOW + 3600_000 })).toBe('accepted');
    expect(verdict(request, { nowMs: NOW + 3601_000 })).toBe(
      'InvalidSignatureException: Signature expired: 20261120T111112Z is now earlier than 20261120T111113Z',
    );
    expect(verdict(request, { nowMs: NOW - minutes(6) })).toMatch(/Signature not yet current/);
  });
  test('each request is held against its own time, whatever came before it', async () => {
    const late = await signed(plain, { atMs: NOW - minutes(6) });
    const onTime = await signed(plain);
    const broken = { ...onTime, headers: { ...onTime.headers, 'x-amz-date': '20261320T101112Z' } };
    const verdicts = [onTime, late, broken, onTime, broken, late].map((request) => verdict(request).split(':')[0]);
    const [isLate, isBroken] = ['InvalidSignatureException', 'IncompleteSignatureException'];
    expect(verdicts).toEqual(['accepted', isLate, isBroken, 'accepted', isBroken, isLate]);
  });
  test('a replay inside the window is accepted, as at AWS', async () => {
    const request = await signed(plain);
    const verifier = new SignatureVerifier(new ManualClock(NOW));
    const result = readClaim(request);
    if ('fault' in result) throw new Error(result.fault.message);
    expect(verifier.verify(request, result.claim, credential, policy)).toBeNull();
    expect(verifier.verify(request, result.claim, credential, policy)).toBeNull();
  });
  test('a replaced secret is in force at once, although the old key was derived before', async () => {
    const request = await signed(plain);
    const verifier = new SignatureVerifier(new ManualClock(NOW));
    const result = readClaim(request);
    if ('fault' in result) throw new Error(result.fault.message);
    expect(verifier.verify(request, result.claim, credential, policy)).toBeNull();
    expect(verifier.verify(request, result.claim, { ...credential, secret: new Secret('new') }, policy)).not.toBeNull();
  });
});

describe('scope', () => {
  test('of another region', async () => {
    expect(verdict(await signed(plain, { region: 'mars-1' }))).toBe(
      "InvalidSignatureException: Credential should be scoped to a valid region, not 'mars-1'.",
    );
  });
  test('of another service', async () => {
    expect(verdict(await signed(plain, { service: 's3' }))).toBe(
      "InvalidSignatureException: Credential should be scoped to correct service: 'apigateway'.",
    );
  });
  test.each([
    [
      'another date',
      '20261121/eu-west-1/apigateway/aws4_request',
      /^InvalidSignatureException: Date in Credential scope does not match/,
    ],
    ['another terminator', '20261120/eu-west-1/apigateway/aws5', /^InvalidSignatureException: .*'aws4_request'/],
    ['too few elements', '20261120/eu-west-1/aws4_request', /^IncompleteSignatureException: Credential must have exactly 5/],
  ])('with %s', async (_, scope, expected) => {
    const request = await signed(plain);
    const authorization = request.headers['authorization']!.replace('20261120/eu-west-1/apigateway/aws4_request', scope);
    expect(verdict({ ...request, headers: { ...request.headers, authorization } })).toMatch(expected);
  });
});

describe('payload', () => {
  const withBody: Unsigned = { ...plain, method: 'POST', body: Buffer.from('{"name":"pets"}') };
  test('declared unsigned is accepted with any body', async () => {
    const request = await signed({ ...withBody, headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } });
    expect(verdict({ ...request, body: Buffer.from('other') })).toBe('accepted');
  });
  test('may not be declared unsigned afterwards', async () => {
    const request = await signed(withBody);
    expect(verdict({ ...request, headers: { ...request.headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } })).toBe(WRONG);
  });
  test('presigned as unsigned without saying so is accepted', async () => {
    // The SDK signs a stream like this: it cannot read it first.
    const request = await signed({ ...plain, method: 'PUT', body: { length: 1 } as Uint8Array }, { presignedFor: 60 });
    expect(verdict({ ...request, body: Buffer.from('streamed') })).toBe('accepted');
  });
  test('presigned as unsigned is accepted', async () => {
    const request = await signed({ ...plain, headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }, { presignedFor: 60 });
    expect(verdict(request)).toBe('accepted');
  });
});

describe('query', () => {
  test('a space may travel as %20 or as +; a plus only as %2B', async () => {
    const request = await signed({ ...plain, query: { name: 'a b' } });
    expect(verdict({ ...request, rawUrl: '/restapis?name=a+b' })).toBe('accepted');
    expect(verdict({ ...request, rawUrl: '/restapis?name=a%2Bb' })).toBe(WRONG);
  });
  test('the order of parameters does not matter, a doubled one does', async () => {
    const request = await signed({ ...plain, query: { limit: '1', embed: ['b', 'a'] } });
    expect(verdict({ ...request, rawUrl: '/restapis?embed=a&limit=1&embed=b' })).toBe('accepted');
    expect(verdict({ ...request, rawUrl: '/restapis?embed=a&limit=1&embed=b&limit=1' })).toBe(WRONG);
  });
  test('a doubled parameter of the signature itself is refused', async () => {
    const request = await signed(plain, { presignedFor: 60 });
    expect(verdict({ ...request, rawUrl: `${request.rawUrl}&X-Amz-Signature=0` })).toBe(
      "IncompleteSignatureException: AWS query-string parameter 'X-Amz-Signature' must be given once.",
    );
  });
  test('two signatures in one request are refused', async () => {
    const request = await signed(plain, { presignedFor: 60 });
    const authorization = (await signed(plain)).headers['authorization']!;
    expect(verdict({ ...request, headers: { ...request.headers, authorization } })).toMatch(/Only one auth mechanism allowed/);
  });
  test.each([
    ['604801', /X-Amz-Expires must be/],
    ['0', /X-Amz-Expires must be/],
    ['-1', /X-Amz-Expires must be/],
    ['1e3', /X-Amz-Expires must be/],
  ])('X-Amz-Expires of %s is refused', async (expires, expected) => {
    const request = await signed(plain, { presignedFor: 60 });
    expect(verdict({ ...request, rawUrl: request.rawUrl.replace('X-Amz-Expires=60', `X-Amz-Expires=${expires}`) })).toMatch(
      expected,
    );
  });
});

describe('a malformed claim', () => {
  const withAuthorization = (authorization: string, more: Record<string, string> = {}): SignedRequest => ({
    method: 'GET',
    rawUrl: '/restapis',
    headers: { host: HOST, authorization, ...more },
    body: new Uint8Array(),
  });
  const scope = 'AKIAIOSFODNN7EXAMPLE/20261120/eu-west-1/apigateway/aws4_request';
  test.each([
    [
      'of another scheme lists what is missing',
      withAuthorization('Bearer abc'),
      "IncompleteSignatureException: Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' " +
        "parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a " +
        "'X-Amz-Date' or a 'Date' header.",
    ],
    [
      'without a signature',
      withAuthorization(`AWS4-HMAC-SHA256 Credential=${scope},SignedHeaders=host`, { 'x-amz-date': '20261120T101112Z' }),
      "IncompleteSignatureException: Authorization header requires 'Signature' parameter.",
    ],
    [
      'whose date is no date',
      withAuthorization(`AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=00`, {
        'x-amz-date': '20261131T101112Z',
      }),
      "IncompleteSignatureException: Date must be in ISO-8601 'basic format'. Got '20261131T101112Z'. See http://en.wikipedia.org/wiki/ISO_8601",
    ],
    [
      'that leaves the host unsigned',
      withAuthorization(`AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=x-amz-date, Signature=00`, {
        'x-amz-date': '20261120T101112Z',
      }),
      "InvalidSignatureException: 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    ],
    [
      'that relies on an unsigned Date header',
      withAuthorization(`AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=00`, {
        date: 'Fri, 20 Nov 2026 10:11:12 GMT',
      }),
      "InvalidSignatureException: 'Date' must be a 'SignedHeader' in the AWS Authorization.",
    ],
    [
      'in a query lists what is missing',
      {
        ...withAuthorization(''),
        headers: { host: HOST },
        rawUrl: '/restapis?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=%ff',
      },
      "IncompleteSignatureException: AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must " +
        "include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.",
    ],
  ])('%s', (_, request, expected) => {
    expect(verdict(request)).toBe(expected);
  });
  test('of any bytes is answered, never thrown at', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), fc.string(), (rawUrl, authorization, date) => {
        const request = withAuthorization(`AWS4-HMAC-SHA256 ${authorization}`, { 'x-amz-date': date });
        expect(verdict(request)).not.toBe('accepted');
        expect(verdict({ ...request, rawUrl: `/?X-Amz-Signature=${rawUrl}` })).not.toBe('accepted');
      }),
    );
  });
});
