/** Where this process puts log groups that have no URL. */
import path from 'node:path';
import type { LogPlace } from '@gatehouse/engine-logs';
import { AccessLog } from '@gatehouse/engine-record';
import type { Config } from './config.js';

const FOLDER = 'log-groups';

/** `slot`: of a worker. Several processes cannot set aside one file, so each has a folder. */
export function logPlace({ logGroups, dataDir, logFileMegabytes, logFilesKept }: Config, slot: number | null): LogPlace {
  if (logGroups === 'off') return { kind: 'NOWHERE' };
  if (logGroups === '-') {
    const lines = new AccessLog(process.stdout);
    return { kind: 'LINES', write: (line) => lines.write(line) };
  }
  const folder = logGroups === '' ? path.join(dataDir, FOLDER) : logGroups;
  return {
    kind: 'FOLDER',
    folder: slot === null ? folder : path.join(folder, `worker-${slot}`),
    limits: { fileBytesMax: logFileMegabytes * 1024 * 1024, oldFilesMax: logFilesKept },
  };
}
