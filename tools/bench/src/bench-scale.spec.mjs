import { expect, test } from 'vitest';
import { FIGURES, missedBars, scaleHelp, scaleText } from './bench-scale.mjs';
import { entriesOf, keyDigestOf, sizeOf, tenantOfKey } from './scale/data.mjs';

const sizeWith = (over) => ({ ...Object.fromEntries(FIGURES.map(({ name }) => [name, 10])), ...over });
const machine = { cores: 2, cpu: 'cpu', arch: 'x64', kernel: 'Linux', node: '26' };
const result = (sizes) => ({ sizes, at: '2026-01-05T00:00:00Z', revision: { commit: 'abc', isDirty: false }, machine });

test('a bar is missed when the largest size is above it, whatever the others are', () => {
  expect(missedBars(result({ 1: sizeWith({ bytesPerKey: 900 }), 100: sizeWith({ bytesPerKey: 200 }) }))).toEqual([]);
  expect(missedBars(result({ 1: sizeWith({}), 100: sizeWith({ bytesPerKey: 201 }) }))).toEqual([
    { title: 'bytes per API key', value: '201', bar: 200 },
  ]);
});

test('the table has a column per size, how the figure grows, and its bar', () => {
  const text = scaleText(result({ 1: sizeWith({ bytesPerKey: 100 }), 100: sizeWith({ bytesPerKey: 150 }) }));
  expect(text).toContain('| bytes per API key | 100 | 150 | x 1.50 | 200 |');
});

test('one percent of the fleet has a hundredth of everything, with stages, plans and keys that belong together', () => {
  const blobs = new Map();
  const entries = [...entriesOf(sizeOf(1), ['stages', 'keys'], (digest, bytes) => blobs.set(digest, JSON.parse(bytes)))];
  const kind = (name) => entries.filter((entry) => entry.kind === name);
  expect(['STAGE', 'USAGE_PLAN', 'API_KEY'].map((name) => kind(name).length)).toEqual([200, 100, 10_000]);
  expect(kind('STAGE').reduce((sum, { digest }) => sum + blobs.get(digest).routes.length, 0)).toBe(10_000);
  const plans = new Map(kind('USAGE_PLAN').map((entry) => [entry.id, entry.tenant]));
  const key = kind('API_KEY')[777];
  const { valueDigest, usagePlanIds, tenant } = JSON.parse(key.inline);
  expect([valueDigest, tenant, plans.get(usagePlanIds[0])]).toEqual([keyDigestOf(777), tenantOfKey(777), key.tenant]);
  expect(new Set(entries.map(({ kind: name, id }) => `${name} ${id}`)).size).toBe(entries.length);
});

test('the help says what is measured', () => expect(scaleHelp()).toContain('1,000,000 API keys'));
