// The result as Markdown, and the bars it misses.
import { pairedRatio } from './phases.mjs';

const LIVE_P99_MS_MAX = 250;
const P99_RATIO_MAX = 1.1;
/** A run that makes fewer changes has not shown what they cost. */
const RATE_SHARE_MIN = 0.95;
/** What may stay per change before it is growth: a count in a map, and the noise of a heap that is compacted. */
const HEAP_BYTES_EACH_MAX = 1_024;
/** Fewer descriptors than this come and go with connections. */
const DESCRIPTORS_MAX = 5;

export function missedBars({ parts, load, settings }) {
  const missed = [];
  for (const [name, { liveFromCall }] of Object.entries(parts.live ?? {})) {
    if (liveFromCall.p99 > LIVE_P99_MS_MAX)
      missed.push(`deploy to live, ${name} API: p99 ${ms(liveFromCall.p99)} ms, at most ${LIVE_P99_MS_MAX}`);
  }
  if (load.errors > 0) missed.push(`${load.errors} failed requests, at most 0 (${load.problems.slice(0, 3).join('; ')})`);
  for (const [name, { perSecond }] of Object.entries(parts.changes ?? {})) {
    const ratio = ratioOf(load.marks, name);
    if (perSecond < RATE_SHARE_MIN * settings.rate)
      missed.push(`${name} API: only ${perSecond.toFixed(1)} of ${settings.rate} changes per second were made`);
    if (ratio > P99_RATIO_MAX)
      missed.push(
        `request p99 during ${perSecond.toFixed(0)} changes/s, ${name} API: ${ratio.toFixed(2)} x idle, at most ${P99_RATIO_MAX}`,
      );
  }
  for (const [part, what] of GROWTH_PARTS) {
    for (const { name, heapBytesEach, before, after } of parts[part]?.growth ?? []) {
      if (heapBytesEach > HEAP_BYTES_EACH_MAX)
        missed.push(
          `${name}: the heap grows by ${bytes(heapBytesEach)} bytes per ${what}, at most ${bytes(HEAP_BYTES_EACH_MAX)}`,
        );
      if (after.descriptors - before.descriptors > DESCRIPTORS_MAX)
        missed.push(`${name}: ${after.descriptors - before.descriptors} descriptors more after all ${what}s`);
    }
  }
  return missed;
}

const GROWTH_PARTS = [
  ['row', 'deployment'],
  ['cycles', 'cycle'],
];

const ratioOf = (marks, name) => pairedRatio(marks[`${name} idle`], marks[`${name} changing`]);

export function rolloutText(result) {
  const { parts, load } = result;
  const sections = [];
  if (parts.live !== undefined) sections.push(liveTable(parts.live));
  if (parts.row !== undefined) sections.push(rowText(parts.row, load));
  if (parts.changes !== undefined)
    sections.push(
      changesTable(parts.changes, load),
      ...slowerText(parts.changes, result.settings),
      besideTable(parts.changes, load),
      cpuTable(parts.changes),
    );
  for (const [part, what] of GROWTH_PARTS) if (parts[part] !== undefined) sections.push(growthTable(parts[part], what));
  return [...sections, `Requests of all parts: ${bytes(load.requests)}, failed: ${load.errors}.`, caption(result)].join('\n\n');
}

const liveTable = (live) =>
  table(
    [
      'deploy to live on the last node',
      'deployments',
      'p50 ms',
      'p99 ms',
      'longest',
      'p50 after the answer',
      'p99 after the answer',
    ],
    Object.entries(live).map(([name, { count, liveFromCall: call, liveFromAnswer: answer }]) => [
      `${name} API`,
      count,
      ms(call.p50),
      `**${ms(call.p99)}**`,
      ms(call.max),
      ms(answer.p50),
      ms(answer.p99),
    ]),
  );

function rowText({ count, perSecond, answer }, { marks }) {
  const { requests, errors, p99Us } = marks['deployments in a row'];
  return (
    `${bytes(count)} deployments in a row: ${perSecond.toFixed(0)} per second, answered in ${ms(answer.p50)} ms (p50) and ${ms(answer.p99)} ms (p99). ` +
    `Meanwhile ${bytes(requests)} requests, **${errors} failed**, p99 ${ms(p99Us / 1000)} ms.`
  );
}

const changesTable = (changes, { marks }) =>
  table(
    ['changes', 'per second', 'p50 idle', 'p50 changing', 'p99 idle', 'p99 changing', 'p99, ratio', 'failed'],
    Object.entries(changes).map(([name, { perSecond }]) => {
      const [idle, changing] = [marks[`${name} idle`], marks[`${name} changing`]];
      return [
        `${name} API`,
        perSecond.toFixed(1),
        ...[idle.p50Us, changing.p50Us, idle.p99Us, changing.p99Us].map((us) => ms(us / 1000)),
        `**${ratioOf(marks, name).toFixed(2)}**`,
        idle.errors + changing.errors,
      ];
    }),
  );

/** What the machine does to the requests by itself, and how long a node goes without looking for them. */
const besideTable = (changes, { marks }) =>
  table(
    ['during changes', 'p99 idle', 'p99, work beside the nodes', 'p99 changing', 'nodes over crowd', ...TURN_COLUMNS],
    Object.entries(changes).map(([name, { turns }]) => {
      const [idle, beside, changing] = ['idle', 'beside', 'changing'].map((kind) => marks[`${name} ${kind}`]);
      return [
        `${name} API`,
        ...[idle, beside, changing].map(({ p99Us }) => ms(p99Us / 1000)),
        `**${pairedRatio(beside, changing).toFixed(2)}**`,
        ...['p99Ms', 'longestMs', 'longPerSecond'].map((figure) => `${ms(turns.idle[figure])} → ${ms(turns.changing[figure])}`),
      ];
    }),
  );

const TURN_COLUMNS = ["a node's turn, p99 ms", 'longest turn', 'turns over 1 ms, per second'];

/** What the table shows all the same: the ratio at the highest rate that was reached. */
const slowerText = (changes, { rate }) =>
  Object.entries(changes)
    .filter(([, { perSecond }]) => perSecond < RATE_SHARE_MIN * rate)
    .map(
      ([name, { perSecond }]) =>
        `${name} API: ${rate} changes per second were asked for, and the core that control planes, PostgreSQL and the caller share made ` +
        `${perSecond.toFixed(1)}. The ratio is that at ${perSecond.toFixed(1)}, the most that was made; it does not show the bar at ${rate}.`,
    );

const cpuTable = (changes) =>
  table(
    ['CPU ms per change', ...Object.keys(changes).map((name) => `${name} API`)],
    Object.values(changes)[0].cpuMsPerChange.map(({ name }, index) => [
      name,
      ...Object.values(changes).map(({ cpuMsPerChange }) => cpuMsPerChange[index].ms.toFixed(2)),
    ]),
  );

const growthTable = ({ count, growth }, what) =>
  table(
    [`after ${bytes(count)} ${what}s`, `heap, bytes per ${what}`, 'heap MB', 'outside MB', 'resident MB', 'descriptors'],
    growth.map(({ name, heapBytesEach, before, after }) => [
      name,
      `**${bytes(heapBytesEach)}**`,
      ...['heapBytes', 'externalBytes', 'residentBytes'].map((member) => `${mb(before[member])} → ${mb(after[member])}`),
      `${before.descriptors} → ${after.descriptors}`,
    ]),
  );

function table(head, rows) {
  return [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function caption({ at, revision: { commit, isDirty }, machine: on, settings }) {
  const code = commit === null ? 'a checkout without git' : `commit ${commit}${isDirty ? ' with changes' : ''}`;
  return (
    `_${at.slice(0, 10)}, ${code}: ${on.cores} cores of ${on.cpu} (${on.arch}), ${on.kernel}, Node ${on.node}; ${settings.planes} control planes, ` +
    `${settings.nodes} nodes, ${bytes(settings.routes)} routes, ${settings.load} requests/s._`
  );
}

const ms = (value) => value.toFixed(value < 10 ? 2 : 0);
const bytes = (value) => Math.round(value).toLocaleString('en');
const mb = (value) => (value / 2 ** 20).toFixed(1);
