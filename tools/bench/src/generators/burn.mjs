// Uses CPU time as a node does that takes over changes: at every multiple of `everyMs` so many milliseconds in one piece. Argument: everyMs. Each
// line on the standard input is how much from then on; 0 is nothing.
import { createInterface } from 'node:readline';

const everyMs = Number(process.argv[2]);
let burntMs = 0;
let timer = null;

createInterface({ input: process.stdin }).on('line', (line) => {
  burntMs = Number(line);
  if (timer === null) next();
});
process.stdin.once('end', () => process.exit(0)); // the benchmark is gone

/** By the clock of the machine, so that several of these begin at the same moment. */
function next() {
  timer = burntMs === 0 ? null : setTimeout(burn, everyMs - (Date.now() % everyMs));
}

function burn() {
  const start = process.cpuUsage();
  let usedMs = 0;
  while (usedMs < burntMs) {
    const { user, system } = process.cpuUsage(start);
    usedMs = (user + system) / 1000;
  }
  next();
}
