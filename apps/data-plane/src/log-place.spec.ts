import { expect, test } from 'vitest';
import { readDataPlaneConfig } from './config.js';
import { logPlace } from './log-place.js';

const placeOf = (environment: Record<string, string>, slot: number | null = null) =>
  logPlace(readDataPlaneConfig({ GATEHOUSE_NODE_TOKEN: 't', GATEHOUSE_DATA_DIR: '/data', ...environment }), slot);

test('log groups are files in the data folder, unless somebody says otherwise', () => {
  const limits = { fileBytesMax: 64 * 1024 * 1024, oldFilesMax: 4 };
  expect(placeOf({})).toEqual({ kind: 'FOLDER', folder: '/data/log-groups', limits });
  expect(placeOf({ GATEHOUSE_LOG_GROUPS: '/logs', GATEHOUSE_LOG_FILE_MB: '1', GATEHOUSE_LOG_FILES_KEPT: '0' })).toEqual({
    kind: 'FOLDER',
    folder: '/logs',
    limits: { fileBytesMax: 1024 * 1024, oldFilesMax: 0 },
  });
  expect(placeOf({ GATEHOUSE_LOG_GROUPS: 'off' })).toEqual({ kind: 'NOWHERE' });
  expect(placeOf({ GATEHOUSE_LOG_GROUPS: '-' })).toMatchObject({ kind: 'LINES' });
});

test('workers write no common file', () => {
  expect(placeOf({}, 1)).toMatchObject({ folder: '/data/log-groups/worker-1' });
  expect(placeOf({ GATEHOUSE_LOG_GROUPS: '/logs' }, 2)).toMatchObject({ folder: '/logs/worker-2' });
});
