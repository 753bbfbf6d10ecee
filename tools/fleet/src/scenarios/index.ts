import type { Scenario } from '../scenario.js';
import { killControlPlanes, pauseControlPlanes } from './control-planes.js';
import { killNodes, pauseNodes } from './nodes.js';
import { killPostgres, pausePostgres, readOnlyPostgres, slowPostgres } from './postgres.js';
import { drain, rollingRestart } from './rolling-restart.js';
import { killRedis, pauseRedis } from './redis.js';

/** In the order in which they run: before nodes are killed, sums and logs must be equal to the last line. */
export const SCENARIOS: readonly Scenario[] = [
  killControlPlanes,
  pauseControlPlanes,
  killPostgres,
  pausePostgres,
  slowPostgres,
  readOnlyPostgres,
  killRedis,
  pauseRedis,
  rollingRestart,
  drain,
  killNodes,
  pauseNodes,
];
