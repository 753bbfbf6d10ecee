// The last row of data-plane reference §1.4: of a method that somebody is authorized for, the ARN has 1,600 bytes at most.
import type { RouteAuthorization } from '@gatehouse/contracts';
import { Exchange, FAULT } from '@gatehouse/engine-exchange';
import { systemClock } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { expect, test } from 'vitest';
import { authorize } from '../index.js';

const POOL = {
  type: 'USER_POOLS',
  issuers: ['https://issuer.example'],
  identitySource: 'method.request.header.Authorization',
  validationExpression: null,
  ttlSeconds: 0,
} as const;
const FUNCTION = {
  type: 'TOKEN',
  functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:auth',
  identitySources: ['method.request.header.Authorization'],
  validationExpression: null,
  ttlSeconds: 0,
} as const;
const nobody = { call: () => Promise.reject(new Error('somebody was called')) };
const AUTHORIZATIONS: readonly RouteAuthorization[] = [
  { type: 'IAM' },
  { type: 'FUNCTION', authorizerId: 'function' },
  { type: 'USER_POOLS', authorizerId: 'pool', scopes: [] },
];

test.each(AUTHORIZATIONS)('$type: an ARN of 1,600 bytes is judged, of one more it is 414', async (authorization) => {
  const route = routeSnapshot({ path: '/{proxy+}', authorization });
  const stage = stageSnapshot({ routes: [route], authorizers: { function: FUNCTION, pool: POOL } });
  const step = authorize({ functions: nobody, http: nobody, limits: { clock: systemClock } })({ stage, route })!;
  const before = `arn:aws:execute-api:${stage.region}:${stage.tenant}:${stage.apiId}/${stage.stage}/GET/`.length;
  const verdictOf = async (arnBytes: number): Promise<string> => {
    // Slashes around a path are in no ARN.
    const resourcePath = `/${'x'.repeat(arnBytes - before)}/`;
    const x = Object.assign(new Exchange(), { httpMethod: 'GET', resourcePath, stage: { snapshot: stage } });
    expect(await step(x)).toBe(FAULT);
    return `${x.fault!.status} ${x.faultMessage}`;
  };
  const judged = authorization.type === 'IAM' ? '403 Missing Authentication Token' : '401 Unauthorized';
  expect(await verdictOf(1_600)).toBe(judged);
  expect(await verdictOf(1_601)).toBe('414 Request URI too long');
});
