import fc from 'fast-check';
import { expect, test } from 'vitest';
import { functionArn, readFunctionReference } from './function-name.js';

const none = { region: null, account: null, qualifier: null };
const account = '111122223333';
for (const [text, expected] of [
  ['users', { ...none, name: 'users' }],
  ['users:live', { ...none, name: 'users', qualifier: 'live' }],
  ['users:$LATEST', { ...none, name: 'users', qualifier: '$LATEST' }],
  ['users:12', { ...none, name: 'users', qualifier: '12' }],
  ['function:users', { ...none, name: 'users' }],
  ['111122223333:function:users', { ...none, account, name: 'users' }],
  ['111122223333:function:users:1', { ...none, account, name: 'users', qualifier: '1' }],
  ['arn:aws:lambda:us-east-1:111122223333:function:users', { region: 'us-east-1', account, name: 'users', qualifier: null }],
  [
    'arn:aws:lambda:us-east-1:111122223333:function:users:live',
    { region: 'us-east-1', account, name: 'users', qualifier: 'live' },
  ],
] as const) {
  test(`${text} names a function`, () => expect(readFunctionReference(text)).toEqual(expected));
}

for (const text of [
  '',
  ':',
  'a b',
  '../users',
  'users:',
  'users:a:b',
  'users:$OLDEST',
  'x'.repeat(65),
  'arn:aws:s3:::users',
  '123:function:users',
  'users\n',
]) {
  test(`${JSON.stringify(text)} names none`, () => {
    expect(() => readFunctionReference(text)).toThrow(
      expect.objectContaining({
        type: 'ValidationException',
        message: expect.stringMatching(
          /at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern/,
        ) as string,
      }),
    );
  });
}

test('the qualifier may stand in the name or beside it, but not differ', () => {
  expect(readFunctionReference('users', '1').qualifier).toBe('1');
  expect(readFunctionReference('users:1', '1').qualifier).toBe('1');
  expect(() => readFunctionReference('users:1', '2')).toThrow(
    'The derived qualifier from the function name does not match the specified qualifier.',
  );
});

test('an ARN is read back as it was written', () => {
  const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
  const qualifier = fc.option(fc.oneof(fc.constant('$LATEST'), fc.stringMatching(/^[A-Za-z0-9_-]{1,128}$/)));
  fc.assert(
    fc.property(name, qualifier, (functionName, version) => {
      const arn = functionArn('eu-west-1', account, functionName, version);
      expect(readFunctionReference(arn)).toEqual({ region: 'eu-west-1', account, name: functionName, qualifier: version });
    }),
  );
});
