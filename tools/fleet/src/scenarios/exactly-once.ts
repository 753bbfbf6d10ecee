/** After everything but the death of a node, nothing is a little off: sums, logs and answers are one and the same number. */
import { balanceBooks } from '../books.js';
import type { Scenario } from '../scenario.js';

export const exactlyOnce: Scenario = {
  name: 'exactly-once',
  guarantee:
    'until a node is killed, the sums in PostgreSQL equal the access logs line for line, whatever else was killed, cut, slowed and restarted',
  run: async (fleet, tell) => {
    await fleet.load.stop();
    tell((await balanceBooks(fleet, fleet.killedNodes)).text);
    fleet.load.start();
  },
};
