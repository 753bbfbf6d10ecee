import { get, h2, post, tls } from './full-load.mjs';
import { explain, explainKeyed } from './explain.mjs';
import { halfLoad } from './half-load.mjs';
import { idle } from './idle.mjs';
import { streamBodies } from './stream.mjs';
import { workers } from './workers.mjs';

/** In the order they run and stand in docs/performance.md. */
export const SCENARIOS = [get, post, streamBodies, tls, h2, halfLoad, idle, workers, explain, explainKeyed];
