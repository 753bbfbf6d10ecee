import type { Scenario } from '../scenario.js';
import { disabledKey, incompleteManifest, twoWriters } from './changes.js';
import { wrongClocks } from './clock.js';
import { killControlPlanes, pauseControlPlanes } from './control-planes.js';
import { diskFull } from './disk-full.js';
import { drainFull } from './drain-full.js';
import { exactlyOnce } from './exactly-once.js';
import { killNodes, pauseNodes } from './nodes.js';
import { killPostgres, pausePostgres, readOnlyPostgres, slowPostgres } from './postgres.js';
import { killRedis, pauseRedis } from './redis.js';
import { drain, rollingRestart } from './rolling-restart.js';
import { rollingUpgrade } from './rolling-upgrade.js';
import { telemetrySink } from './sinks.js';
import { steppedClocks } from './stepped-clocks.js';
import { staticStability } from './static-stability.js';
import { wrongToken } from './token.js';
import { cutStreams } from './wires.js';

/** In the order in which they run. Nodes are killed last: until then sums and logs have to be equal to the last line. */
export const SCENARIOS: readonly Scenario[] = [
  killControlPlanes,
  pauseControlPlanes,
  killPostgres,
  pausePostgres,
  slowPostgres,
  readOnlyPostgres,
  killRedis,
  pauseRedis,
  cutStreams,
  diskFull,
  disabledKey,
  twoWriters,
  incompleteManifest,
  telemetrySink,
  wrongToken,
  wrongClocks,
  steppedClocks,
  staticStability,
  rollingRestart,
  rollingUpgrade,
  drain,
  drainFull,
  pauseNodes,
  exactlyOnce,
  killNodes,
];
