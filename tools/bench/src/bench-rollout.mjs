// `npm run bench -- rollout`: from a deployment to every node, and what that costs those who call meanwhile.
//
// A fleet of real processes on this machine (src/rollout/fleet.mjs), a steady load on all nodes, and four parts:
//
//   live      deployments one after the other: how long until the last node serves each
//   changes   windows with and without 50 deployments per second, in turns: what the load's p99 does, and what it does when the same work is
//             done beside the nodes
//   row       many deployments in a row: no failed request, memory and descriptors flat
//   cycles    APIs created, deployed and deleted: memory and descriptors flat
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { profileText, replaceBetween } from './document.mjs';
import { machine, revision } from './machine.mjs';
import { pin } from './proc.mjs';
import { copyApi, createApi, deploy, eachOf, hostOf, pathOf, UNHEARD_POOL, versionPath } from './rollout/apis.mjs';
import { Crowd } from './rollout/crowd.mjs';
import { CHANGING_CORE, SERVING_CORE, startFleet } from './rollout/fleet.mjs';
import { FleetLoad } from './rollout/load.mjs';
import { changesUnderLoad, createDeleteCycles, deployInARow, deployToLive } from './rollout/phases.mjs';
import { VersionProbe } from './rollout/probe.mjs';
import { missedBars, rolloutText } from './rollout/report.mjs';
import { Servers } from './servers.mjs';

const NODES = 3;
const PARTS = ['live', 'changes', 'row', 'cycles'];
const SMALL_API_ROUTES = 10;
/** Small APIs that take turns when many changes are made. */
const SMALL_APIS = 10;
/** APIs the load calls and nobody changes. */
const CALLED_APIS = 8;
const CONNECTIONS_PER_NODE = 16;
/** Before the first figure: code is compiled, connections are open. */
const WARM_UP_DEPLOYMENTS = 60;

const OPTIONS = {
  routes: { type: 'string', default: '20000', help: 'routes loaded on every node' },
  'api-routes': { type: 'string', default: '200', help: 'routes of each API, the large one that is deployed among them' },
  planes: { type: 'string', default: '2', help: 'control planes' },
  load: { type: 'string', default: '600', help: 'requests per second over all nodes' },
  live: { type: 'string', default: '200', help: 'deployments whose time to live is measured, per API' },
  row: { type: 'string', default: '1000', help: 'deployments in a row' },
  rate: { type: 'string', default: '50', help: 'changes per second' },
  rounds: { type: 'string', default: '6', help: 'rounds of windows (idle, changing, the same work beside the nodes), per API' },
  seconds: { type: 'string', default: '5', help: 'length of a window' },
  cycles: { type: 'string', default: '1000', help: 'APIs created and deleted; 10000 takes a quarter of an hour' },
  parts: { type: 'string', default: PARTS.join(','), help: 'comma-separated parts' },
  quick: { type: 'boolean', default: false, help: 'a look: 4,000 routes and a tenth of everything; writes nothing' },
  profile: {
    type: 'boolean',
    default: false,
    help: 'also profile a node and a control plane during the changes; writes nothing',
  },
  'no-write': { type: 'boolean', default: false, help: 'leave bench/results and docs/performance.md as they are' },
  json: { type: 'boolean', default: false, help: 'print the result as JSON instead of the tables' },
  help: { type: 'boolean', default: false, short: 'h', help: 'this text' },
};
const QUICK = { routes: 4_000, live: 30, row: 100, rounds: 2, seconds: 3, cycles: 100 };

export const rolloutHelp = () => `npm run bench -- rollout [options]

From a deployment to ${NODES} nodes, and what it costs the requests they serve meanwhile. About seven minutes; needs Linux, two cores and taskset.
Measures what is built in dist.

Options:
${Object.entries(OPTIONS)
  .map(([name, { help, default: value }]) => `  --${name.padEnd(10)} ${help}${typeof value === 'string' ? ` (${value})` : ''}`)
  .join('\n')}

Parts: ${PARTS.join(', ')}. Only a run of all parts at full size is written.
`;

/** Throws one Error that says what is wrong. */
export function readRolloutOptions(args) {
  const { values } = parseArgs({ args, options: OPTIONS });
  const problems = [];
  const whole = (name, min) => {
    const value = values.quick && QUICK[name] !== undefined ? QUICK[name] : Number(values[name]);
    if (!Number.isInteger(value) || value < min)
      problems.push(`--${name}: expected a whole number from ${min}, got "${values[name]}"`);
    return value;
  };
  const parts = values.parts.split(',');
  const unknown = parts.filter((part) => !PARTS.includes(part));
  if (unknown.length > 0) problems.push(`--parts: there is no "${unknown.join('", "')}"; there are ${PARTS.join(', ')}`);
  const isDefault = Object.entries(OPTIONS).every(
    ([name, { type, default: value }]) => type !== 'string' || values[name] === value,
  );
  const options = {
    help: values.help,
    routes: whole('routes', 1),
    apiRoutes: whole('api-routes', 2),
    planes: whole('planes', 1),
    load: whole('load', 1),
    live: whole('live', 1),
    row: whole('row', 1),
    rate: whole('rate', 1),
    rounds: whole('rounds', 1),
    seconds: whole('seconds', 1),
    cycles: whole('cycles', 1),
    parts,
    profile: values.profile,
    writes: !values['no-write'] && !values.quick && !values.profile && isDefault,
    json: values.json,
  };
  if (problems.length > 0) throw new Error(`${problems.join('\n')}\n\n${rolloutHelp()}`);
  return options;
}

export async function benchRollout(root, args) {
  const options = readRolloutOptions(args);
  if (options.help) return process.stdout.write(rolloutHelp());
  const startedMs = performance.now();
  const tell = (text) => process.stderr.write(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s  ${text}\n`);
  pin(process.pid, CHANGING_CORE);
  const servers = new Servers();
  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-rollout-'));
  const closing = [];
  const ending = [];
  let cleaning = null;
  const cleanUp = () => (cleaning ??= endAll(ending, servers, closing, folder));
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void cleanUp().then(() => process.exit(1)));
  try {
    tell(`starting PostgreSQL, ${options.planes} control planes and ${NODES} nodes`);
    const fleet = await startFleet({
      root,
      servers,
      folder,
      nodeCount: NODES,
      controlPlaneCount: options.planes,
      ending,
      closing,
    });
    const result = {
      ...(await measureFleet(root, { ...fleet, ending }, options, tell)),
      revision: revision(root),
      machine: machine(),
    };
    if (cleaning !== null) return; // its processes were stopped under it
    process.stdout.write(options.json ? `${JSON.stringify(result, null, 2)}\n` : `\n${rolloutText(result)}\n`);
    for (const missed of missedBars(result)) tell(`Bar missed: ${missed}`);
    if (options.writes) write(root, result);
  } finally {
    await cleanUp();
  }
}

/** Load and inspectors first, for which the processes would wait at their end; then the processes, then what they worked on. */
async function endAll(ending, servers, closing, folder) {
  for (const end of ending.splice(0)) end();
  await servers.stop();
  for (const end of closing.splice(0).reverse()) await end();
  rmSync(folder, { recursive: true, force: true });
}

async function measureFleet(root, fleet, options, tell) {
  const at = new Date().toISOString();
  const { clients, database, upstreamUrl, nodePorts } = fleet;
  const versions = { last: 0 };
  const create = (name, routes, pool = null) => createApi(clients[0], { name, upstreamUrl, routes, pool });
  tell('creating APIs');
  const large = await create('large', options.apiRoutes);
  const small = [];
  for (let index = 0; index < SMALL_APIS; index++) small.push(await create(`small ${index}`, SMALL_API_ROUTES));
  const copies = await copyApi(database, large, Math.max(CALLED_APIS, Math.ceil(options.routes / options.apiRoutes) - 1));
  tell(`deploying ${copies.length + 1} APIs with ${options.apiRoutes} routes each`);
  await eachOf([large, ...small, ...copies], 4, (apiId) => deploy(clients[0], apiId, versions.last));
  const routes = (copies.length + 1) * options.apiRoutes + SMALL_APIS * SMALL_API_ROUTES;

  tell('waiting until every node serves them');
  await everywhereLive(nodePorts, [large, ...small, ...copies], versions.last);
  const called = copies.slice(0, CALLED_APIS).map((apiId, index) => ({ path: pathOf(index), headers: { Host: hostOf(apiId) } }));
  const changed = [large, small[0]].map((apiId) => ({ path: versionPath, headers: { Host: hostOf(apiId) } }));
  const settings = {
    ports: nodePorts,
    targets: [...called, ...changed],
    rate: options.load,
    connectionsPerNode: CONNECTIONS_PER_NODE,
  };
  const load = new FleetLoad(SERVING_CORE, settings);
  fleet.ending.push(() => load.stop());
  const running = { ...fleet, load, versions, tell };
  const parts = {};
  try {
    tell('warming up');
    for (const apiId of [large, small[0]]) await deployToLive(running, { apiId, count: WARM_UP_DEPLOYMENTS / 2, mark: '' });
    for (const part of options.parts) {
      tell(TITLES[part](options));
      parts[part] = await RUN[part](running, options, { root, large, small, create });
    }
    const { requests, errors, problems, marks } = await load.report();
    return {
      benchmark: 'rollout',
      at,
      settings: { ...options, nodes: NODES, routes },
      parts,
      load: { requests, errors, problems, marks },
    };
  } finally {
    load.stop();
  }
}

async function everywhereLive(ports, apiIds, version) {
  for (const port of ports)
    await eachOf(apiIds, 4, async (apiId) => {
      const probe = new VersionProbe(port, apiId);
      await probe.liveAtMs(version).finally(() => probe.close());
    });
}

const TITLES = {
  live: ({ live }) => `${live} deployments of a large and of a small API, each until the last node serves it`,
  row: ({ row }) => `${row} deployments in a row`,
  changes: ({ rate, rounds, seconds }) => `${rate} changes per second in windows of ${seconds} s, ${rounds} rounds per API`,
  cycles: ({ cycles }) => `${cycles} APIs created, deployed and deleted`,
};

const RUN = {
  live: async (fleet, { live }, { large, small }) => ({
    large: await deployToLive(fleet, { apiId: large, count: live, mark: 'live large' }),
    small: await deployToLive(fleet, { apiId: small[0], count: live, mark: 'live small' }),
  }),
  row: (fleet, { row }, { small }) => deployInARow(fleet, { apiId: small[0], count: row }),
  changes: async (fleet, { rate, rounds, seconds, profile, apiRoutes }, { root, large, small, create }) => {
    const unheard = { small: [], large: [await create('large, unheard', apiRoutes, UNHEARD_POOL)] };
    for (const index of small.keys()) unheard.small.push(await create(`small ${index}, unheard`, SMALL_API_ROUTES, UNHEARD_POOL));
    const crowd = new Crowd(SERVING_CORE, NODES);
    fleet.ending.push(() => crowd.stop());
    const heard = { small, large: [large] };
    const measure = (mark) =>
      changesUnderLoad(
        { ...fleet, crowd },
        { apiIds: heard[mark], unheardApiIds: unheard[mark], perSecond: rate, rounds, seconds, mark },
      );
    const figures = { small: null, large: null };
    for (const mark of Object.keys(figures))
      figures[mark] = profile ? await profiled(root, fleet, () => measure(mark), mark) : await measure(mark);
    crowd.stop();
    return figures;
  },
  cycles: (fleet, { cycles }) => createDeleteCycles(fleet, { count: cycles }),
};

/** Prints where a node and a control plane spend their time meanwhile. */
async function profiled(root, { watched }, work, mark) {
  const [plane, node] = ['control plane 1', 'node 1'].map((name) => watched.find((process) => process.name === name));
  const outer = await plane.profile(root, () => node.profile(root, work));
  for (const [name, { hottest, parts }] of [
    [plane.name, outer],
    [node.name, outer.result],
  ])
    process.stdout.write(`\n## ${name}, ${mark}\n\n${profileText({ hottest, parts })}\n`);
  return outer.result.result;
}

function write(root, result) {
  const file = path.join(root, 'bench/results/rollout.json');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  spawnSync(path.join(root, 'node_modules/.bin/oxfmt'), [file]);
  const page = path.join(root, 'docs/performance.md');
  writeFileSync(page, replaceBetween(readFileSync(page, 'utf8'), 'rollout', rolloutText(result)));
}
