import { labelsSetting } from '@gatehouse/kernel';
import { expect, test } from 'vitest';
import { siblingsSetting, snapshotKeySetting } from './sibling-settings.js';

test('labels, siblings and the snapshot key are read, and what cannot be meant is an error at the start', () => {
  const labels = labelsSetting('GATEHOUSE_NODE_LABELS', 'labels');
  expect(labels.parse(' pool=eu, region=eu-west-1 ,')).toEqual({ pool: 'eu', region: 'eu-west-1' });
  expect(siblingsSetting.parse('http://10.0.0.1:8081,https://node2:8081')).toEqual([
    'http://10.0.0.1:8081',
    'https://node2:8081',
  ]);
  expect(snapshotKeySetting.parse('ab'.repeat(32))).toEqual(Buffer.alloc(32, 0xab));
  for (const text of ['pool', 'pool=', '=eu', 'pool=a b']) expect(() => labels.parse(text)).toThrow('expected name=value');
  for (const text of ['10.0.0.1:8081', 'ftp://node', 'http://'])
    expect(() => siblingsSetting.parse(text)).toThrow('expected http://');
  expect(() => snapshotKeySetting.parse('ab')).toThrow('64 hex characters');
});
