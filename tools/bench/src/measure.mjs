// One measured window of one contender.
import { load } from './load.mjs';
import { coreTimes, cpuUs, processTree, residentBytes } from './proc.mjs';

const MEMORY_SAMPLE_MS = 200;

/**
 * CPU time is that of the whole process tree (all threads: garbage collection and compilation included), divided by the answers the
 * callers got. `foreignPercent` is how much of the proxy's core others used or the hypervisor took: a window with much of it is poor.
 */
export async function measure(wrk, { pid, target }, { seconds, core }) {
  const pids = processTree(pid);
  let peakBytes = 0;
  const sampling = setInterval(() => (peakBytes = Math.max(peakBytes, residentBytes(pids))), MEMORY_SAMPLE_MS);
  const before = { wallMs: performance.now(), cpuUs: cpuUs(pids), core: coreTimes(core) };
  const report = await load(wrk, target, seconds);
  const after = { wallMs: performance.now(), cpuUs: cpuUs(pids), core: coreTimes(core) };
  clearInterval(sampling);
  if (report.requests === 0) throw new Error(`${target.url} answered nothing in ${seconds} s`);

  const wallUs = (after.wallMs - before.wallMs) * 1000;
  const ownUs = after.cpuUs - before.cpuUs;
  const foreignUs = after.core.busyUs - before.core.busyUs + after.core.stolenUs - before.core.stolenUs - ownUs;
  return {
    cpuUsPerRequest: ownUs / report.requests,
    requestsPerSecond: (report.requests * 1e6) / report.durationUs,
    busyPercent: (ownUs * 100) / wallUs,
    foreignPercent: Math.max(0, (foreignUs * 100) / wallUs),
    p50Us: report.p50Us,
    p99Us: report.p99Us,
    p999Us: report.p999Us,
    peakBytes,
    requests: report.requests,
    errors: report.errors,
  };
}
