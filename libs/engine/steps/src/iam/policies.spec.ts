// Runs policies.cases.md, and tests by what else resource policies tell requests apart.
import { Buffer } from 'node:buffer';
import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RouteAuthorization, StageSnapshot } from '@gatehouse/contracts';
import { CONTINUE, LinkRefusal, type AccessKeyView, type Connector, type Exchange } from '@gatehouse/engine-exchange';
import { ManualClock } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { describe, expect, test } from 'vitest';
import { authorize } from '../index.js';
import { accessKey, exchangeOf, NOW, signedRequest, type Signing } from '../testing/signed-exchange.js';

type Word = 'Allow' | 'Deny' | 'none' | '-';

const ARN = 'arn:aws:execute-api:us-east-1:123456789012:abc123defg';
const statement = (word: Word, over: object = {}): object => ({
  Effect: word === 'none' ? 'Allow' : word,
  Action: 'execute-api:Invoke',
  // A policy that has nothing to say speaks of something else.
  Resource: word === 'none' ? `${ARN}/dev/GET/others` : `${ARN}/dev/GET/pets`,
  ...over,
});
const policyOf = (...Statement: object[]): object => ({ Version: '2012-10-17', Statement });

let functionCalls = 0;
const functionSaying = (word: Word): Connector => ({
  call: async () => {
    functionCalls++;
    const answer = { principalId: 'me', policyDocument: policyOf(statement(word)) };
    return { status: 200, headers: [], body: Buffer.from(JSON.stringify(answer)) };
  },
});

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ISSUER = 'https://issuer.example/pool';
const issuer: Connector = {
  call: async ({ url }) => {
    const key = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig' };
    const document = url.endsWith('/openid-configuration') ? { issuer: ISSUER, jwks_uri: `${ISSUER}/keys` } : { keys: [key] };
    return { status: 200, headers: [], body: Buffer.from(JSON.stringify(document)) };
  },
};
function token(): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: ISSUER, sub: 'u1', aud: 'c', token_use: 'id', exp: NOW / 1000 + 60, iat: NOW / 1000 };
  const signed = `${encode({ alg: 'RS256', kid: 'k1' })}.${encode(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), rsa.privateKey).toString('base64url')}`;
}

const AUTHORIZERS: StageSnapshot['authorizers'] = {
  lambda: {
    type: 'TOKEN',
    functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:auth',
    identitySources: ['method.request.header.Authorization'],
    validationExpression: null,
    ttlSeconds: 0,
  },
  pool: {
    type: 'USER_POOLS',
    issuers: [ISSUER],
    identitySource: 'method.request.header.Authorization',
    validationExpression: null,
    ttlSeconds: 0,
  },
};
const AUTHORIZATIONS: Readonly<Record<string, RouteAuthorization>> = {
  NONE: { type: 'NONE' },
  FUNCTION: { type: 'FUNCTION', authorizerId: 'lambda' },
  USER_POOLS: { type: 'USER_POOLS', authorizerId: 'pool', scopes: [] },
  IAM: { type: 'IAM' },
};

interface Request {
  readonly setup: string;
  readonly own: Word;
  readonly resourcePolicy: object | null;
  readonly key?: Partial<AccessKeyView>;
  readonly signing?: Signing;
  readonly change?: (x: Exchange) => void;
}

async function outcomeOf({ setup, own, resourcePolicy, key, signing, change }: Request): Promise<string> {
  const inner = AUTHORIZATIONS[setup.replace(' of another account', '')]!;
  const authorization: RouteAuthorization = resourcePolicy === null ? inner : { type: 'RESOURCE_POLICY', authorization: inner };
  const route = routeSnapshot({ path: '/pets', authorization });
  const policy = resourcePolicy === null ? {} : { resourcePolicy: JSON.stringify(resourcePolicy) };
  const stage = stageSnapshot({ routes: [route], authorizers: AUTHORIZERS, ...policy });
  const account = setup.endsWith('another account') ? '999999999999' : stage.tenant;
  const signer = accessKey({
    tenant: account,
    principalArn: `arn:aws:iam::${account}:user/ann`,
    policy: own === '-' ? null : JSON.stringify(policyOf(statement(own))),
    ...key,
  });
  const isPool = setup === 'USER_POOLS';
  const plain = { isSigned: false, headers: { authorization: isPool && own !== 'Allow' ? 'x' : isPool ? token() : 't' } };
  const x = exchangeOf(await signedRequest({ ...(inner.type === 'IAM' ? {} : plain), ...signing }), stage, signer);
  change?.(x);
  functionCalls = 0;
  const connectors = { functions: functionSaying(own), http: issuer, limits: { clock: new ManualClock(NOW) } };
  const step = authorize(connectors)({ stage, route });
  const asked = (): string => (setup !== 'FUNCTION' ? '' : functionCalls === 0 ? ', not asked' : ', asked');
  if (step === null || (await step(x)) === CONTINUE) return `admitted${asked()}`;
  return words(x.faultMessage!, account) + asked();
}

const RESOURCE = 'arn:aws:execute-api:us-east-1:********9012:abc123defg/dev/GET/pets';
function words(message: string, account: string): string {
  return message
    .replace(` is not authorized to perform: execute-api:Invoke on resource: ${RESOURCE}`, ' refused')
    .replace(`User: arn:aws:iam::${account}:user/ann`, 'user')
    .replace('User: anonymous', 'anonymous')
    .replace('User is not authorized to access this resource', 'refused')
    .replace(/^Unauthorized$/, 'unauthorized');
}

const CASES = readFileSync(new URL('./policies.cases.md', import.meta.url), 'utf8');
for (const [, section, setup, lines] of CASES.matchAll(/^## (.+)\n\n```(.+)\n([^`]+)```/gm)) {
  describe(section!, () => {
    test.each(lines!.trim().split('\n'))('%s', async (line) => {
      const [, own, ofApi, expected] = /^(\S+) +(\S+) +-> (.+)$/.exec(line)!;
      const word = ofApi as Word;
      const resourcePolicy = word === '-' ? null : policyOf(statement(word, { Principal: '*' }));
      expect(await outcomeOf({ setup: setup!, own: own as Word, resourcePolicy })).toBe(expected);
    });
  });
}

describe('a resource policy tells requests apart by', () => {
  const allow = (over: object): object =>
    policyOf({ ...statement('Allow'), Principal: '*', Resource: 'execute-api:/*', ...over });
  const when = (operator: string, key: string, value: string): object => allow({ Condition: { [operator]: { [key]: value } } });
  const REFUSED = 'anonymous refused';
  const anonymous = (resourcePolicy: object, change?: (x: Exchange) => void) =>
    outcomeOf({ setup: 'NONE', own: '-', resourcePolicy, ...(change && { change }) });

  test.each<[string, object, ((x: Exchange) => void) | undefined, string]>([
    ['stage, verb and path, in the short form', allow({ Resource: 'execute-api:/dev/GET/pets' }), undefined, 'admitted'],
    ['another stage', allow({ Resource: 'execute-api:/prod/*' }), undefined, REFUSED],
    ['another API', allow({ Resource: 'arn:aws:execute-api:us-east-1:123456789012:zzz123defg/*' }), undefined, REFUSED],
    ['another action', allow({ Action: 'execute-api:InvalidateCache' }), undefined, REFUSED],
    ['the address', when('IpAddress', 'aws:SourceIp', '203.0.113.0/24'), undefined, 'admitted'],
    ['another address', when('NotIpAddress', 'aws:SourceIp', '203.0.113.0/24'), undefined, REFUSED],
    ['the user agent', when('StringLike', 'aws:UserAgent', 'curl/*'), (x) => void (x.userAgent = 'curl/8'), 'admitted'],
    [
      'the referer',
      when('StringEquals', 'aws:Referer', 'https://example.com/'),
      (x) => void (x.requestHeaders = ['Referer', 'https://example.com/']),
      'admitted',
    ],
    ['a referer that is not there', when('StringEquals', 'aws:Referer', 'https://example.com/'), undefined, REFUSED],
    ['encryption', when('Bool', 'aws:SecureTransport', 'true'), (x) => void (x.forwardedProto = 'https'), 'admitted'],
    ['no encryption', when('Bool', 'aws:SecureTransport', 'true'), (x) => void (x.forwardedProto = 'http'), REFUSED],
    ['the time', when('DateGreaterThan', 'aws:CurrentTime', '2026-11-20T00:00:00Z'), undefined, 'admitted'],
    ['a time that is over', when('DateLessThan', 'aws:CurrentTime', '2026-11-20T00:00:00Z'), undefined, REFUSED],
    ['who signed, where nobody did', allow({ Principal: { AWS: '123456789012' } }), undefined, REFUSED],
    ['a network of its own, where there is none', when('StringEquals', 'aws:SourceVpce', 'vpce-1'), undefined, REFUSED],
  ])('%s', async (_, policy, change, expected) => expect(await anonymous(policy, change)).toBe(expected));

  test.each<[string, object, string]>([
    ['the account of who signed', { Principal: { AWS: '123456789012' } }, 'admitted'],
    ['the root of the account, which stands for all of it', { Principal: { AWS: 'arn:aws:iam::123456789012:root' } }, 'admitted'],
    ['the user who signed', { Principal: { AWS: 'arn:aws:iam::123456789012:user/ann' } }, 'admitted'],
    ['another user', { Principal: { AWS: 'arn:aws:iam::123456789012:user/bob' } }, 'user refused'],
    ['the name of who signed', { Condition: { StringEquals: { 'aws:username': 'ann' } } }, 'admitted'],
    ['the type of who signed', { Condition: { StringEquals: { 'aws:PrincipalType': 'User' } } }, 'admitted'],
    ['an organization, which nobody has', { Condition: { StringEquals: { 'aws:PrincipalOrgID': 'o-1' } } }, 'user refused'],
  ])('%s', async (_, over, expected) => {
    expect(await outcomeOf({ setup: 'IAM', own: '-', resourcePolicy: allow(over) })).toBe(expected);
  });

  test('what is no path, in either form of it', async () => {
    const policy = policyOf(
      { ...statement('Allow'), Principal: '*', Resource: 'execute-api:/*' },
      { ...statement('Deny'), Principal: '*', Resource: 'execute-api:/dev/GET/se cret' },
    );
    const denied = 'anonymous is not authorized to perform: execute-api:Invoke on resource: ';
    const outcome = await anonymous(policy, (x) => void (x.resourcePath = '/se%20cret'));
    expect(outcome).toBe(`${denied}${RESOURCE.replace('pets', 'se%20cret')} with an explicit deny`);
  });
});

test('a route whose policy is not understood is not served', async () => {
  const policies = [{}, policyOf({ Effect: 'Allow', Action: '*', Resource: '*' }), 'text'];
  for (const resourcePolicy of policies) {
    const request = outcomeOf({ setup: 'NONE', own: '-', resourcePolicy: resourcePolicy as object });
    await expect(request).rejects.toThrow(LinkRefusal);
  }
});

test('without a signature AWS_IAM does not get as far as the policies', async () => {
  const resourcePolicy = policyOf(statement('Allow', { Principal: '*' }));
  const signing = { isSigned: false };
  expect(await outcomeOf({ setup: 'IAM', own: '-', resourcePolicy, signing })).toBe('Missing Authentication Token');
});
