import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import type { UsageSum } from './counted-lines.js';
import { LINE_BYTES_MAX, linesOf, type LogLine } from './log-lines.js';
import { usageText, verifyUsage, type AskUsage } from './verify-usage.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TENANT = '111122223333';
const PERIOD = { from: '2026-01-05', to: '2026-01-06' };

/** As engine/record writes it; see access-line.ts. */
const line = (over: object = {}): string =>
  JSON.stringify({
    time: '2026-01-05T12:00:00.000Z',
    requestId: 'r',
    tenant: TENANT,
    status: 200,
    apiKeyId: 'key',
    usagePlanId: 'plan',
    usageDay: '2026-01-05',
    bytes: 7,
    ...over,
  });
const NOT_COUNTED = { usagePlanId: null, usageDay: null };

let fileCount = 0;
function logFile(lines: readonly string[], encode: (text: string) => string | Buffer = (text) => text): string {
  const file = path.join(folder, `access-${++fileCount}.log`);
  writeFileSync(file, encode(lines.map((each) => `${each}\n`).join('')));
  return file;
}

const sum = (count: number, over: Partial<UsageSum> = {}): UsageSum => ({
  usagePlanId: 'plan',
  apiKeyId: 'key',
  day: '2026-01-05',
  count,
  ...over,
});

/** The control plane, in pages of one. */
const holding =
  (...items: UsageSum[]): AskUsage =>
  ({ position = '0' }) => {
    const next = Number(position) + 1;
    return Promise.resolve({
      tenant: TENANT,
      items: items.slice(next - 1, next),
      position: next < items.length ? String(next) : null,
    });
  };

test('sums and log are equal over plain, rotated and gzipped files, in every page of the sums', async () => {
  const files = [
    logFile([line(), line(), line({ apiKeyId: 'other' })]),
    logFile([line({ usageDay: '2026-01-06' })], gzipSync),
    logFile([]),
  ];
  const report = await verifyUsage(
    PERIOD,
    files,
    holding(sum(2), sum(1, { day: '2026-01-06' }), sum(1, { apiKeyId: 'other' })),
    TENANT,
  );
  expect(report).toEqual({
    tenant: TENANT,
    ...PERIOD,
    isEqual: true,
    inLog: 4,
    inSums: 4,
    lines: { counted: 4, uncounted: 0, outsidePeriod: 0, ofOthers: 0, unreadable: 0 },
    differences: [],
    unreadable: [],
  });
});

test('every difference is named by plan, key and day, with what both sides hold', async () => {
  const files = [logFile([line(), line(), line({ apiKeyId: 'unknown' })])];
  const report = await verifyUsage(PERIOD, files, holding(sum(3), sum(5, { usagePlanId: 'silent' })));
  const place = { tenant: TENANT, usagePlanId: 'plan', apiKeyId: 'key', day: '2026-01-05' };
  expect([report.isEqual, report.differences]).toEqual([
    false,
    [
      { ...place, inLog: 2, inSums: 3 },
      { ...place, apiKeyId: 'unknown', inLog: 1, inSums: 0 },
      { ...place, usagePlanId: 'silent', inLog: 0, inSums: 5 },
    ],
  ]);
  expect(usageText(report)).toContain('plan plan key unknown 2026-01-05: log 1, sums 0 (1 missing in the sums)');
});

test('a surplus of one key does not make up for what another lacks', async () => {
  const files = [logFile([line(), line({ apiKeyId: 'b' })])];
  expect(await verifyUsage(PERIOD, files, holding(sum(2)))).toMatchObject({ isEqual: false, inLog: 2, inSums: 2 });
});

test('lines that are not of this tenant, period or a plan are told apart and not counted', async () => {
  const files = [
    logFile([
      line(NOT_COUNTED),
      line({ ...NOT_COUNTED, apiKeyId: null }),
      line({ usageDay: '2026-01-04' }),
      line({ usageDay: '2026-01-07' }),
      line({ tenant: '999' }),
      line({ ...NOT_COUNTED, tenant: null, apiKeyId: null }),
    ]),
  ];
  expect((await verifyUsage(PERIOD, files, holding())).lines).toEqual({
    counted: 0,
    uncounted: 2,
    outsidePeriod: 2,
    ofOthers: 2,
    unreadable: 0,
  });
});

test('a line that cannot be read is reported with its place, and the others count', async () => {
  const earlier = { tenant: TENANT, apiKeyId: 'key', status: 200 };
  const file = logFile([
    line(),
    line().slice(0, 40),
    'x'.repeat(LINE_BYTES_MAX + 1),
    '[1]',
    'null',
    line({ usageDay: null }),
    JSON.stringify(earlier),
    JSON.stringify({ ...earlier, apiKeyId: null }),
  ]);
  const report = await verifyUsage(PERIOD, [file], holding(sum(1)));
  expect(report.isEqual).toBe(true);
  expect(report.lines).toMatchObject({ counted: 1, uncounted: 1, unreadable: 6 });
  expect(report.unreadable).toEqual(
    [
      'the line is cut, or is not JSON',
      'the line is too long',
      'the line is not one of an access log',
      'the line is not one of an access log',
      'the line names no plan, key and day it was counted for',
      'the line is of an earlier release and does not say whether it was counted',
    ].map((reason, index) => ({ file, line: index + 2, reason })),
  );
});

test('text out of a log cannot drive a terminal', async () => {
  const files = [logFile([line({ apiKeyId: '\u001b[2Jkey' })])];
  expect(usageText(await verifyUsage(PERIOD, files, holding()))).toContain('key ?[2Jkey 2026');
});

test('half a log proves nothing: a file that ends too early, or is not there, is an error that names it', async () => {
  const cut = logFile([line()], (text) => gzipSync(text).subarray(0, -10));
  await expect(verifyUsage(PERIOD, [cut], holding())).rejects.toThrow(`Cannot read ${cut}: `);
  await expect(verifyUsage(PERIOD, [`${cut}-none`], holding())).rejects.toThrow('ENOENT');
});

test('credentials of another tenant than the one asked for prove nothing', async () => {
  await expect(verifyUsage(PERIOD, [], holding(), '999')).rejects.toThrow(`those of tenant ${TENANT}, not of 999`);
});

test('lines are the same however the file is cut into chunks', async () => {
  const text = Buffer.from('a\n\nbé\nlast');
  const read = async (chunks: Buffer[]): Promise<LogLine[]> => {
    const lines: LogLine[] = [];
    for await (const each of linesOf(chunks)) lines.push(each);
    return lines;
  };
  const expected = ['a', '', 'bé', 'last'].map((each, index) => ({ number: index + 1, text: each }));
  for (let at = 0; at <= text.length; at++)
    expect(await read([text.subarray(0, at), text.subarray(at)]), `cut at ${at}`).toEqual(expected);
  expect(await read([...text].map((byte) => Buffer.from([byte])))).toEqual(expected);
});
