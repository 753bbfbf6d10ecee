import type { FunctionEntry, FunctionPermission } from '@gatehouse/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesPattern, mayInvoke, type Source } from './access.js';

const OWNER = '111122223333';
const GATEWAY = 'apigateway.amazonaws.com';
const CALL_ARN = 'arn:aws:execute-api:us-east-1:111122223333:api/dev/GET/users';

const statement = (over: Partial<FunctionPermission>): FunctionPermission => ({
  qualifier: '',
  statementId: 's',
  action: 'lambda:InvokeFunction',
  principal: GATEWAY,
  sourceArn: null,
  sourceAccount: null,
  ...over,
});
const entry = (...permissions: Partial<FunctionPermission>[]): FunctionEntry => ({
  tenant: OWNER,
  region: 'us-east-1',
  functionName: 'f',
  version: '$LATEST',
  runtime: 'nodejs22.x',
  handler: 'index.handler',
  timeoutMs: 3_000,
  memoryMb: 128,
  environment: {},
  aliases: [],
  weightedAliases: {},
  reservedConcurrency: null,
  permissions: permissions.map(statement),
  codeSha256: '',
});
const gateway: Source = { principal: GATEWAY, arn: CALL_ARN, account: OWNER };

for (const [what, permissions, qualifier, source, expected] of [
  ['the owner needs no statement', [], null, null, true],
  ['the owner by account id needs no statement', [], null, { ...gateway, principal: OWNER }, true],
  ['a service of the same account needs a statement', [], null, gateway, false],
  ['a statement for the service', [{}], null, gateway, true],
  ['a statement for another service', [{ principal: 's3.amazonaws.com' }], null, gateway, false],
  ['a statement for anybody', [{ principal: '*' }], null, gateway, true],
  ['a source ARN that matches', [{ sourceArn: 'arn:aws:execute-api:us-east-1:*:api/*/GET/users' }], null, gateway, true],
  ['a source ARN of another API', [{ sourceArn: 'arn:aws:execute-api:us-east-1:*:other/*/GET/users' }], null, gateway, false],
  ['a source ARN asked for and none given', [{ sourceArn: '*' }], null, { ...gateway, arn: null }, false],
  ['the source account', [{ sourceAccount: OWNER }], null, gateway, true],
  ['another source account', [{ sourceAccount: '999988887777' }], null, gateway, false],
  ['both conditions must hold', [{ sourceArn: CALL_ARN, sourceAccount: '999988887777' }], null, gateway, false],
  ['one statement of several is enough', [{ principal: 's3.amazonaws.com' }, {}], null, gateway, true],
  ['another action allows nothing', [{ action: 'lambda:GetFunction' }], null, gateway, false],
  ['any action of Lambda', [{ action: 'lambda:*' }], null, gateway, true],
  ['the unqualified policy says nothing about an alias', [{}], 'live', gateway, false],
  ['the policy of the alias', [{ qualifier: 'live' }], 'live', gateway, true],
  ['$LATEST has the unqualified policy', [{}], '$LATEST', gateway, true],
  ['a foreign account without a statement', [{}], null, { principal: '999988887777', arn: null, account: '999988887777' }, false],
  [
    'a foreign account by its id',
    [{ principal: '999988887777' }],
    null,
    { principal: '999988887777', arn: null, account: null },
    true,
  ],
  [
    'a foreign account by its root',
    [{ principal: 'arn:aws:iam::999988887777:root' }],
    null,
    { principal: '999988887777', arn: null, account: null },
    true,
  ],
  [
    'a user of an account that may',
    [{ principal: '999988887777' }],
    null,
    { principal: 'arn:aws:iam::999988887777:user/x', arn: null, account: null },
    true,
  ],
] as const) {
  test(`permission: ${what}`, () => expect(mayInvoke(entry(...permissions), qualifier, source)).toBe(expected));
}

test('a pattern matches exactly what the naive matcher matches', () => {
  const naive = (p: string, t: string): boolean => {
    if (p === '') return t === '';
    if (p[0] === '*') return naive(p.slice(1), t) || (t !== '' && naive(p, t.slice(1)));
    return t !== '' && (p[0] === '?' || p[0] === t[0]) && naive(p.slice(1), t.slice(1));
  };
  const text = (alphabet: string) => fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 10 });
  fc.assert(
    fc.property(text('ab*?'), text('ab'), (pattern, t) => matchesPattern(pattern, t) === naive(pattern, t)),
    { numRuns: 2_000 },
  );
});
