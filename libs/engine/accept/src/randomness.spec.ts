import { expect, test } from 'vitest';
import { extendedIdOf, Randomness, requestIdOf } from './randomness.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('ids have their form, and no two share bytes, across refills of the block', () => {
  const random = new Randomness();
  const seen = new Set<string>();
  for (let i = 0; i < 5_000; i++) {
    seen.add(random.hex(24));
    const lines = random.idLines();
    const requestId = requestIdOf(lines);
    expect(requestId).toMatch(UUID);
    expect(extendedIdOf(lines)).toMatch(/^[A-Za-z0-9+/]{15}=$/);
    expect(lines).toBe(`x-amzn-RequestId: ${requestId}\r\nx-amz-apigw-id: ${extendedIdOf(lines)}\r\n`);
    const trace = random.untracedEnd();
    expect(trace).toMatch(/^[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$/);
    for (const id of [requestId.slice(0, 13), requestId.slice(24), extendedIdOf(lines), trace.slice(0, 24), trace.slice(32, 48)])
      seen.add(id);
  }
  expect(seen.size).toBe(6 * 5_000);
});

test('every digit takes every value', () => {
  const random = new Randomness();
  const values = Array.from({ length: 90 }, () => new Set<string>());
  for (let i = 0; i < 4_000; i++) for (const [at, char] of [...random.idLines()].entries()) values[at]!.add(char);
  const counts = [...requestIdOf(values.map(({ size }) => String.fromCharCode(size)).join(''))].map((char) => char.charCodeAt(0));
  expect(counts).toEqual([...'xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx'].map((char) => ({ x: 16, v: 4 })[char] ?? 1));
  expect(values.slice(72, 87).map(({ size }) => size)).toEqual(Array(15).fill(64));
});
