import { Buffer } from 'node:buffer';
import type { AccessKeyEntry } from '@gatehouse/contracts';
import { expect, test } from 'vitest';
import { LinkedAccessKey } from './access-keys.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const entry: AccessKeyEntry = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  tenant: '123456789012',
  principalArn: 'arn:aws:iam::123456789012:user/ann',
  userId: 'AIDAEXAMPLE',
  policy: null,
  signingKeys: { '20261120/us-east-1': base64('today'), '20261119/us-east-1': base64('yesterday') },
};

test('a key signs with what was published for the day and region, in whatever order they are asked for, and with nothing else', () => {
  const key = new LinkedAccessKey(entry);
  const signingKey = (scope: string): string | null => {
    const [date, region] = scope.split('/') as [string, string];
    const bytes = key.signingKey(date, region);
    return bytes === null ? null : Buffer.from(bytes).toString();
  };
  const [today, yesterday, elsewhere, odd] = ['20261120/us-east-1', '20261119/us-east-1', '20261120/eu-west-1', '/'];
  expect([odd, today, today, yesterday, elsewhere, today, elsewhere, yesterday].map(signingKey)).toEqual([
    null,
    'today',
    'today',
    'yesterday',
    null,
    'today',
    null,
    'yesterday',
  ]);
});
