import { Exchange } from '@gatehouse/engine-exchange';
import { stageSnapshot } from '@gatehouse/testkit';
import { expect, test } from 'vitest';
import { compileCacheKey } from './cache-key.js';

test('requests that differ in verb or host have different keys, and the same one again has its own', () => {
  const keyOf = compileCacheKey(stageSnapshot({}), { namespace: 'r1', keyParameters: [] }, false);
  const keys = [
    ['GET', 'a'],
    ['HEAD', 'a'],
    ['HEAD', 'b'],
    ['GET', 'b'],
    ['GET', 'a'],
  ].map(([httpMethod, host]) => keyOf(Object.assign(new Exchange(), { httpMethod, host })));
  expect(new Set(keys).size).toBe(4);
  expect(keys[4]).toBe(keys[0]);
});
