// Latency while nobody is at the limit: half of what the plain Gatehouse route can do, the same fixed rate for everybody. The first row is the
// generator without any proxy: what it and the upstream share of one core add by themselves.
//
// Generator and upstream share a core, and an ordinary scheduler lets one wait for milliseconds while the other has its turn; so does any
// other process of the machine. As root all three go before ordinary processes, and the upstream before the generator.
import { target } from '../contenders.mjs';
import { generate, load } from '../load.mjs';
import { measure } from '../measure.mjs';
import { prefer, processTree, putFirst } from '../proc.mjs';
import { COLUMNS, differenceOf, ms } from '../summary.mjs';
import { inRounds } from './rounds.mjs';

const CONNECTIONS = 64;
/** A generator that sent less than this share of the rate did not measure what it says. */
const KEPT_UP = 0.97;

/** So often a window is measured again in which the machine stood still. */
const TRIES = 4;
const WINDOWS_PER_ROUND = 5;
const WINDOW_SECONDS = 1;

const PRIORITY = { upstream: 30, generator: 20 };

const { busy, p50, p99, p999 } = COLUMNS;

export const halfLoad = {
  name: 'half-load',
  title: 'Latency at half load',
  who: ['nginx', 'haproxy', 'gatehouse', 'gatehouse-key'],
  needs: 'wrk',
  compared: { addedP50Us: differenceOf('p50Us'), addedP99Us: differenceOf('p99Us') },
  columns: [
    ['p99 ms over nginx', ({ addedP99Us }) => (addedP99Us === null ? '-' : `**${ms(addedP99Us)}**`)],
    p50,
    p99,
    p999,
    busy,
    ['requests/s', ({ requestsPerSecond }) => String(Math.round(requestsPerSecond))],
  ],
  async run(context) {
    const { contenders, programs, options, proxyCore, tell } = context;
    const measured = contenders.find(({ name, problem }) => name === 'gatehouse' && problem === null);
    if (measured === undefined) throw new Error('half of whose load? The plain Gatehouse route does not run');
    await load(programs.wrk, target(measured, '/item'), options.firstWarmUpSeconds);
    const { requests, durationUs } = await load(programs.wrk, target(measured, '/item'), options.seconds);
    const rate = Math.round((requests * 1e6) / durationUs / 2);
    tell(`Rate: ${rate}/s`);

    const upstreamPids = processTree(context.upstream.child.pid);
    const isFirst =
      contenders.every(({ pid, problem }) => problem !== null || prefer(processTree(pid))) &&
      putFirst(upstreamPids, PRIORITY.upstream);
    if (!isFirst) tell('Without the right to real-time scheduling: latencies hold what other processes of the machine take');
    const send = (contender, seconds) => {
      const settings = { target: target(contender, '/item'), rate, connections: CONNECTIONS };
      return generate('open-loop.mjs', settings, seconds, isFirst ? PRIORITY.generator : 0);
    };
    const warm = new Set();
    const straight = {
      name: 'upstream',
      title: 'generator straight to the upstream',
      port: context.upstreamPort,
      pid: context.upstream.child.pid,
      pathPrefix: '',
      headers: {},
      problem: null,
    };
    const windows = { ...options, rounds: options.rounds * WINDOWS_PER_ROUND };
    const rows = await inRounds(
      { ...context, options: windows, contenders: [straight, ...contenders] },
      {
        // Later rounds need none: the generator's first second does not count.
        warmUp: (contender) => (warm.has(contender) ? undefined : send(contender, 1).then(() => warm.add(contender))),
        async sample(contender) {
          for (let tries = 1; ; tries++) {
            const figures = await measure(contender.pid, [proxyCore], () => send(contender, WINDOW_SECONDS));
            if (figures.requestsPerSecond >= rate * KEPT_UP) return figures;
            const kept = `only ${Math.round(figures.requestsPerSecond)} of ${rate} requests/s: generator or proxy did not keep up`;
            if (tries === TRIES) throw new Error(kept);
            tell(kept);
          }
        },
        compared: halfLoad.compared,
      },
    );
    putFirst(upstreamPids, 0);
    return rows;
  },
};
