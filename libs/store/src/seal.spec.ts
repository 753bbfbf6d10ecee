import { Secret } from '@gatehouse/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Sealer } from './seal.js';

const sealer = new Sealer(new Secret('ab'.repeat(32)));

test('what is sealed for a place opens there, and equal secrets look different', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, place) => {
      const [one, two] = [sealer.seal(new Secret(text), place), sealer.seal(new Secret(text), place)];
      expect(sealer.open(one, place).reveal()).toBe(text);
      expect(one).not.toEqual(two);
    }),
  );
});

test('a sealed value that was moved, cut or changed in any bit does not open', () => {
  const sealed = sealer.seal(new Secret('secret'), 'here');
  expect(() => sealer.open(sealed, 'there')).toThrow('changed or moved');
  for (let length = 0; length < sealed.length; length++) expect(() => sealer.open(sealed.subarray(0, length), 'here')).toThrow();
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const changed = Uint8Array.from(sealed);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    expect(() => sealer.open(changed, 'here')).toThrow();
  }
});

test('digests find a secret in its scope and under its master key alone', () => {
  const other = new Sealer(new Secret('cd'.repeat(32)));
  expect(sealer.digest('s', 'scope')).toEqual(sealer.digest('s', 'scope'));
  expect(sealer.digest('s', 'scope')).not.toEqual(sealer.digest('s', 'scop'));
  expect(sealer.digest('s', 'scope')).not.toEqual(other.digest('s', 'scope'));
});
