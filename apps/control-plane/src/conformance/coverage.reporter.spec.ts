import { expect, test } from 'vitest';
import { coverageOf, overstated, type Outcomes } from './coverage.reporter.js';

const outcomes: Outcomes = new Map([
  ['GetStage', new Set(['ok', 'NotFoundException'])],
  ['GetModels', new Set(['ok', 'ok page'])],
  ['DeleteStage', new Set(['NotFoundException'])],
]);
const handled = (name: string): boolean => !['GetSdk', 'GetExport'].includes(name);

test('an operation counts when it is handled and was called with success; a rare one when it was called', () => {
  const { rows, gaps } = coverageOf(['DeleteStage', 'GetExport', 'GetModels', 'GetSdk', 'GetStage'], outcomes, handled);
  expect(gaps).toEqual([
    'DeleteStage is handled, and never called with success',
    'GetExport is not handled',
    'GetSdk was never called',
  ]);
  expect(rows).toEqual([
    '| DeleteStage | yes | no | NotFoundException |',
    '| GetExport | no | no |  |',
    '| GetModels | yes | yes, by pages |  |',
    '| GetSdk | no | no |  |',
    '| GetStage | yes | yes | NotFoundException |',
  ]);
});

test.each([
  ['what was shown', '| GetStage | yes | yes | NotFoundException |', []],
  ['less than was shown', '| GetModels | yes | yes |  |', []],
  [
    'an error nobody provoked',
    '| GetStage | yes | yes | ConflictException, NotFoundException |',
    ['GetStage: ConflictException'],
  ],
  ['pages nobody asked for', '| GetStage | yes | yes, by pages |  |', ['GetStage: ok page']],
])('a table may say %s', (_, table, claims) => {
  expect(overstated(`${table}\n`, outcomes)).toEqual(claims);
});
