// `npm run bench -- proxy`: what one proxied request costs, by whom.
//
//   core 0            core 1
//   proxy under test  load generator, upstream, everything else of ours
//
// Scenario after scenario, each with fresh processes of its contenders: all of them run while it lasts, and idle but one.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { ITEM } from './bodies.mjs';
import { makeCertificate } from './certificate.mjs';
import { startProduct } from './contenders/gatehouse-apis.mjs';
import { CONTENDERS, startContender, target } from './contenders.mjs';
import { profileText, resultText, writeResult } from './document.mjs';
import { CONNECTIONS, load } from './load.mjs';
import { machine, revision } from './machine.mjs';
import { findProgram, provideNpmPackage, providePrograms } from './packages.mjs';
import { pin, raiseFileLimit } from './proc.mjs';
import { profileNode } from './profile.mjs';
import { SCENARIOS } from './scenarios/index.mjs';
import { answers, freePorts, Servers } from './servers.mjs';
import { startUpstream } from './upstream.mjs';

const PROXY_CORE = 0;
const LOAD_CORE = 1;
const PROFILE_S = 5;
const FILES = 32_768;
/** Of most scenarios; every server reserves memory by it. */
const SERVER_CONNECTIONS = 1_024;

export async function benchProxies(root, options) {
  const startedMs = performance.now();
  const tell = (text) => process.stderr.write(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s  ${text}\n`);
  requireLinux();
  const run = { root, options, tell, at: new Date().toISOString(), revision: revision(root) }; // now: somebody may commit while this runs
  const scenarios = SCENARIOS.filter(
    (scenario) => options.scenarios.includes(scenario.name) && entriesOf(scenario, options.only).length > 0,
  );
  const kinds = wantedKinds(scenarios, options.only);
  const programs = providePrograms(tell);
  if (programs.wrk === null) throw new Error('wrk makes the load; without it nothing can be measured.');
  const packages = Object.fromEntries(
    kinds.flatMap(({ npm }) => (npm === undefined ? [] : [[npm.name, provideNpmPackage(root, npm.name, npm.version, tell)]])),
  );
  if (options.builds && kinds.some(({ needsProduct }) => needsProduct)) build(root, tell);
  pin(process.pid, LOAD_CORE);
  const fileLimit = raiseFileLimit(FILES);

  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-bench-'));
  chmodSync(folder, 0o755); // nginx's worker is another user
  const servers = new Servers();
  const cleanUp = async () => {
    await servers.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  let isInterrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      isInterrupted = true;
      void cleanUp().then(() => process.exit(1));
    });
  }
  try {
    const ground = await prepare({ servers, programs, folder, kinds, tell });
    const result = { benchmark: 'proxy', scenarios: {} };
    for (const scenario of scenarios) {
      tell(`== ${scenario.title}`);
      const common = { ...run, ...ground, servers, programs, packages, fileLimit, proxyCore: PROXY_CORE };
      const { profile, ...measured } = await runScenario(scenario, common);
      if (isInterrupted) return; // its contenders were stopped under it: nothing of that may be written
      result.scenarios[scenario.name] = measured;
      if (profile !== undefined) result.profile = profile;
    }
    if (options.writes) writeResult(root, options.name, result);
    const profileShown = result.profile === undefined ? '' : `\n${profileText(result.profile)}\n`;
    process.stdout.write(options.json ? `${JSON.stringify(result, null, 2)}\n` : `\n${resultText(result)}\n${profileShown}`);
    report(result, tell);
  } finally {
    await cleanUp();
  }
}

/** What stays up for the whole run: the upstream, and the product that the Gatehouse nodes join. */
async function prepare({ servers, programs, folder, kinds, tell }) {
  const [upstreamPort] = await freePorts(1);
  const upstream = startUpstream(servers, { programs, folder, core: LOAD_CORE, port: upstreamPort });
  const body = await answers({ url: `http://127.0.0.1:${upstreamPort}/item` }, upstream.server);
  if (body !== ITEM) throw new Error(`The upstream answers ${body}`);
  tell(`Upstream: ${upstream.kind}`);
  const certificate = makeCertificate(programs.openssl, folder);
  let product = null;
  if (kinds.some(({ needsProduct }) => needsProduct)) {
    tell('Starting Gatehouse');
    product = await startProduct({ servers, folder, core: LOAD_CORE, upstreamPort });
  }
  return { folder, upstream: upstream.server, upstreamKind: upstream.kind, upstreamPort, certificate, product };
}

async function runScenario(scenario, common) {
  const { servers, programs, options, root, tell } = common;
  const mark = servers.count;
  const folder = path.join(common.folder, scenario.name);
  mkdirSync(folder);
  const startedMs = performance.now();
  let outcome;
  let profile;
  try {
    if (scenario.needs !== null && programs[scenario.needs] === null) throw new Error(`${scenario.needs} is not installed`);
    const contenders = await startContenders(scenario, { ...common, folder });
    outcome = { rows: await scenario.run({ ...common, folder, contenders }) };
    const node = contenders.find(({ name, problem }) => name === 'gatehouse' && problem === null);
    if (options.profile && scenario.name === 'get' && node !== undefined)
      profile = await profileNode(node.pid, root, () => load(programs.wrk, target(node, '/item'), PROFILE_S));
  } catch (error) {
    tell(`Not measured: ${error.message}`);
    outcome = { rows: [], problem: error.message };
  } finally {
    await servers.stop(mark);
  }
  const { seconds, rounds } = options;
  const tookSeconds = Math.round((performance.now() - startedMs) / 1000);
  const settings = { seconds, rounds, connections: CONNECTIONS, upstream: common.upstreamKind, tookSeconds };
  const { at, revision: measured } = common;
  return { title: scenario.title, at, revision: measured, machine: machine(), settings, ...outcome, profile };
}

async function startContenders(scenario, context) {
  const started = [];
  for (const { kind, as, core = String(PROXY_CORE), workers, settings } of entriesOf(scenario, context.options.only)) {
    const connections = scenario.connections ?? SERVER_CONNECTIONS;
    const own = { ...context, folder: path.join(context.folder, as?.name ?? kind.name), core, workers, settings, connections };
    mkdirSync(own.folder);
    const contender = { ...(await startContender(kind, own)), ...as };
    if (contender.problem === null && scenario.probe !== undefined) {
      await scenario.probe(contender).catch((error) => (contender.problem = error.message));
    }
    if (contender.problem !== null) context.tell(`${contender.title}: ${contender.problem.split('\n')[0]}`);
    started.push(contender);
  }
  return started;
}

/** Who takes part in a scenario: those it names, or everybody. */
function entriesOf({ who, entries }, only) {
  const named = entries ?? CONTENDERS.filter(({ name }) => who === null || who.includes(name));
  return named
    .map((entry) => ({ ...entry, kind: CONTENDERS.find(({ name }) => name === entry.name) }))
    .filter(({ kind }) => only === undefined || only.includes(kind.name));
}

function wantedKinds(scenarios, only) {
  return [...new Set(scenarios.flatMap((scenario) => entriesOf(scenario, only).map(({ kind }) => kind)))];
}

function report(result, tell) {
  let isValid = true;
  for (const [scenario, { rows }] of Object.entries(result.scenarios)) {
    for (const { title, problem, errors } of rows) {
      if (problem !== undefined) tell(`${scenario}: ${title}: not measured: ${problem}`);
      if (errors > 0) isValid = false;
    }
  }
  if (!isValid) throw new Error('A contender had errors; its row is not valid.');
}

function requireLinux() {
  if (process.platform !== 'linux' || findProgram('taskset') === null) {
    throw new Error('The benchmark reads /proc and pins processes with taskset: it needs Linux with util-linux.');
  }
  if (availableParallelism() < 2) {
    throw new Error('The benchmark needs two cores: one for the proxy under test, one for load and upstream.');
  }
}

function build(root, tell) {
  tell('Building Gatehouse');
  const nx = path.join(root, 'node_modules/nx/dist/bin/nx.js');
  const projects = 'app-control-plane,app-data-plane,app-function-runner,embedded-postgres';
  const { status, stdout, stderr } = spawnSync(process.execPath, [nx, 'run-many', '-t', 'build', '-p', projects], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NX_DAEMON: 'false', NX_NO_CLOUD: 'true', NX_TUI: 'false' },
  });
  if (status !== 0) throw new Error(`${stdout}${stderr}`);
}
