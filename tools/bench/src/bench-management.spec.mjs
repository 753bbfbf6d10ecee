import { expect, test } from 'vitest';
import { managementHelp, managementText, problemsOf } from './bench-management.mjs';
import { apiIdOf } from './management/data.mjs';

const row = (over) => ({
  name: 'GetStage',
  perSecond: 812.4,
  p50Us: 9_400,
  p99Us: 21_000,
  planeCpuMs: 1.234,
  postgresCpuMs: 0.5,
  errors: 0,
  problems: [],
  ...over,
});
const result = (...rows) => ({
  rows,
  settings: { tenants: 1_000, apis: 1_000, callers: 10 },
  at: '2026-01-05T00:00:00Z',
  revision: { commit: 'abc', isDirty: false },
  machine: { cores: 2, cpu: 'cpu', arch: 'x64', kernel: 'Linux', node: '26' },
});

test('the table says rate, latency and CPU time of each operation, and where they were measured', () => {
  const text = managementText(result(row({})));
  expect(text).toContain('| GetStage | 812 | 9.40 | 21 | 1.23 | 0.50 |');
  expect(text).toContain('1,000 tenants with 1,000 APIs each, 10 callers; 2 cores of cpu');
});

test('a row with failed calls says so, and so does one that is slower than AWS allows', () => {
  const bad = result(row({ errors: 2, problems: ['NotFoundException: gone'] }), row({ perSecond: 9.5 }), row({}));
  expect(problemsOf(bad)).toEqual([
    'GetStage: 2 calls failed (NotFoundException: gone)',
    'GetStage: 9.5 a second; AWS allows 10',
  ]);
  expect(managementText(bad)).toContain('| GetStage (2 failed) |');
});

test('every API of every tenant has an id of its own, as long as any', () => {
  const ids = [0, 1, 7].flatMap((tenant) => [0, 1, 999].map((api) => apiIdOf(tenant, api, 1_000)));
  expect(new Set(ids).size).toBe(9);
  expect(ids.every((id) => /^[a-z0-9]{10}$/.test(id))).toBe(true);
});

test('the help says what is measured', () => expect(managementHelp()).toContain('1,000 tenants have 1,000 APIs each'));
