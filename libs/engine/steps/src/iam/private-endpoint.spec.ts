import type { RouteAuthorization } from '@gatehouse/contracts';
import { CONTINUE, contextVariable, type Exchange } from '@gatehouse/engine-exchange';
import { systemClock } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { expect, test } from 'vitest';
import { authorize } from '../index.js';
import { exchangeOf, signedRequest } from '../testing/signed-exchange.js';

const nobody = { call: () => Promise.reject(new Error('somebody was called')) };
const vpcEndpoints = (address: string) => (address.startsWith('10.') ? { vpceId: 'vpce-1a', vpcId: 'vpc-1' } : null);
const connectors = { functions: nobody, http: nobody, limits: { clock: systemClock }, vpcEndpoints };

const allow = (Condition: object = {}): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: '*', Action: 'execute-api:Invoke', Resource: 'execute-api:/*', Condition }],
  });

async function outcomeOf(
  resourcePolicy: string | null,
  sourceIp = '10.0.0.9',
  host = 'abc123defg.execute-api.localhost',
  known = connectors as Parameters<typeof authorize>[0],
): Promise<[string, Exchange]> {
  const inner: RouteAuthorization = { type: 'NONE' };
  const judged: RouteAuthorization = resourcePolicy === null ? inner : { type: 'RESOURCE_POLICY', authorization: inner };
  const route = routeSnapshot({ path: '/pets', authorization: { type: 'PRIVATE', authorization: judged } });
  const stage = stageSnapshot({ routes: [route], ...(resourcePolicy !== null && { resourcePolicy }) });
  const x = exchangeOf(await signedRequest({ isSigned: false, host }), stage, null);
  x.sourceIp = sourceIp;
  const verdict = await authorize(known)({ stage, route })!(x);
  return [verdict === CONTINUE ? 'admitted' : `${x.fault!.errorType}: ${x.faultMessage}`, x];
}

const ANONYMOUS =
  'AccessDeniedException: User: anonymous is not authorized to perform: execute-api:Invoke on resource: ' +
  'arn:aws:execute-api:us-east-1:********9012:abc123defg/dev/GET/pets';

test.each<[string, string | null, string]>([
  ['a policy that allows', allow(), 'admitted'],
  ['no policy: nobody is let in', null, ANONYMOUS],
  ['the endpoint', allow({ StringEquals: { 'aws:SourceVpce': 'vpce-1a' } }), 'admitted'],
  ['another endpoint', allow({ StringEquals: { 'aws:SourceVpce': 'vpce-2b' } }), ANONYMOUS],
  ['the network', allow({ StringEquals: { 'aws:SourceVpc': 'vpc-1' } }), 'admitted'],
  ['an address in the network', allow({ IpAddress: { 'aws:VpcSourceIp': '10.0.0.0/24' } }), 'admitted'],
  ['another address in the network', allow({ IpAddress: { 'aws:VpcSourceIp': '10.9.0.0/24' } }), ANONYMOUS],
  ['a public address, which nobody has there', allow({ IpAddress: { 'aws:SourceIp': '10.0.0.0/24' } }), ANONYMOUS],
])('a private API goes by its policy: %s', async (_, policy, expected) => {
  expect((await outcomeOf(policy))[0]).toBe(expected);
});

const FORBIDDEN = 'ForbiddenException: Forbidden';

test('who comes another way is refused, whatever the policy says', async () => {
  expect((await outcomeOf(allow(), '203.0.113.9'))[0]).toBe(FORBIDDEN);
});

test('a node that knows no endpoints lets nobody in', async () => {
  const { functions, http, limits } = connectors;
  expect((await outcomeOf(allow(), '10.0.0.9', undefined, { functions, http, limits }))[0]).toBe(FORBIDDEN);
});

test('a host that names an endpoint leads through that one alone', async () => {
  const host = (vpceId: string): string => `abc123defg-${vpceId}.execute-api.us-east-1.localhost`;
  expect((await outcomeOf(allow(), '10.0.0.9', host('vpce-1a')))[0]).toBe('admitted');
  expect((await outcomeOf(allow(), '10.0.0.9', host('vpce-2b')))[0]).toBe(FORBIDDEN);
});

test('backends and logs are told of the endpoint', async () => {
  const [, x] = await outcomeOf(allow());
  expect(['vpceId', 'vpcId'].map((name) => contextVariable(`identity.${name}`)!(x))).toEqual(['vpce-1a', 'vpc-1']);
});
