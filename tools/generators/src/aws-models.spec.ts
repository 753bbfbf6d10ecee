import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const fresh = mkdtempSync(join(tmpdir(), 'aws-models-'));
const generator = fileURLToPath(new URL('../aws-models.mjs', import.meta.url));
const committed = fileURLToPath(new URL('../../../libs/aws-api/src/gen', import.meta.url));

afterAll(() => rmSync(fresh, { recursive: true }));

test('what is committed is what the pinned SDK clients give', () => {
  execFileSync(process.execPath, [generator, fresh]);
  expect(readdirSync(fresh)).toEqual(readdirSync(committed));
  for (const file of readdirSync(committed)) {
    expect(readFileSync(join(fresh, file), 'utf8'), file).toBe(readFileSync(join(committed, file), 'utf8'));
  }
});
