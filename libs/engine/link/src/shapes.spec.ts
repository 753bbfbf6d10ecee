import { LinkRefusal } from '@gatehouse/engine-exchange';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkApiKey, checkServiceAccess, checkStage, checkUsagePlan } from './shapes.js';

const PROXY = {
  type: 'HTTP_PROXY',
  uri: 'http://a/',
  httpMethod: 'GET',
  timeoutMs: 1,
  requestParameters: {},
  insecureSkipVerification: false,
} as const;
const FUNCTION_PROXY = { type: 'AWS_PROXY', httpMethod: 'POST', functionArn: 'arn', timeoutMs: 1 } as const;
const CALL = {
  timeoutMs: 1,
  requestParameters: { a: 'b' },
  passthroughBehavior: 'NEVER',
  requestTemplates: { 'a/b': 'c' },
  responses: [{ statusCode: 200, selectionPattern: '.+', responseParameters: { a: 'b' }, responseTemplates: { 'a/b': 'c' } }],
} as const;
const FUNCTION = { ...FUNCTION_PROXY, ...CALL, type: 'FUNCTION', account: null } as const;
const SERVICE = {
  ...CALL,
  type: 'SERVICE',
  httpMethod: 'POST',
  partition: 'aws',
  region: 'us-east-1',
  service: 's3',
  subdomain: 'b',
  path: '/k',
  action: null,
  role: 'r',
} as const;
const STAGE = stageSnapshot({
  payloadBytesMax: 1,
  blockedNetworks: ['10.0.0.0/8'],
  notFound: { isPrivate: true },
  cacheGigabytes: 0.5,
  accountThrottle: { ratePerSecond: 1, burst: 2 },
  binaryMediaTypes: ['a/b'],
  stageVariables: { a: 'b' },
  gatewayResponses: [{ responseType: 'THROTTLED', statusCode: null, headers: {}, templates: {} }],
  routes: [
    routeSnapshot({ throttle: { ratePerSecond: 1, burst: 2 } }),
    routeSnapshot({ path: '/a', integration: PROXY, authorization: { type: 'REFUSE', reason: 'r' } }),
    routeSnapshot({
      path: '/b',
      integration: FUNCTION_PROXY,
      caching: {
        namespace: 'n',
        keyParameters: ['method.request.path.id'],
        ttlSeconds: 1,
        invalidation: 'SUCCEED_WITHOUT_RESPONSE_HEADER',
      },
    }),
    routeSnapshot({ path: '/i', authorization: { type: 'FILTERED', authorization: { type: 'IAM' } } }),
    routeSnapshot({ path: '/c', integration: { type: 'REFUSE', reason: 'r' } }),
    routeSnapshot({ path: '/d', integration: { type: 'CONVERT', contentHandling: 'CONVERT_TO_TEXT', integration: PROXY } }),
    routeSnapshot({
      path: '/f',
      integration: { type: 'AWS_PROXY_STREAM', httpMethod: 'POST', functionArn: 'arn', timeoutMs: 1, streamIdleMs: 1 },
    }),
    routeSnapshot({
      path: '/e',
      integration: {
        type: 'CONNECT',
        clientCertificateId: 'c',
        privateTargets: { vpcLinkId: 'v', targets: [{ host: 'h', port: 1 }], tlsName: null, isOperators: true },
        integration: PROXY,
      },
    }),
    routeSnapshot({ path: '/e', integration: FUNCTION }),
    routeSnapshot({ path: '/h', integration: SERVICE }),
    routeSnapshot({ path: '/f', integration: { type: 'VELOCITY', integration: { ...FUNCTION, account: '123456789012' } } }),
    routeSnapshot({ path: '/g', integration: { type: 'AS_ROLE', account: '123456789012', integration: FUNCTION_PROXY } }),
  ],
});
const PLAN = {
  usagePlanId: 'p',
  tenant: 't',
  throttle: { ratePerSecond: 1, burst: 1 },
  quota: { limit: 1, offset: 0, period: 'DAY' },
  apiStages: [{ apiId: 'a', stage: 's', methodThrottles: { '/GET': { ratePerSecond: 1, burst: 1 } } }],
};
const KEY = { apiKeyId: 'k', tenant: 't', valueDigest: 'd0'.repeat(32), enabled: true, usagePlanIds: ['p'] };

const ACCESS = {
  tenant: 't',
  services: { s3: { endpoint: 'http://a', region: null } },
  roles: { r: { accessKeyId: 'a', secretAccessKey: 's', sessionToken: 't' } },
};

const CONTENTS = [
  ['stage', STAGE, checkStage],
  ['usage plan', PLAN, checkUsagePlan],
  ['API key', KEY, checkApiKey],
  ['service access', ACCESS, checkServiceAccess],
] as const;

/** Every place in a value, as the keys that lead there. */
function places(value: unknown, at: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, element]) => places(element, [...at, key]))];
}

function withValueAt(value: unknown, [key, ...rest]: readonly string[], replacement: unknown): unknown {
  if (key === undefined) return replacement;
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }) as Record<string, unknown>;
  copy[key] = withValueAt(copy[key], rest, replacement);
  return copy;
}

for (const [what, content, check] of CONTENTS) {
  test(`a ${what} as published passes, with members of a later version too`, () => {
    check(content, what);
    check({ ...content, later: 1 }, what);
  });

  test(`a ${what} with a member of no possible type is refused by name, wherever it stands`, () => {
    for (const place of places(content)) {
      if (place[0] === 'format') continue; // read before the shape is looked at
      expect(() => check(withValueAt(content, place, Symbol('no JSON')), what), place.join('.')).toThrow(LinkRefusal);
    }
  });

  test(`whatever is published as a ${what}, it passes or is refused, and nothing else is thrown`, () => {
    fc.assert(
      fc.property(fc.constantFrom(...places(content)), fc.jsonValue(), (place, replacement) => {
        try {
          check(withValueAt(content, place, replacement), what);
        } catch (cause) {
          expect(cause).toBeInstanceOf(LinkRefusal);
        }
      }),
    );
  });
}

test('a type this node does not know is named', () => {
  const stage = withValueAt(STAGE, ['routes', '1', 'integration', 'type'], 'TELEPATHY');
  expect(() => checkStage(stage, 'snapshot d')).toThrow(
    'snapshot d.routes[1].integration.type: "TELEPATHY" is not known to this node',
  );
});
