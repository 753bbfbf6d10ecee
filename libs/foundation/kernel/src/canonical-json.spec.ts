import { expect, test } from 'vitest';
import { canonicalJson } from './canonical-json.js';

test('equal values give equal text, whatever the order they were put together in', () => {
  expect(canonicalJson({ b: [{ d: 1, c: null }], a: 'x' })).toBe('{"a":"x","b":[{"c":null,"d":1}]}');
  expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}');
});

test('every name is data: one that a tenant chose does not change what an object is', () => {
  const named = JSON.parse('{"b": 1, "__proto__": {"z": 2, "y": 3}, "constructor": 4}') as unknown;
  expect(canonicalJson(named)).toBe('{"__proto__":{"y":3,"z":2},"b":1,"constructor":4}');
});
