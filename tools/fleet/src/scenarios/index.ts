import type { Scenario } from '../scenario.js';
import { killNodes, pauseNodes } from './nodes.js';

/** In the order in which they run: before nodes are killed, sums and logs must be equal to the last line. */
export const SCENARIOS: readonly Scenario[] = [killNodes, pauseNodes];
