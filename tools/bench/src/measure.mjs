// One measured window of one contender.
import { coreTimes, cpuUs, processTree, residentBytes } from './proc.mjs';

const MEMORY_SAMPLE_MS = 200;

/**
 * Measures the process tree of a contender while `work` runs, which resolves with what the callers saw (requests, durationUs, errors, ...).
 * CPU time is that of all threads (garbage collection and compilation included), divided by the answers the callers got.
 * `foreignPercent` is how much of the proxy's cores others used or the hypervisor took: a window with much of it is poor.
 */
export async function measure(pid, cores, work) {
  const pids = processTree(pid);
  let peakBytes = residentBytes(pids);
  const sampling = setInterval(() => (peakBytes = Math.max(peakBytes, residentBytes(pids))), MEMORY_SAMPLE_MS);
  try {
    const before = snapshot(pids, cores);
    const report = await work();
    const after = snapshot(pids, cores);
    if (report.requests === 0) throw new Error('answered nothing');
    const wallUs = (after.wallMs - before.wallMs) * 1000;
    const ownUs = after.cpuUs - before.cpuUs;
    return {
      cpuUsPerRequest: ownUs / report.requests,
      requestsPerSecond: (report.requests * 1e6) / report.durationUs,
      busyPercent: (ownUs * 100) / wallUs,
      foreignPercent: Math.max(0, ((after.coresUs - before.coresUs - ownUs) * 100) / wallUs),
      peakBytes,
      ...report,
    };
  } finally {
    clearInterval(sampling);
  }
}

function snapshot(pids, cores) {
  const coresUs = cores.map(coreTimes).reduce((sum, { busyUs, stolenUs }) => sum + busyUs + stolenUs, 0);
  return { wallMs: performance.now(), cpuUs: cpuUs(pids), coresUs };
}
