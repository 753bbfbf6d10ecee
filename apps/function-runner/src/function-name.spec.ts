import { expect, test } from 'vitest';
import { parseFunctionReference } from './function-name.js';

for (const [text, expected] of [
  ['users', { account: null, functionName: 'users', qualifier: null }],
  ['users:live', { account: null, functionName: 'users', qualifier: 'live' }],
  ['users:$LATEST', { account: null, functionName: 'users', qualifier: '$LATEST' }],
  ['function:users', { account: null, functionName: 'users', qualifier: null }],
  ['111122223333:function:users', { account: '111122223333', functionName: 'users', qualifier: null }],
  ['arn:aws:lambda:us-east-1:111122223333:function:users:7', { account: '111122223333', functionName: 'users', qualifier: '7' }],
  [
    'arn:aws-cn:lambda:cn-north-1:111122223333:function:users',
    { account: '111122223333', functionName: 'users', qualifier: null },
  ],
  ['111122223333:7', { account: null, functionName: '111122223333', qualifier: '7' }],
  ['arn:aws:lambda:us-east-1:function:users', null],
  ['../users', null],
  ['users:live:more', null],
  ['', null],
] as const) {
  test(`function reference ${JSON.stringify(text)}`, () => expect(parseFunctionReference(text)).toEqual(expected));
}
