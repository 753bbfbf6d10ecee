import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ALLOWED, ANONYMOUS, DENIED, NO_MATCH, Policy, type Caller, type PolicyDecision } from './index.js';

const API = 'arn:aws:execute-api:eu-west-1:111111111111:a1b2c3d4e5';
const allow = (more: object = {}): object => ({
  Effect: 'Allow',
  Principal: '*',
  Action: 'execute-api:Invoke',
  Resource: '*',
  ...more,
});
const deny = (more: object = {}): object => ({ ...allow(more), Effect: 'Deny' });
const ADA: Caller = { ...ANONYMOUS, accountId: '222222222222', arns: ['arn:aws:iam::222222222222:user/ada'] };

interface Asked {
  readonly action?: string;
  readonly resource?: string;
  readonly caller?: Caller;
  readonly keys?: Readonly<Record<string, readonly string[]>>;
}

function decide(statements: readonly object[], { action, resource, caller, keys = {} }: Asked = {}): PolicyDecision {
  const policy = Policy.compile({ Version: '2012-10-17', Statement: statements }, { kind: 'resource', apiArn: API });
  return policy.evaluate({
    action: action ?? 'execute-api:Invoke',
    resource: resource ?? `${API}/prod/GET/pets/1`,
    caller: caller ?? ANONYMOUS,
    values: (key) => keys[key] ?? null,
  });
}

describe('a statement speaks about a request that all its elements fit', () => {
  for (const [name, statements, asked, expected] of [
    ['nothing said', [], {}, NO_MATCH],
    ['an allow', [allow()], {}, ALLOWED],
    ['a deny wins, before an allow', [deny(), allow()], {}, DENIED],
    ['a deny wins, after an allow', [allow(), deny()], {}, DENIED],
    ['another action', [allow({ Action: 'execute-api:ManageConnections' })], {}, NO_MATCH],
    ['actions have no case', [allow({ Action: 'EXECUTE-API:inv*' })], {}, ALLOWED],
    ['one of several actions', [allow({ Action: ['s3:GetObject', '*'] })], {}, ALLOWED],
    ['NotAction', [allow({ Action: undefined, NotAction: 'execute-api:ManageConnections' })], {}, ALLOWED],
    ['NotAction of this action', [allow({ Action: undefined, NotAction: 'execute-api:*' })], {}, NO_MATCH],
    ['a resource by wildcard', [allow({ Resource: `${API}/*/GET/pets/?` })], {}, ALLOWED],
    ['resources have case', [allow({ Resource: `${API}/prod/get/*` })], {}, NO_MATCH],
    ['the shorthand of an API', [allow({ Resource: 'execute-api:/prod/GET/*' })], {}, ALLOWED],
    ['the shorthand of another stage', [allow({ Resource: 'execute-api:/test/*' })], {}, NO_MATCH],
    ['NotResource', [deny({ Resource: undefined, NotResource: 'execute-api:/*/GET/*' }), allow()], {}, ALLOWED],
    [
      'a variable',
      [allow({ Resource: `${API}/prod/GET/\${aws:username}` })],
      { resource: `${API}/prod/GET/ada`, keys: { 'aws:username': ['ada'] } },
      ALLOWED,
    ],
    [
      'a variable is no wildcard',
      [allow({ Resource: `${API}/prod/GET/\${aws:username}` })],
      { keys: { 'aws:username': ['*'] } },
      NO_MATCH,
    ],
    [
      'an exception that nobody can name lets nobody in',
      [allow({ Resource: undefined, NotResource: 'x/${aws:username}' })],
      {},
      NO_MATCH,
    ],
    [
      'an exception that nobody can name keeps out',
      [allow(), deny({ Resource: undefined, NotResource: 'x/${aws:username}' })],
      {},
      DENIED,
    ],
    ['a variable without a value', [allow({ Resource: `${API}/\${aws:username}` })], { resource: `${API}/` }, NO_MATCH],
    [
      'a variable that has another value then',
      [allow({ Resource: "x/${aws:username, 'nobody'}" })],
      { resource: 'x/nobody' },
      ALLOWED,
    ],
    ['a star that is meant', [allow({ Resource: 'x/${*}' })], { resource: 'x/y' }, NO_MATCH],
    ['AWS: *', [allow({ Principal: { AWS: '*' } })], {}, ALLOWED],
    ['an account is not everybody', [allow({ Principal: { AWS: '222222222222' } })], {}, NO_MATCH],
    ['an account', [allow({ Principal: { AWS: ['222222222222'] } })], { caller: ADA }, ALLOWED],
    ['the root of an account', [allow({ Principal: { AWS: 'arn:aws:iam::222222222222:root' } })], { caller: ADA }, ALLOWED],
    ['a user', [allow({ Principal: { AWS: ADA.arns } })], { caller: ADA }, ALLOWED],
    ['another user', [allow({ Principal: { AWS: 'arn:aws:iam::222222222222:user/eve' } })], { caller: ADA }, NO_MATCH],
    ['a user that was deleted', [allow({ Principal: { AWS: 'AIDAABCDEFGHIJKLMNOPQ' } })], { caller: ADA }, NO_MATCH],
    [
      'a service',
      [allow({ Principal: { Service: 'apigateway.amazonaws.com' } })],
      { caller: { ...ANONYMOUS, service: 'apigateway.amazonaws.com' } },
      ALLOWED,
    ],
    ['NotPrincipal', [allow(), deny({ Principal: undefined, NotPrincipal: { AWS: ADA.arns } })], { caller: ADA }, ALLOWED],
    ['NotPrincipal, of everybody else', [allow(), deny({ Principal: undefined, NotPrincipal: { AWS: ADA.arns } })], {}, DENIED],
  ] as readonly (readonly [string, object[], Asked, PolicyDecision])[]) {
    test(name, () => expect(decide(statements, asked)).toBe(expected));
  }
});

describe('conditions', () => {
  const of = (operator: string, key: string, wanted: unknown): object => allow({ Condition: { [operator]: { [key]: wanted } } });
  for (const [operator, wanted, holding, failing, withoutKey] of [
    ['StringEquals', ['a', 'b'], [['a'], ['b'], ['x', 'a']], [['A'], ['a*']], false],
    ['StringNotEquals', ['a', 'b'], [['c'], ['A']], [['a'], ['c', 'b']], true],
    ['StringEqualsIgnoreCase', 'Ab', [['aB']], [['abc']], false],
    ['StringNotEqualsIgnoreCase', 'Ab', [['c']], [['aB']], true],
    ['StringLike', 'a*c?', [['acd'], ['abbbcd']], [['ac'], ['Acd']], false],
    ['StringNotLike', 'a*', [['b']], [['a']], true],
    ['StringEqualsIfExists', 'a', [['a']], [['b']], true],
    ['stringequals', 'a', [['a']], [['b']], false],
    ['NumericLessThan', 10, [['9.5'], ['-1e3']], [['10'], ['x']], false],
    ['NumericGreaterThanEquals', '10', [['10']], [['9']], false],
    ['NumericNotEquals', '10', [['11']], [['10.0']], true],
    [
      'DateGreaterThan',
      '2026-01-01T00:00:00Z',
      [['2026-06-01T00:00:00Z'], ['1800000000']],
      [['2025-12-31T23:59:59Z'], ['soon']],
      false,
    ],
    ['DateLessThanEquals', '2026-01-01', [['2026-01-01T00:00:00Z']], [['2026-01-02T00:00:00Z']], false],
    ['Bool', 'true', [['true'], ['True']], [['false']], false],
    ['Bool', true, [['true']], [['false']], false],
    [
      'IpAddress',
      ['10.0.0.0/8', '192.0.2.7'],
      [['10.9.8.7'], ['192.0.2.7']],
      [['11.0.0.1'], ['192.0.2.8'], ['::1'], ['x']],
      false,
    ],
    ['IpAddress', '2001:db8::/32', [['2001:db8::1']], [['2001:db9::1'], ['10.0.0.1']], false],
    ['IpAddress', '0.0.0.0/0', [['255.255.255.255']], [['::1']], false],
    ['NotIpAddress', '10.0.0.0/8', [['11.0.0.1']], [['10.0.0.1']], true],
    ['ArnLike', 'arn:aws:s3:::a*', [['arn:aws:s3:::abc:d']], [['arn:aws:s3:x::abc'], ['arn:aws:s3']], false],
    ['ArnEquals', 'arn:*:iam::1:role/*', [['arn:aws:iam::1:role/r']], [['arn:aws:x:iam::1:role/r']], false],
    ['ArnNotLike', 'arn:aws:s3:::a', [['arn:aws:s3:::b']], [['arn:aws:s3:::a']], true],
    ['Null', 'true', [], [['x']], true],
    ['Null', 'false', [['x']], [], false],
    ['ForAllValues:StringEquals', ['a', 'b'], [['a'], ['a', 'b']], [['a', 'c']], true],
    ['ForAnyValue:StringEquals', ['a', 'b'], [['c', 'a']], [['c']], false],
    ['ForAnyValue:StringNotEquals', ['a', 'b'], [['c', 'a']], [['a', 'b']], false],
    ['ForAllValues:StringNotLike', ['a*'], [['b', 'c']], [['b', 'ab']], true],
  ] as readonly (readonly [string, unknown, string[][], string[][], boolean])[]) {
    test(`${operator} ${JSON.stringify(wanted)}`, () => {
      const statement = of(operator, 'aws:Key', wanted);
      const isAllowed = (values?: string[]): boolean =>
        decide([statement], values === undefined ? {} : { keys: { 'aws:key': values } }) === ALLOWED;
      for (const values of holding) expect(isAllowed(values), values.join()).toBe(true);
      for (const values of failing) expect(isAllowed(values), values.join()).toBe(false);
      expect(isAllowed()).toBe(withoutKey);
    });
  }

  test('of one statement hold all together', () => {
    const statement = allow({ Condition: { StringEquals: { a: '1', b: '2' }, Bool: { c: 'true' } } });
    const keys = { a: ['1'], b: ['2'], c: ['true'] };
    expect(decide([statement], { keys })).toBe(ALLOWED);
    for (const name of Object.keys(keys)) expect(decide([statement], { keys: { ...keys, [name]: ['0'] } })).toBe(NO_MATCH);
  });

  test('may name another key', () => {
    const statement = allow({ Condition: { StringEquals: { a: '${b}' } } });
    expect(decide([statement], { keys: { a: ['x'], b: ['x'] } })).toBe(ALLOWED);
    expect(decide([statement], { keys: { a: ['x'], b: ['y'] } })).toBe(NO_MATCH);
  });
});

test('variables are plain text in policies of 2008', () => {
  const policy = Policy.compile(
    { Statement: { Effect: 'Allow', Action: '*', Resource: 'x/${aws:username}' } },
    { kind: 'identity' },
  );
  const request = { action: 'a:B', caller: ANONYMOUS, values: () => ['ada'] };
  expect(policy.evaluate({ ...request, resource: 'x/${aws:username}' })).toBe(ALLOWED);
  expect(policy.evaluate({ ...request, resource: 'x/ada' })).toBe(NO_MATCH);
});

describe('what is no policy is refused, and why', () => {
  for (const [document, message] of [
    [[], 'the policy is no object'],
    [{}, 'there is no Statement'],
    [{ Version: '2020', Statement: [] }, 'Version is none of 2012-10-17, 2008-10-17'],
    [{ Statement: [], Extra: 1 }, 'unknown member "Extra"'],
    [{ Statement: ['x'] }, 'statement 1: it is no object'],
    [{ Statement: [allow(), allow({ Effect: 'allow' })] }, 'statement 2: Effect is neither Allow nor Deny'],
    [{ Statement: allow({ Principals: '*' }) }, 'statement 1: unknown member "Principals"'],
    [{ Statement: allow({ Principal: undefined }) }, 'statement 1: exactly one of Principal and NotPrincipal is needed'],
    [{ Statement: allow({ Principal: 'arn:aws:iam::1:root' }) }, 'statement 1: Principal is neither "*" nor an object'],
    [{ Statement: allow({ Principal: {} }) }, 'statement 1: Principal names nobody'],
    [{ Statement: allow({ Principal: { AWS: 'ada' } }) }, 'statement 1: invalid principal "ada"'],
    [
      { Statement: allow({ Principal: { AWS: 'arn:aws:iam::222222222222:user/*' } }) },
      'statement 1: invalid principal "arn:aws:iam::222222222222:user/*"',
    ],
    [{ Statement: allow({ Principal: { Anybody: '*' } }) }, 'statement 1: unknown type of principal "Anybody"'],
    [{ Statement: allow({ Action: undefined }) }, 'statement 1: exactly one of Action and NotAction is needed'],
    [{ Statement: allow({ Action: 'Invoke' }) }, 'statement 1: invalid action "Invoke"'],
    [{ Statement: allow({ NotAction: '*' }) }, 'statement 1: exactly one of Action and NotAction is needed'],
    [{ Statement: allow({ Resource: [] }) }, 'statement 1: Resource is empty'],
    [{ Statement: allow({ Resource: 5 }) }, 'statement 1: Resource is no text'],
    [{ Statement: allow({ Condition: { Equals: { a: 'b' } } }) }, 'statement 1: unknown condition operator "Equals"'],
    [
      { Statement: allow({ Condition: { IpAddress: { a: '10.0.0.0/40' } } }) },
      'statement 1: "10.0.0.0/40" is no IP address range',
    ],
    [{ Statement: allow({ Condition: { NumericEquals: { a: 'ten' } } }) }, 'statement 1: "ten" is no number'],
    [{ Statement: allow({ Condition: { DateEquals: { a: 'soon' } } }) }, 'statement 1: "soon" is no date'],
    [{ Statement: allow({ Condition: { Bool: { a: 'yes' } } }) }, 'statement 1: "yes" is neither true nor false'],
    [{ Statement: allow({ Condition: { StringEquals: 'a' } }) }, 'statement 1: StringEquals is no object'],
    [{ Statement: allow({ Condition: { StringEquals: { a: {} } } }) }, 'statement 1: a value of a is no text'],
  ] as const) {
    test(message, () => {
      let problem: unknown;
      try {
        // Through text, as it comes: members that are undefined are not there.
        Policy.compile(JSON.parse(JSON.stringify(document)), { kind: 'resource' });
      } catch (error) {
        problem = error;
      }
      expect(problem).toMatchObject({ name: 'PolicyError', message });
    });
  }

  test('a principal in an identity policy', () => {
    expect(() => Policy.compile({ Statement: allow() }, { kind: 'identity' })).toThrow(
      'Principal stands in resource policies only',
    );
  });
});

/** Tries every way to spread the text over the pattern. */
function naive(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  const [head] = pattern;
  if (head === '*') return naive(pattern.slice(1), text) || (text !== '' && naive(pattern, text.slice(1)));
  return text !== '' && (head === '?' || head === text[0]) && naive(pattern.slice(1), text.slice(1));
}

test('wildcards match what a naive matcher says', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: fc.constantFrom(...'ab*?'), minLength: 1, maxLength: 7 }),
        fc.string({ unit: fc.constantFrom(...'ab*'), minLength: 1, maxLength: 7 }),
      ),
      fc.string({ unit: fc.constantFrom(...'ab'), maxLength: 7 }),
      (pattern, resource) => {
        expect(decide([allow({ Resource: pattern })], { resource })).toBe(naive(pattern, resource) ? ALLOWED : NO_MATCH);
      },
    ),
    { seed: 1, numRuns: 4_000 },
  );
});

describe('what a policy says of every request with an action', () => {
  const identity = (...statements: readonly object[]) =>
    Policy.compile(
      { Version: '2012-10-17', Statement: statements.map((own) => ({ ...own, Principal: undefined })) },
      { kind: 'identity' },
    );
  const ofAll = (...statements: readonly object[]) => identity(...statements).evaluateAll('execute-api:Invoke');

  test.each<[string, readonly object[], PolicyDecision | null]>([
    ['nothing', [], NO_MATCH],
    ['everything is allowed', [allow()], ALLOWED],
    ['everything is among what is allowed', [allow({ Resource: ['a', '*'] })], ALLOWED],
    ['everything is denied', [allow(), deny()], DENIED],
    ['something is denied', [allow(), deny({ Resource: `${API}/prod/*` })], null],
    ['something is allowed', [allow({ Resource: '*/*' })], null],
    ['all but something is allowed', [allow({ Resource: undefined, NotResource: 'a' })], null],
    ['all but everything is denied', [allow(), deny({ Resource: undefined, NotResource: '*' })], null],
    ['another action is denied', [allow(), deny({ Action: 'execute-api:InvalidateCache', Resource: 'a' })], ALLOWED],
    ['all other actions are denied', [allow(), deny({ Action: undefined, NotAction: 'execute-api:Invoke' })], ALLOWED],
    ['all but other actions are denied', [allow(), deny({ Action: undefined, NotAction: 's3:*' })], DENIED],
    ['something is denied to some', [allow(), deny({ Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } })], null],
    ['everything is allowed to some', [allow({ Condition: { StringEquals: { 'aws:UserAgent': 'x' } } })], null],
    ['everything is allowed to a name', [allow({ Resource: '${aws:username}' })], null],
  ])('%s', (_, statements, expected) => expect(ofAll(...statements)).toBe(expected));

  test('of a resource policy nothing: it is about somebody', () => {
    const policy = Policy.compile({ Version: '2012-10-17', Statement: [allow()] }, { kind: 'resource', apiArn: API });
    expect(policy.evaluateAll('execute-api:Invoke')).toBe(null);
  });

  test('is what it says of any of them', () => {
    const action = fc.constantFrom('execute-api:Invoke', 'execute-api:*', 's3:GetObject', '*');
    const resource = fc.constantFrom('*', '**', '?*', 'a*', 'ab', '${aws:username}', ['ab', '*']);
    const named = (name: string, value: fc.Arbitrary<unknown>) =>
      fc.tuple(fc.boolean(), value).map(([isOwn, given]) => ({ [isOwn ? name : `Not${name}`]: given }));
    const condition = fc.constantFrom({}, {}, { Condition: { StringEquals: { 'aws:username': 'ab' } } });
    const statement = fc
      .tuple(fc.constantFrom('Allow', 'Allow', 'Deny'), named('Action', action), named('Resource', resource), condition)
      .map(([Effect, ...parts]) => Object.assign({ Effect }, ...parts) as object);
    fc.assert(
      fc.property(
        fc.array(statement, { maxLength: 3 }),
        fc.constantFrom('', 'a', 'ab', 'abc', 'xy'),
        fc.constantFrom(null, 'ab'),
        (Statement, asked, name) => {
          const policy = Policy.compile({ Version: '2012-10-17', Statement }, { kind: 'identity' });
          const ofEvery = policy.evaluateAll('execute-api:Invoke');
          fc.pre(ofEvery !== null);
          const values = () => (name === null ? null : [name]);
          expect(policy.evaluate({ action: 'execute-api:Invoke', resource: asked, caller: ANONYMOUS, values })).toBe(ofEvery);
        },
      ),
      { seed: 1, numRuns: 3_000 },
    );
  });
});

test('one policy is asked for one action and another in turn', () => {
  const Statement = [allow({ Action: 'execute-api:Invoke' }), deny({ Action: undefined, NotAction: 'execute-api:Invoke' })];
  const policy = Policy.compile({ Version: '2012-10-17', Statement }, { kind: 'resource', apiArn: API });
  const ask = (action: string) =>
    policy.evaluate({ action, resource: `${API}/prod/GET/pets`, caller: ANONYMOUS, values: () => null });
  const actions = ['execute-api:Invoke', 'execute-api:Invoke', 'execute-api:InvalidateCache', 'execute-api:Invoke'];
  expect(actions.map(ask)).toEqual([ALLOWED, ALLOWED, DENIED, ALLOWED]);
});

test('a pattern full of stars takes no longer than its length times the text', () => {
  const resource = 'a'.repeat(1_600);
  for (const end of ['b', '?b'])
    expect(decide([allow({ Resource: `${'a*'.repeat(2_000)}${end}` })], { resource })).toBe(NO_MATCH);
  expect(decide([allow({ Resource: `*${'a'.repeat(800)}b*` })], { resource })).toBe(NO_MATCH);
});
