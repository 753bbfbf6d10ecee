import { Buffer } from 'node:buffer';
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { Readable } from 'node:stream';
import type { UserPoolAuthorizerSnapshot } from '@gatehouse/contracts';
import { CONTINUE, contextVariable, Exchange, FAULT, type Connector } from '@gatehouse/engine-exchange';
import { systemClock } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { authorize } from '../index.js';
import { IssuerKeys } from './issuer-keys.js';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = (key: KeyObject, kid: string, more: object = {}) => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig', ...more });

const NOW_MS = Date.UTC(2026, 0, 2);
const NOW = NOW_MS / 1000;
const ISSUER = 'https://issuer.example/pool';
const CLAIMS = {
  iss: ISSUER,
  sub: 'u1',
  aud: 'client1',
  token_use: 'id',
  exp: NOW + 60,
  iat: NOW,
  'cognito:groups': ['a', 'b'],
  age: 7,
};

let count: number;
let urls: string[];
let keys: readonly object[];
let isUp: boolean;
let discovery: object;
const http: Connector = {
  call: async ({ url }) => {
    count++;
    urls.push(url);
    if (!isUp) return { failure: 'NETWORK', cause: null };
    const document = url.endsWith('/openid-configuration') ? discovery : { keys };
    return { status: 200, headers: [], body: Buffer.from(JSON.stringify(document)) };
  },
};
beforeEach(() => {
  apiNumber++;
  count = 0;
  urls = [];
  isUp = true;
  keys = [
    jwk(rsa.publicKey, 'k1'),
    jwk(ec.publicKey, 'e1'),
    jwk(short.publicKey, 's1'),
    { kty: 'oct', kid: 'o1', k: 'c2VjcmV0' },
  ];
  discovery = { issuer: ISSUER, jwks_uri: 'https://issuer.example/keys' };
});

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
function tokenOf(claims: object = {}, header: object = {}, key: KeyObject = rsa.privateKey): string {
  const signed = `${encode({ alg: 'RS256', kid: 'k1', ...header })}.${encode({ ...CLAIMS, ...claims })}`;
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

/** Keys are known for the process, by tenant: each test has one of its own. */
let apiNumber = 0;
const step = (over: Partial<UserPoolAuthorizerSnapshot> = {}, scopes: readonly string[] = []) => steps(over, scopes)[0]!;

/** Of routes of one stage, one for each of the lists of scopes. */
function steps(over: Partial<UserPoolAuthorizerSnapshot>, ...scopesOf: readonly (readonly string[])[]) {
  const settings: UserPoolAuthorizerSnapshot = {
    type: 'USER_POOLS',
    issuers: [ISSUER],
    identitySource: 'method.request.header.Authorization',
    validationExpression: null,
    ttlSeconds: 300,
    ...over,
  };
  const tenant = String(100_000_000_000 + apiNumber);
  const stage = stageSnapshot({ tenant, authorizers: { a1: settings } });
  const functions = { call: () => Promise.reject(new Error('a function was called')) };
  return scopesOf.map((scopes) => {
    const route = routeSnapshot({ authorization: { type: 'USER_POOLS', authorizerId: 'a1', scopes } });
    return authorize({ functions, http, limits: { clock: systemClock } })({ stage, route })!;
  });
}
const request = (token: string | null, nowMs = NOW_MS): Exchange =>
  Object.assign(new Exchange(), { receivedAtMs: nowMs, requestHeaders: token === null ? [] : ['authorization', token] });
async function outcomeOf(token: string | null, ask = step()): Promise<string> {
  const x = request(token);
  const verdict = await ask(x);
  return verdict === CONTINUE ? 'known' : `${x.fault!.status} ${x.faultMessage}`;
}

test('claims of a token that holds are known, as texts', async () => {
  const x = request(`Bearer ${tokenOf()}`);
  expect(await step()(x)).toBe(CONTINUE);
  const read = (name: string) => contextVariable(`authorizer.${name}`)!(x);
  expect(
    ['principalId', 'claims.sub', 'claims.cognito:groups', 'claims.age', 'claims.none', 'claims.toString'].map(read),
  ).toEqual(['u1', 'u1', 'a,b', '7', null, null]);
});

describe('a token', () => {
  test.each<[string, () => string | null, string]>([
    ['as it is', () => tokenOf(), 'known'],
    ['with a key on a curve', () => tokenOf({}, { alg: 'ES256', kid: 'e1' }, ec.privateKey), 'known'],
    ['that nobody shows', () => null, '401 Unauthorized'],
    ['that is none', () => 'token', '401 Unauthorized'],
    ['of another signer', () => tokenOf({}, {}, other.privateKey), '401 Unauthorized'],
    ['of a key nobody has', () => tokenOf({}, { kid: 'k9' }), '401 Unauthorized'],
    ['of a key that is too short', () => tokenOf({}, { kid: 's1' }, short.privateKey), '401 Unauthorized'],
    ['that says it needs no signature', () => tokenOf({}, { alg: 'none' }), '401 Unauthorized'],
    ['that says it is signed by a secret', () => tokenOf({}, { alg: 'HS256', kid: 'o1' }), '401 Unauthorized'],
    ['that says it is signed by the public key', () => tokenOf({}, { alg: 'HS256' }), '401 Unauthorized'],
    ['that says another kind than its key is', () => tokenOf({}, { alg: 'ES256' }), '401 Unauthorized'],
    ['with extensions that must be understood', () => tokenOf({}, { crit: ['b64'], b64: false }), '401 Unauthorized'],
    [
      'with other claims than were signed',
      () => tokenOf().replace(/\..*\./, `.${encode({ ...CLAIMS, sub: 'root' })}.`),
      '401 Unauthorized',
    ],
    ['of another issuer', () => tokenOf({ iss: 'https://issuer.example/other' }), '401 Unauthorized'],
    ['of no issuer', () => tokenOf({ iss: undefined }), '401 Unauthorized'],
    ['that expired', () => tokenOf({ exp: NOW }), '401 The incoming token has expired'],
    ['that never expires', () => tokenOf({ exp: undefined }), '401 Unauthorized'],
    ['of a clock a little ahead', () => tokenOf({ iat: NOW + 59, nbf: NOW + 59 }), 'known'],
    ['that is not valid yet', () => tokenOf({ nbf: NOW + 61 }), '401 Unauthorized'],
    ['that gives access', () => tokenOf({ token_use: 'access' }), '401 Unauthorized'],
  ])('%s', async (_, token, outcome) => {
    expect(await outcomeOf(token())).toBe(outcome);
  });

  test.each(['../../../etc/passwd', "k1' OR '1'='1", 'https://evil.example/keys', 'k1\0', '__proto__', 'constructor', ''])(
    'whose key is named %j asks the issuer for its keys and nobody for anything else',
    async (kid) => {
      expect(await outcomeOf(tokenOf({}, { kid }))).toBe('401 Unauthorized');
      expect(urls).toEqual([`${ISSUER}/.well-known/openid-configuration`, 'https://issuer.example/keys']);
    },
  );

  test('of 100 KB is not read, and the issuer not asked', async () => {
    expect(await outcomeOf(tokenOf({ padding: 'x'.repeat(100_000) }))).toBe('401 Unauthorized');
    expect(count).toBe(0);
  });

  test.each<[string, object, readonly string[], string]>([
    ['with a scope of the method gives access', { token_use: 'access', scope: 'x read' }, ['read', 'write'], 'known'],
    ['with other scopes does not', { token_use: 'access', scope: 'reader' }, ['read'], '401 Unauthorized'],
    ['without scopes does not', { token_use: 'access' }, ['read'], '401 Unauthorized'],
    ['that says who it is does not', { scope: 'read' }, ['read'], '401 Unauthorized'],
  ])('%s', async (_, claims, scopes, outcome) => {
    expect(await outcomeOf(tokenOf(claims), step({}, scopes))).toBe(outcome);
  });

  test.each<[string, object, string]>([
    ['for an audience that matches', {}, 'known'],
    ['for one of several', { aud: ['x', 'client2'] }, 'known'],
    ['for another', { aud: 'client12' }, '401 Unauthorized'],
    ['for nobody in particular', { aud: undefined }, '401 Unauthorized'],
  ])('%s', async (_, claims, outcome) => {
    expect(await outcomeOf(tokenOf(claims), step({ validationExpression: 'client[12]' }))).toBe(outcome);
  });
});

test('a token that was checked is known at once, until it expires', async () => {
  const ask = step();
  const token = tokenOf();
  expect(await ask(request(token))).toBe(CONTINUE);
  expect(ask(request(token))).toBe(CONTINUE);
  const late = request(token, NOW_MS + 60_000);
  expect(await ask(late)).toBe(FAULT);
  expect(late.faultMessage).toBe('The incoming token has expired');
});

test('a token that comes often is known to routes with the same scopes alone', async () => {
  const token = tokenOf({ token_use: 'access', scope: 'read' });
  const [readers, writers] = steps({}, ['read'], ['write']);
  for (let time = 0; time < 3; time++) expect(await readers!(request(token))).toBe(CONTINUE);
  expect(await outcomeOf(token, writers!)).toBe('401 Unauthorized');
});

test('a token that comes often is refused once it has expired, and known again with the word before it or without', async () => {
  const ask = step();
  const token = tokenOf();
  for (let time = 0; time < 3; time++) await ask(request(`Bearer ${token}`));
  expect(ask(request(`bearer  ${token}`)), 'at once').toBe(CONTINUE);
  const late = request(`Bearer ${token}`, NOW_MS + 60_000);
  expect(await ask(late)).toBe(FAULT);
  expect(late.faultMessage).toBe('The incoming token has expired');
});

test('what is no token stays none, however often it comes', async () => {
  const ask = step();
  for (let time = 0; time < 3; time++) for (const shown of ['Bearer ', 'a.b.c']) expect(await ask(request(shown))).toBe(FAULT);
});

describe('keys', () => {
  test('that cannot be read let nobody in', async () => {
    isUp = false;
    expect(await outcomeOf(tokenOf())).toBe('500 null');
  });

  test('of 5 MB are not read to their end, and let nobody in', async () => {
    const document = Buffer.from(JSON.stringify({ keys: [jwk(rsa.publicKey, 'k1')], padding: 'x'.repeat(5_000_000) }));
    let taken = 0;
    const body = new Readable({
      read() {
        this.push(document.subarray(taken, (taken += 16 * 1024)));
      },
    });
    const large: Connector = {
      call: async (request, caller) =>
        request.url.endsWith('/keys') ? { status: 200, headers: [], body } : http.call(request, caller),
    };
    expect(await new IssuerKeys(ISSUER, 't', large).find('k1')).toBe('UNKNOWN');
    expect(body.destroyed).toBe(true);
    expect(taken).toBeLessThan(500_000);
  });

  test('that are known stay when those that follow are too many bytes', async () => {
    let nowMs = 0;
    const known = new IssuerKeys(ISSUER, 't', http, () => nowMs);
    expect(await known.find('k1')).toMatchObject({ keyId: 'k1' });
    keys = [...keys, { padding: 'x'.repeat(5_000_000) }];
    nowMs += 3 * 60 * 60 * 1000;
    expect(await known.find('k9')).toBeNull();
    expect(known.find('k1')).toMatchObject({ keyId: 'k1' });
  });

  test.each([
    ['another issuer', { issuer: 'https://other.example', jwks_uri: 'https://issuer.example/keys' }],
    ['keys in clear', { issuer: ISSUER, jwks_uri: 'http://issuer.example/keys' }],
    ['no keys', { issuer: ISSUER }],
  ])('are not taken from a document of %s', async (_, document) => {
    discovery = document;
    expect(await outcomeOf(tokenOf())).toBe('500 null');
  });

  test('are read once for all who wait, again for a new one but not for each, and stay while the issuer is down', async () => {
    let nowMs = 0;
    const known = new IssuerKeys(ISSUER, 't', http, () => nowMs);
    const [first, second] = await Promise.all([known.find('k1'), known.find('k1')]);
    expect([first, second, count]).toEqual([expect.objectContaining({ keyId: 'k1' }), first, 2]);
    expect([await known.find('k2'), await known.find('k3'), count]).toEqual([null, null, 2]);
    keys = [jwk(other.publicKey, 'k2')];
    nowMs += 10_000;
    expect(await known.find('k2')).toMatchObject({ keyId: 'k2' });
    expect([await known.find('k1'), count], 'withdrawn').toEqual([null, 4]);
    isUp = false;
    nowMs += 3 * 60 * 60 * 1000;
    expect(known.find('k2')).toMatchObject({ keyId: 'k2' });
    await new Promise(setImmediate);
    expect([known.find('k2'), count]).toEqual([expect.objectContaining({ keyId: 'k2' }), 5]);
  });
});
