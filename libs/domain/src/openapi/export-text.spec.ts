import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Json } from './export-json.js';
import { documentText, exportFileName, readExportFormat } from './export-text.js';

describe('YAML', () => {
  test('is laid out as people write it', () => {
    const document = {
      openapi: '3.0.1',
      servers: [{ url: 'x', variables: {} }, []],
      responses: { '200': { content: {} } },
      tags: [1, null],
    };
    expect(documentText(document, 'yaml')).toBe(
      [
        '---',
        'openapi: "3.0.1"',
        'servers:',
        '  - url: "x"',
        '    variables: {}',
        '  - []',
        'responses:',
        '  "200":',
        '    content: {}',
        'tags:',
        '  - 1',
        '  - null',
        '',
      ].join('\n'),
    );
  });

  test.each([
    'no',
    'null',
    '~',
    '1e3',
    '2026-01-01',
    '<<',
    '*a',
    '&a',
    '- a',
    'a: b',
    '#',
    'y',
    '',
    ' ',
    '\u2028',
    '\u0085',
    '\ufeff',
    'x'.repeat(2_000),
  ])('says the text %j, as a name and as a value', (text) =>
    expect(parse(documentText({ [text]: text, list: [text] }, 'yaml'))).toEqual({ [text]: text, list: [text] }),
  );

  test('says what JSON says, whatever the document', () => {
    const scalar = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.boolean(), fc.constant(null));
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'xsmall', maxDepth: 3 },
        scalar,
        fc.array(tie('any'), { maxLength: 4 }),
        fc.dictionary(
          fc.string({ unit: 'binary' }).filter((name) => name !== '__proto__'),
          tie('any'),
          { maxKeys: 4 },
        ),
      ),
    })).any as fc.Arbitrary<Json>;
    fc.assert(
      fc.property(value, (any) => {
        const document = { any };
        const read = (text: string): unknown => parse(text) as unknown;
        expect(read(documentText(document, 'yaml'))).toEqual(JSON.parse(documentText(document, 'json')));
      }),
      { seed: 7, numRuns: 50 },
    );
  });
});

test.each([
  [undefined, 'json'],
  ['application/json', 'json'],
  ['*/*', 'json'],
  ['application/yaml', 'yaml'],
  ['application/x-yaml; charset=utf-8', 'yaml'],
  ['text/YAML', 'yaml'],
])('Accept %s asks for %s', (accept, format) => expect(readExportFormat(accept)).toBe(format));

test('nothing in a version ends the name of the download', () => {
  expect(exportFileName('oas30', '1.0.0', 'json')).toBe('oas30_1.0.0.json');
  expect(exportFileName('swagger', '2026-01-01T00:00:00Z', 'yaml')).toBe('swagger_2026-01-01T00:00:00Z.yaml');
  expect(exportFileName('oas30', 'a"; x="\r\nb/ü', 'json')).toBe('oas30_a__ x____b__.json');
});
