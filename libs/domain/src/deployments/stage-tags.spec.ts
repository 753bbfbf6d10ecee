import { describe, expect, test } from 'vitest';
import { isPublishedChange, readStageTags } from './stage-tags.js';

test('without tags a stage does as on AWS, but for the limits that callers are told of', () =>
  expect(readStageTags({ team: 'a' })).toEqual({ tellsLimits: true, blockedNetworks: [], unknownPaths: 'FORBIDDEN' }));

test.each([
  [{ 'gatehouse:limit-headers': 'off' }, { tellsLimits: false }],
  [{ 'gatehouse:unknown-paths': 'not-found' }, { unknownPaths: 'NOT_FOUND' }],
  [{ 'gatehouse:unknown-paths': 'forbidden' }, { unknownPaths: 'FORBIDDEN' }],
  [
    { 'gatehouse:blocked-networks': ' 203.0.113.0/24  192.0.2.7 fd00::/8' },
    { blockedNetworks: ['203.0.113.0/24', '192.0.2.7', 'fd00::/8'] },
  ],
])('%o', (tags, expected) => expect(readStageTags(tags as unknown as Record<string, string>)).toMatchObject(expected));

describe('a value that means nothing is refused by name', () => {
  test.each([
    ['gatehouse:limit-headers', 'no', 'expected one of on, off, got "no"'],
    ['gatehouse:unknown-paths', '404', 'expected one of forbidden, not-found, got "404"'],
    ['gatehouse:unknown-paths', 'toString', 'expected one of forbidden, not-found, got "toString"'],
    [
      'gatehouse:blocked-networks',
      '10.0.0.0/8 the-office',
      'expected networks or addresses separated by blanks, such as 203.0.113.0/24, got "the-office"',
    ],
    ['gatehouse:blocked-networks', ' ', 'expected networks or addresses separated by blanks, such as 203.0.113.0/24, got ""'],
  ])('%s: %s', (tag, value, problem) =>
    expect(() => readStageTags({ [tag]: value })).toThrow(`Invalid value of tag "${tag}": ${problem}`),
  );
});

test('nodes hear of a change of these tags and of no other', () => {
  expect(isPublishedChange({ team: 'a' }, { team: 'b' })).toBe(false);
  expect(isPublishedChange({}, { 'gatehouse:blocked-networks': '10.0.0.1' })).toBe(true);
  expect(isPublishedChange({ 'gatehouse:unknown-paths': 'not-found' }, {})).toBe(true);
});
