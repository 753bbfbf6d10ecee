// Two workers on two cores against one on one. It takes four cores to show what it is worth: with fewer, load and upstream share the second
// worker's core or are the limit themselves.
import { availableParallelism } from 'node:os';
import { target } from '../contenders.mjs';
import { load } from '../load.mjs';
import { measure } from '../measure.mjs';
import { processTree } from '../proc.mjs';
import { bold, COLUMNS, ratioOf } from '../summary.mjs';
import { inRounds } from './rounds.mjs';

/** Enough that the kernel spreads them evenly over the workers. */
const CONNECTIONS = 200;
const { cpu, rate, p50, p99, p999, peak } = COLUMNS;
const cores = availableParallelism();
const isShown = cores >= 4;

export const workers = {
  name: 'workers',
  title: 'Two workers against one',
  entries: [
    { name: 'gatehouse', as: { name: 'one', title: 'Gatehouse, one worker' }, core: '0' },
    { name: 'gatehouse', as: { name: 'two', title: 'Gatehouse, two workers' }, core: cores >= 3 ? '0,2' : '0,1', workers: 2 },
  ],
  needs: 'wrk',
  compared: { ratioToOne: ratioOf('requestsPerSecond') },
  columns: [
    [
      'requests/s, ratio to one worker',
      ({ name, ratioToOne, isShown: shown }) =>
        bold(ratioToOne) + (name === 'two' && !shown ? ' (not shown here: load takes a core)' : ''),
    ],
    rate,
    cpu,
    ['cores busy', ({ busyPercent }) => `${busyPercent.toFixed(0)} %`],
    p50,
    p99,
    p999,
    peak,
  ],
  async probe(contender) {
    const isSecond = contender.name === 'two';
    if (isSecond && processTree(contender.pid).length < 3) throw new Error('GATEHOUSE_WORKERS=2 started no two workers');
  },
  async run(context) {
    const apart = { connections: CONNECTIONS, ...(isShown ? { cores: '3' } : {}) };
    const work = (contender, seconds) => load(context.programs.wrk, target(contender, '/item'), seconds, apart);
    const rows = await inRounds(context, {
      warmUp: work,
      sample: (contender) => measure(contender.pid, [context.proxyCore], () => work(contender, context.options.seconds)),
      compared: workers.compared,
      yardstick: 'one',
    });
    return rows.map((row) => ({ ...row, isShown }));
  },
};
