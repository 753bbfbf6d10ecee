// `npm run bench -- scale`: what a node costs that holds a large fleet, at 1 %, 10 % and 100 % of it, and how each figure grows.
//
// Generated data and the engine's own parts in one process per measurement (src/scale/node.mjs): no database, no network.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { replaceBetween } from './document.mjs';
import { machine, revision } from './machine.mjs';
import { FULL, sizeOf } from './scale/data.mjs';

const NODE = path.join(import.meta.dirname, 'scale/node.mjs');
const PERCENTS = [1, 10, 100];
const HEAP_MB = 12_000;
const ROUTES_PER_STAGE = FULL.routes / FULL.apis;

const OPTIONS = {
  quick: { type: 'boolean', default: false, help: 'a look: 1 % and 10 %; writes nothing' },
  'no-write': { type: 'boolean', default: false, help: 'leave bench/results and docs/performance.md as they are' },
  json: { type: 'boolean', default: false, help: 'print the result as JSON instead of the table' },
  help: { type: 'boolean', default: false, short: 'h', help: 'this text' },
};

export const scaleHelp = () => `npm run bench -- scale [options]

What a node costs that holds ${FULL.tenants.toLocaleString('en')} tenants with ${FULL.apis.toLocaleString('en')} APIs, \
${FULL.routes.toLocaleString('en')} routes and ${FULL.keys.toLocaleString('en')} API keys.
Measures what is built in dist.

Options:
${Object.entries(OPTIONS)
  .map(([name, { help }]) => `  --${name.padEnd(10)} ${help}`)
  .join('\n')}
`;

/** `bar`: the most it may be at full size. */
export const FIGURES = [
  { name: 'startMs', title: 'start to ready, ms', digits: 0 },
  { name: 'manifestBytes', title: 'manifest on disk, bytes', digits: 0 },
  { name: 'residentMb', title: 'resident memory at ready, MB', digits: 0 },
  { name: 'bytesPerUnlinkedRoute', title: 'bytes per route not linked', digits: 1, bar: 100 },
  { name: 'bytesPerLinkedRoute', title: 'bytes per linked route', digits: 0, bar: 4_096 },
  { name: 'bytesPerKey', title: 'bytes per API key', digits: 0, bar: 200 },
  { name: 'tableBytesPerKey', title: '- of them its entry of the manifest', digits: 0 },
  { name: 'worldBytesPerKey', title: '- of them what a request looks up', digits: 0 },
  { name: 'linkStageMs', title: `linking a stage of ${ROUTES_PER_STAGE} routes, ms`, digits: 2 },
  { name: 'routeLookupNs', title: 'finding the route of a request, ns', digits: 0 },
  { name: 'keyLookupNs', title: 'finding a key by its digest, ns', digits: 0 },
];

export function benchScale(root, args) {
  const options = parseArgs({ args, options: OPTIONS }).values;
  if (options.help) return process.stdout.write(scaleHelp());
  const startedMs = performance.now();
  const tell = (text) => process.stderr.write(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s  ${text}\n`);
  const result = {
    benchmark: 'scale',
    at: new Date().toISOString(),
    revision: revision(root),
    machine: machine(),
    full: FULL,
    sizes: {},
  };
  for (const percent of options.quick ? PERCENTS.slice(0, 2) : PERCENTS) {
    tell(`${percent} %: ${JSON.stringify(sizeOf(percent))}`);
    result.sizes[percent] = measure(percent);
  }
  process.stdout.write(options.json ? `${JSON.stringify(result, null, 2)}\n` : `\n${scaleText(result)}\n`);
  for (const { title, value, bar } of missedBars(result)) tell(`Bar missed: ${title}: ${value}, at most ${bar}`);
  if (!options.quick && !options['no-write']) write(root, result);
}

function measure(percent) {
  const { routes, keys } = sizeOf(percent);
  const whole = runNode(percent, 'stages,keys', 'world');
  const stages = runNode(percent, 'stages', 'world');
  const keysOnly = runNode(percent, 'keys', 'world');
  const keyTable = runNode(percent, 'keys', 'table');
  return {
    startMs: whole.startMs,
    manifestBytes: whole.manifestBytes,
    residentMb: whole.residentBytes / 2 ** 20,
    bytesPerUnlinkedRoute: stages.heldBytes / routes,
    bytesPerLinkedRoute: whole.linkedBytesPerRoute,
    linkedRoutes: whole.linkedRoutes,
    bytesPerKey: keysOnly.heldBytes / keys,
    tableBytesPerKey: keyTable.heldBytes / keys,
    worldBytesPerKey: (keysOnly.heldBytes - keyTable.heldBytes) / keys,
    linkStageMs: whole.linkStageMs,
    routeLookupNs: whole.routeLookupNs,
    keyLookupNs: whole.keyLookupNs,
  };
}

function runNode(percent, parts, holds) {
  const args = ['--expose-gc', `--max-old-space-size=${HEAP_MB}`, NODE, String(percent), parts, holds];
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`The node of ${percent} % (${parts}, ${holds}) ended with ${status ?? signal}:\n${stderr}`);
  return JSON.parse(stdout);
}

/** Figures of the largest size that are above their bar. */
export function missedBars({ sizes }) {
  const largest = Object.values(sizes).at(-1);
  return FIGURES.filter(({ name, bar }) => bar !== undefined && largest[name] > bar).map(({ name, title, digits, bar }) => ({
    title,
    value: shown(largest[name], digits),
    bar,
  }));
}

export function scaleText({ sizes, at, revision: { commit, isDirty }, machine: on }) {
  const percents = Object.keys(sizes);
  const rows = FIGURES.map(({ name, title, digits, bar }) => {
    const values = percents.map((percent) => sizes[percent][name]);
    const growth = values.at(-1) / values[0];
    return [
      title,
      ...values.map((value) => shown(value, digits)),
      `x ${growth.toFixed(growth < 10 ? 2 : 0)}`,
      bar === undefined ? '' : shown(bar, 0),
    ];
  });
  const table = [
    ['', ...percents.map((percent) => `${percent} %`), 'grows', 'at most'],
    ['---', ...percents.map(() => '---:'), '---:', '---:'],
    ...rows,
  ].map((cells) => `| ${cells.join(' | ')} |`);
  const code = commit === null ? 'a checkout without git' : `commit ${commit}${isDirty ? ' with changes' : ''}`;
  return `${table.join('\n')}\n\n_${at.slice(0, 10)}, ${code}: ${on.cores} cores of ${on.cpu} (${on.arch}), ${on.kernel}, Node ${on.node}._`;
}

const shown = (value, digits) => value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

function write(root, result) {
  const file = path.join(root, 'bench/results/scale.json');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  spawnSync(path.join(root, 'node_modules/.bin/oxfmt'), [file]);
  const page = path.join(root, 'docs/performance.md');
  writeFileSync(page, replaceBetween(readFileSync(page, 'utf8'), 'scale', scaleText(result)));
}
