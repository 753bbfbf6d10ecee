import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../../..');

test('each file that the README names as showing something is there', () => {
  const readme = readFileSync(path.join(import.meta.dirname, '../README.md'), 'utf8');
  const section = readme.slice(readme.indexOf('## What shows what'));
  const named = [...section.matchAll(/`([\w/.-]+\.(?:spec\.ts|cases\.md))`/g)].map(([, file]) => file!);
  expect(named.length).toBeGreaterThan(100);
  const place = (file: string): string => (file.includes('/') ? path.join(ROOT, file) : path.join(import.meta.dirname, file));
  expect(named.filter((file) => !existsSync(place(file)))).toEqual([]);
});
