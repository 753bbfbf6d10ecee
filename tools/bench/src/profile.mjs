// Where our node spends its time: V8's sampling profiler, switched on in the running process.
import path from 'node:path';
import { openInspector } from './inspector.mjs';
import { median } from './summary.mjs';

/** Node's inspector after SIGUSR1 listens here, unless it is told otherwise. */
const INSPECTOR_PORT = 9229;
const SAMPLE_US = 200;
const FUNCTIONS_SHOWN = 20;

/** Collects the node's garbage collections, in the node. Kind 1 is a scavenge: young objects only (perf_hooks.constants). */
const WATCH_GC = `{
  const { PerformanceObserver } = process.getBuiltinModule('node:perf_hooks');
  globalThis.benchGc = [];
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => benchGc.push([entry.detail.kind, entry.duration])))
    .observe({ entryTypes: ['gc'] });
}`;

/** Profiles the process `pid` while `work` runs: hottest functions, time by part, pauses for garbage collection. */
export async function profileNode(pid, root, work) {
  process.kill(pid, 'SIGUSR1');
  const session = await openInspector(INSPECTOR_PORT, '/data-plane/dist/main.js');
  try {
    await session.send('Runtime.evaluate', { expression: WATCH_GC });
    await session.send('Profiler.enable');
    await session.send('Profiler.setSamplingInterval', { interval: SAMPLE_US });
    await session.send('Profiler.start');
    const { durationUs } = await work();
    const { profile } = await session.send('Profiler.stop');
    const { result } = await session.send('Runtime.evaluate', { expression: 'benchGc', returnByValue: true });
    const scavengesMs = result.value.filter(([kind]) => kind === 1).map(([, ms]) => Math.round(ms * 10) / 10);
    return {
      hottest: hottest(profile, root),
      parts: parts(profile, root),
      scavenges: {
        perSecond: Math.round((scavengesMs.length * 1e6) / durationUs),
        medianMs: median(scavengesMs),
        maxMs: Math.max(...scavengesMs),
      },
    };
  } finally {
    session.close();
  }
}

/** Self time per function. */
export function hottest(profile, root) {
  return shares(profile, ({ callFrame: { functionName, url, lineNumber } }) => {
    const line = lineNumber + 1;
    if (url === '') return { name: functionName, place: 'V8, native code' };
    return { name: functionName || '(anonymous)', place: `${url.startsWith('file:') ? inCheckout(url, root) : url}:${line}` };
  }).slice(0, FUNCTIONS_SHOWN);
}

/** Time per project or package: what Node and V8 do counts for the nearest caller that is in the checkout. */
export function parts(profile, root) {
  const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  return shares(profile, (node) => {
    if (node.callFrame.functionName === '(garbage collector)') return { name: 'garbage collection, on the main thread' };
    for (let at = node; at !== undefined; at = nodes.get(parents.get(at.id))) {
      const part = /^(libs\/[^/]+\/[^/]+|apps\/[^/]+|node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(
        inCheckout(at.callFrame.url, root),
      )?.[1];
      if (part !== undefined) return { name: part };
    }
    return { name: "Node by itself (parsing, sockets' events, timers, streams)" };
  });
}

function inCheckout(url, root) {
  return url.startsWith('file://') ? path.relative(root, url.slice('file://'.length)) : '';
}

/** Percent of the time the process was not idle, by whatever `labelOf` tells apart; the largest first. */
function shares(profile, labelOf) {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const totals = new Map();
  let totalUs = 0;
  profile.samples.forEach((id, index) => {
    const node = nodes.get(id);
    if (node.callFrame.functionName === '(idle)') return;
    const key = JSON.stringify(labelOf(node));
    totals.set(key, (totals.get(key) ?? 0) + profile.timeDeltas[index]);
    totalUs += profile.timeDeltas[index];
  });
  return [...totals]
    .sort(([, a], [, b]) => b - a)
    .map(([key, us]) => ({ ...JSON.parse(key), percent: Math.round((us * 1000) / totalUs) / 10 }));
}
