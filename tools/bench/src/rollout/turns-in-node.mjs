// Loaded into a node of the benchmark (--import): how long its event loop goes without looking for requests.
//
// A turn is what the loop does between two looks at its sockets; a request that comes meanwhile waits for its end. Counted is the smaller of
// two times: that in which the loop did not wait, which also grows while others have the core, and the CPU time of the thread.
import { createHistogram, performance } from 'node:perf_hooks';

const turnsUs = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });
const LONG_US = 1_000;
let longCount = 0;
let busyMs = performance.eventLoopUtilization().active;
let cpuUs = usedUs();

function usedUs() {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** Runs after the sockets' events of each turn; an immediate that nobody waits for does not keep the loop from sleeping. */
function turned() {
  const nowBusyMs = performance.eventLoopUtilization().active;
  const nowCpuUs = usedUs();
  const turnUs = Math.min((nowBusyMs - busyMs) * 1000, nowCpuUs - cpuUs);
  turnsUs.record(Math.max(1, Math.round(turnUs)));
  if (turnUs > LONG_US) longCount++;
  busyMs = nowBusyMs;
  cpuUs = nowCpuUs;
  setImmediate(turned).unref();
}
setImmediate(turned).unref();

/** What was counted since the last time. Called through the inspector. */
globalThis.benchTurns = () => {
  const { count, max } = turnsUs;
  const figures = { count, longCount, p99Us: turnsUs.percentile(99), longestUs: count === 0 ? 0 : max };
  turnsUs.reset();
  longCount = 0;
  return figures;
};
