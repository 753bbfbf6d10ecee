import { expect, test } from 'vitest';
import { readLimitSettings } from './limit-settings.js';

for (const [tags, settings] of [
  [{}, { mode: 'FAST', fallback: 'OPEN' }],
  [
    { 'gatehouse:limit-mode': 'fast', other: 'x' },
    { mode: 'FAST', fallback: 'OPEN' },
  ],
  [{ 'gatehouse:limit-mode': 'strict' }, { mode: 'STRICT', fallback: 'CLOSED' }],
  [
    { 'gatehouse:limit-mode': 'strict', 'gatehouse:limit-fallback': 'open' },
    { mode: 'STRICT', fallback: 'OPEN' },
  ],
  [{ 'gatehouse:limit-fallback': 'closed' }, { mode: 'FAST', fallback: 'CLOSED' }],
] as const) {
  test(`tags ${JSON.stringify(tags)}`, () => expect(readLimitSettings(tags)).toEqual(settings));
}

for (const [tag, value, allowed] of [
  ['gatehouse:limit-mode', 'STRICT', 'fast, strict'],
  ['gatehouse:limit-mode', 'toString', 'fast, strict'],
  ['gatehouse:limit-fallback', '', 'open, closed'],
]) {
  test(`"${value}" for ${tag} is refused and the allowed values are named`, () => {
    expect(() => readLimitSettings({ [tag!]: value! })).toThrow(
      `Invalid value of tag "${tag}": expected one of ${allowed}, got "${value}"`,
    );
  });
}
