import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readServiceUri } from './service-uri.js';

const file = fileURLToPath(new URL('./service-uri.cases.md', import.meta.url));

interface Case {
  readonly line: number;
  readonly uri: string;
  readonly expected: string;
}

/** By heading. */
function readCases(): Map<string, Case[]> {
  const cases = new Map<string, Case[]>();
  let heading = '';
  let isInside = false;
  for (const [index, text] of readFileSync(file, 'utf8').split('\n').entries()) {
    if (text.startsWith('## ')) cases.set((heading = text.slice(3)), []);
    else if (text.startsWith('```')) isInside = text === '```uris';
    else if (isInside) {
      const [left, expected] = text.split(' -> ') as [string, string];
      const uri = left.startsWith('whole: ') ? left.slice('whole: '.length) : `arn:aws:apigateway:us-east-1:${left}`;
      cases.get(heading)!.push({ line: index + 1, uri, expected });
    }
  }
  return cases;
}

function shown(uri: string): string {
  const read = readServiceUri(uri);
  if (typeof read === 'string') return `refused: ${read}`;
  const { subdomain, service, action, path } = read;
  return [...(subdomain === null ? [] : [subdomain, '+']), service, ...(action === null ? [] : [action]), path].join(' ');
}

describe('service-uri.cases.md', () => {
  for (const [heading, cases] of readCases()) {
    describe(heading, () => {
      for (const { line, uri, expected } of cases) test(`${line}: ${uri}`, () => expect(shown(uri)).toBe(expected));
    });
  }
});

test('partition and region are what the ARN says', () => {
  expect(readServiceUri('arn:aws-cn:apigateway:cn-north-1:s3:path/b')).toMatchObject({
    partition: 'aws-cn',
    region: 'cn-north-1',
  });
});

test('a text that is too long is refused before anything of it is read', () => {
  expect(readServiceUri(`arn:aws:apigateway:us-east-1:s3:path/${'a'.repeat(3_000)}`)).toBe(
    'the ARN is longer than 2048 characters',
  );
});

test('whatever stands there, a name that could lead to another host is never read out of it', () => {
  const piece = fc.constantFrom(
    'arn',
    ':',
    'aws',
    'apigateway',
    'us-east-1',
    's3',
    '.',
    '/',
    'path/',
    'action/',
    '@',
    '#',
    '?',
    '{b}',
    '%2F',
    '\\',
    'é',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      const read = readServiceUri(`arn:aws:apigateway:${pieces.join('')}`);
      if (typeof read === 'string') return;
      expect(`${read.subdomain ?? ''}${read.service}${read.region}`.replaceAll('{b}', '')).toMatch(/^[A-Za-z0-9._-]*$/);
      expect(read.path.startsWith('/')).toBe(true);
    }),
    { seed: 3, numRuns: 2_000 },
  );
});
