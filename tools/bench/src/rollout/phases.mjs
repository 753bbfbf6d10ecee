// What is measured, one function per part; each gets the running fleet and returns plain figures.
import { setTimeout as sleep } from 'node:timers/promises';
import { median, percentile } from '../summary.mjs';
import { createAndDelete, deploy, eachOf } from './apis.mjs';
import { VersionProbe } from './probe.mjs';

/** Between two deployments whose time to live is measured. */
const REST_MS = 20;
const SAMPLES_IN_A_ROW = 5;
const CYCLES_PARALLEL = 4;
/** Calls under way at once; above that the rate is missed and says so. */
const CHANGES_PENDING_MAX = 32;
/** Before a window: what was under way before is not counted. */
const SETTLE_MS = 500;

/** Deployments one after the other, each waited for until every node serves it. */
export async function deployToLive({ clients, nodePorts, load, versions }, { apiId, count, mark }) {
  const probes = nodePorts.map((port) => new VersionProbe(port, apiId));
  const fromCallMs = [];
  const fromAnswerMs = [];
  const answerMs = [];
  try {
    load.mark(mark);
    for (let index = 0; index < count; index++) {
      const version = ++versions.last;
      const calledMs = performance.now();
      // Asked while the call is under way: a node may serve the new version before the caller has the answer.
      const live = Promise.all(probes.map((probe) => probe.liveAtMs(version)));
      live.catch(() => undefined); // when the call fails first
      await deploy(clients[index % clients.length], apiId, version);
      const answeredMs = performance.now();
      const liveMs = Math.max(...(await live));
      fromCallMs.push(liveMs - calledMs);
      fromAnswerMs.push(Math.max(0, liveMs - answeredMs));
      answerMs.push(answeredMs - calledMs);
      await sleep(REST_MS);
    }
  } finally {
    load.mark('');
    for (const probe of probes) probe.close();
  }
  return { count, answer: spread(answerMs), liveFromCall: spread(fromCallMs), liveFromAnswer: spread(fromAnswerMs) };
}

/** Deployments as fast as they are answered; samples of every process before, between and after. */
export async function deployInARow({ clients, nodePorts, load, versions, watched, tell }, { apiId, count }) {
  const answerMs = [];
  const samples = [await sampleAll(watched, 0)];
  const startedMs = performance.now();
  let pausedMs = 0;
  load.mark('deployments in a row');
  for (let done = 0; done < count;) {
    const calledMs = performance.now();
    await deploy(clients[done % clients.length], apiId, ++versions.last);
    answerMs.push(performance.now() - calledMs);
    if (++done % Math.ceil(count / SAMPLES_IN_A_ROW) !== 0 && done !== count) continue;
    const before = performance.now();
    samples.push(await sampleAll(watched, done));
    tell(`  ${done} of ${count}`);
    pausedMs += performance.now() - before;
  }
  const seconds = (performance.now() - startedMs - pausedMs) / 1000;
  const probes = nodePorts.map((port) => new VersionProbe(port, apiId));
  await Promise.all(probes.map((probe) => probe.liveAtMs(versions.last)));
  for (const probe of probes) probe.close();
  load.mark('');
  return { count, perSecond: count / seconds, answer: spread(answerMs), growth: growths(samples) };
}

/**
 * Windows take turns, so that a slow minute of the machine hits all kinds; latencies are the load's:
 *
 *   idle       no changes
 *   changing   deployments that the nodes serve
 *   beside     deployments that no node is told of, and the CPU time that the nodes took for theirs used beside the nodes
 *
 * What `beside` adds to `idle` is what the machine's two cores do to everybody; the rest is what the nodes do to their requests.
 */
export async function changesUnderLoad(fleet, { apiIds, unheardApiIds, perSecond, rounds, seconds, mark }) {
  const { clients, load, versions, counted, watched, crowd, tell } = fleet;
  const windowMs = seconds * 1000;
  const nodes = watched.filter(({ name }) => name.startsWith('node '));
  const cpu = { idle: counted.map(() => 0), changing: counted.map(() => 0), beside: counted.map(() => 0) };
  const turns = { idle: [], changing: [], beside: [] };
  /** The load, CPU time and turns count for `kind` meanwhile. Returns the CPU time of each process. */
  const window = async (kind) => {
    const before = counted.map((process) => process.cpuUs());
    for (const node of nodes) await node.turns();
    load.mark(`${mark} ${kind}`);
    await sleep(windowMs);
    load.mark('');
    for (const node of nodes) turns[kind].push(await node.turns());
    const usedUs = counted.map((process, index) => process.cpuUs() - before[index]);
    usedUs.forEach((us, index) => (cpu[kind][index] += us));
    return usedUs;
  };
  /** Returns how many changes fell into the window, and what it used. */
  const changing = async (kind, changedApiIds) => {
    const steady = new SteadyChanges(perSecond, (index) =>
      deploy(clients[index % clients.length], changedApiIds[index % changedApiIds.length], ++versions.last),
    );
    await sleep(SETTLE_MS);
    const made = steady.made;
    const usedUs = await window(kind);
    const changes = steady.made - made;
    tell(`  ${mark} API, ${kind}: ${changes} changes in ${(windowMs / 1000).toFixed(1)} s`);
    await steady.end();
    return { changes, usedUs };
  };
  let changes = 0;
  for (let round = 0; round < rounds; round++) {
    await sleep(SETTLE_MS);
    const idleUs = await window('idle');
    const heard = await changing('changing', apiIds);
    changes += heard.changes;
    await sleep(SETTLE_MS);
    const addedUs = counted.map((_, index) => heard.usedUs[index] - idleUs[index]);
    crowd.use(nodes.map(({ name }) => addedUs[counted.findIndex((process) => process.name === name)] / windowMs));
    await changing('beside', unheardApiIds);
    crowd.use(nodes.map(() => 0));
  }
  const cpuMsPerChange = counted.map(({ name }, index) => ({
    name,
    ms: (cpu.changing[index] - cpu.idle[index]) / 1000 / changes,
  }));
  return {
    apis: apiIds.length,
    perSecond: (changes * 1000) / (rounds * windowMs),
    cpuMsPerChange,
    turns: Object.fromEntries(Object.entries(turns).map(([kind, list]) => [kind, turnFigures(list, windowMs)])),
  };
}

/** Of windows of several nodes: the p99 is the median of theirs. */
export function turnFigures(windows, windowMs) {
  return {
    p99Ms: median(windows.map(({ p99Us }) => p99Us / 1000)),
    longestMs: Math.max(...windows.map(({ longestUs }) => longestUs / 1000)),
    longPerSecond: (windows.reduce((sum, { longCount }) => sum + longCount, 0) * 1000) / (windows.length * windowMs),
  };
}

/** Makes a change whenever one is due, until it is ended. What it cannot keep up with is left out, and `made` tells. */
class SteadyChanges {
  made = 0;
  #isEnded = false;
  #running;

  constructor(perSecond, change) {
    this.#running = this.#run(1000 / perSecond, change);
    this.#running.catch(() => undefined); // told by `end`
  }

  /** Resolves when all changes are answered; rejects with the failure of the first that failed. */
  end() {
    this.#isEnded = true;
    return this.#running;
  }

  async #run(everyMs, change) {
    const pending = new Set();
    const failures = [];
    let started = 0;
    for (let dueMs = performance.now(); !this.#isEnded; dueMs = Math.max(dueMs + everyMs, performance.now() - everyMs)) {
      const earlyMs = dueMs - performance.now();
      if (earlyMs > 0) await sleep(earlyMs);
      if (pending.size >= CHANGES_PENDING_MAX) await Promise.race(pending);
      const call = change(started++)
        .then(() => this.made++)
        .catch((error) => failures.push(error))
        .finally(() => pending.delete(call));
      pending.add(call);
    }
    await Promise.all(pending);
    if (failures.length > 0) throw failures[0];
  }
}

/** APIs that are created, deployed and deleted; samples of every process before, between and after. */
export async function createDeleteCycles({ clients, upstreamUrl, load, watched, tell }, { count, samplesCount = 5 }) {
  const samples = [];
  const startedMs = performance.now();
  load.mark('create and delete');
  // What the first ones fill (code, pools, caches of one kind each) is not growth.
  const warmUp = Math.ceil(count / 10);
  let done = 0;
  const run = (from, to) =>
    eachOf(
      Array.from({ length: to - from }, (_, index) => from + index),
      CYCLES_PARALLEL,
      (index) => createAndDelete(clients[index % clients.length], upstreamUrl, index),
    );
  await run(0, warmUp);
  samples.push(await sampleAll(watched, 0));
  for (let part = 1; part <= samplesCount; part++) {
    const to = Math.round((count * part) / samplesCount);
    await run(warmUp + done, warmUp + to);
    done = to;
    tell(`  ${done} of ${count}`);
    samples.push(await sampleAll(watched, done));
  }
  load.mark('');
  return { count, perSecond: (count + warmUp) / ((performance.now() - startedMs) / 1000), growth: growths(samples) };
}

async function sampleAll(watched, done) {
  const processes = [];
  for (const process of watched) processes.push({ name: process.name, ...(await process.sample()) });
  return { done, processes };
}

/** By process: first and last sample, and the slope of the live heap per change, by least squares. */
export function growths(samples) {
  return samples[0].processes.map(({ name }, index) => {
    const series = samples.map(({ done, processes }) => ({ done, ...processes[index] }));
    const slope = (member) => slopeOf(series.map((sample) => [sample.done, sample[member]]));
    return {
      name,
      before: series[0],
      after: series.at(-1),
      heapBytesEach: slope('heapBytes'),
      externalBytesEach: slope('externalBytes'),
      residentBytesEach: slope('residentBytes'),
      descriptorsEach: slope('descriptors'),
      series,
    };
  });
}

/** Of the straight line nearest to the points. */
export function slopeOf(points) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanX = mean(points.map(([x]) => x));
  const meanY = mean(points.map(([, y]) => y));
  const spreadX = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return spreadX === 0 ? 0 : points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spreadX;
}

/** Milliseconds. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: sorted.at(-1) ?? 0 };
}

/** The p99 of windows with changes over that of the idle window before each: the median of the pairs. */
export function pairedRatio(idle, changing) {
  return median(changing.windows.map(({ p99Us }, index) => p99Us / idle.windows[index].p99Us));
}
