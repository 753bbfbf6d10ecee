// What it costs that a node remembers its requests (docs/explain.md): with and without.
import { target } from '../contenders.mjs';
import { load } from '../load.mjs';
import { measure } from '../measure.mjs';
import { bold, COLUMNS, ratioOf } from '../summary.mjs';
import { inRounds } from './rounds.mjs';

const { cpu, rate, p50, p99, peak } = COLUMNS;
const OFF = { GATEHOUSE_EXPLAIN_MEMORY_MIB: '0' };

function explainOf({ name, title, contender }) {
  const as = (kind, what) => ({ name: kind, title: what });
  return {
    name,
    title,
    entries: [
      { name: contender, as: as('off', 'remembers nothing'), settings: OFF },
      { name: contender, as: as('on', 'remembers as it does by default'), settings: {} },
    ],
    needs: 'wrk',
    columns: [['CPU, ratio to remembering nothing', ({ ratioToOff }) => bold(ratioToOff)], cpu, rate, p50, p99, peak],
    async run(context) {
      const work = (node, seconds) => load(context.programs.wrk, target(node, '/item'), seconds);
      return inRounds(context, {
        warmUp: work,
        sample: (node) => measure(node.pid, [context.proxyCore], () => work(node, context.options.seconds)),
        compared: { ratioToOff: ratioOf('cpuUsPerRequest') },
        yardstick: 'off',
      });
    },
  };
}

export const explain = explainOf({ name: 'explain', title: 'Remembering requests, HTTP proxy route', contender: 'gatehouse' });
export const explainKeyed = explainOf({
  name: 'explain-keyed',
  title: 'Remembering requests, route with a key',
  contender: 'gatehouse-key',
});
