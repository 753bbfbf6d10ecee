import { systemClock } from '@gatehouse/kernel';
import { migrate } from '@gatehouse/store';
import { pino } from 'pino';
import type { Config } from '../config.js';
import { startControlPlane } from '../control-plane.js';

/** Operations that failed for no fault of their caller, as logged. Empty at the end of every spec. */
export const bugs: unknown[] = [];

const log = pino(
  { level: 'error' },
  {
    write: (line: string) => {
      const entry = JSON.parse(line) as { msg: string };
      if (entry.msg === 'operation failed') bugs.push(entry);
    },
  },
);

/** The product's own composition, for `startControlPlaneHouse`. */
export const composition = { migrate, start: (config: Config) => startControlPlane(config, { clock: systemClock, log }) };
