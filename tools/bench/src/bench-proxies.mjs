// `npm run bench -- proxy`: who spends how much CPU on one proxied request.
//
//   core 0            core 1
//   proxy under test  wrk (50 keep-alive connections), upstream, everything else of ours
//
// All contenders run the whole time and idle but one. In each round each is warmed up, then measured; the order rotates.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { caddy } from './contenders/caddy.mjs';
import { startGatehouse } from './contenders/gatehouse.mjs';
import { fastifyHttpProxy } from './contenders/fastify-http-proxy.mjs';
import { haproxy } from './contenders/haproxy.mjs';
import { httpProxy } from './contenders/http-proxy.mjs';
import { nginx } from './contenders/nginx.mjs';
import { nodeUndici } from './contenders/node-undici.mjs';
import { document, profileText } from './document.mjs';
import { CONNECTIONS, load } from './load.mjs';
import { machine, revision } from './machine.mjs';
import { measure } from './measure.mjs';
import { findProgram, providePrograms, versionOf } from './packages.mjs';
import { pin } from './proc.mjs';
import { profileNode } from './profile.mjs';
import { summarise, table } from './summary.mjs';
import { answers, freePorts, Servers } from './servers.mjs';
import { startUpstream } from './upstream.mjs';

const PROXY_CORE = 0;
const LOAD_CORE = 1;
/** The first round also pays for compilation: V8's optimised code and warm pools are what we compare. */
const FIRST_WARM_UP_S = 3;
const WARM_UP_S = 1;
const PROFILE_S = 5;
/** The result that the page shows; others are somebody's experiment. */
const PAGE_RESULT = 'proxy';

const NODE = `Node ${process.versions.node}`;
const OTHERS = [nginx, haproxy, caddy, nodeUndici, httpProxy, fastifyHttpProxy];
const OURS = [
  { name: 'gatehouse', title: 'Gatehouse, HTTP proxy route', target: 'plain' },
  { name: 'gatehouse-key', title: 'Gatehouse, with API key, throttle, quota', target: 'keyed' },
];

export async function benchProxies(root, options) {
  const tell = (text) => process.stderr.write(`${text}\n`);
  requireLinux();
  const wanted = chosen(options.only);
  const programs = providePrograms(tell);
  if (programs.wrk === null) throw new Error('wrk makes the load; without it nothing can be measured.');
  if (OURS.some(({ name }) => wanted(name))) build(root, tell);
  pin(process.pid, LOAD_CORE);

  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-bench-'));
  chmodSync(folder, 0o755); // nginx's worker is another user
  const servers = new Servers();
  const cleanUp = async () => {
    await servers.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void cleanUp().then(() => process.exit(1)));
  try {
    const result = await compare({ root, options, tell, wanted, programs, folder, servers });
    const text = table(result);
    const shown = result.profile === undefined ? text : `${text}\n\n${profileText(result.profile)}`;
    if (options.writes) write(root, options, result, text);
    process.stdout.write(options.json ? `${JSON.stringify(result, null, 2)}\n` : `\n${shown}\n`);
    if (result.contenders.some(({ errors }) => errors > 0)) throw new Error('A contender had errors; its row is not valid.');
  } finally {
    await cleanUp();
  }
}

async function compare({ root, options, tell, wanted, programs, folder, servers }) {
  const { seconds, rounds } = options;
  const startedMs = performance.now();
  const measured = revision(root); // now: somebody may commit while this runs
  const [upstreamPort] = await freePorts(1);
  const upstream = startUpstream(servers, { programs, folder, core: LOAD_CORE, port: upstreamPort });
  const expected = await answers({ url: `http://127.0.0.1:${upstreamPort}/item` }, upstream.server);
  tell(`Upstream: ${upstream.kind}`);
  const contenders = await startContenders({ tell, wanted, programs, folder, servers, upstreamPort });
  for (const { title, target, server } of contenders) {
    const body = await answers(target, server);
    if (body !== expected) throw new Error(`${title} does not answer what the upstream does: ${body}`);
  }

  const samples = new Map(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of rotated(contenders, round)) {
      await load(programs.wrk, contender.target, round === 0 ? FIRST_WARM_UP_S : WARM_UP_S);
      const sample = await measure(programs.wrk, contender, { seconds, core: PROXY_CORE });
      samples.get(contender.name).push(sample);
      tell(
        `round ${round + 1}/${rounds}  ${contender.title.padEnd(42)} ${sample.cpuUsPerRequest.toFixed(1).padStart(6)} µs/request  ` +
          `${Math.round(sample.requestsPerSecond).toString().padStart(6)}/s` +
          (sample.foreignPercent > 3 ? `  (others used ${sample.foreignPercent.toFixed(0)} % of the core)` : ''),
      );
    }
  }
  const node = contenders.find(({ name }) => name === 'gatehouse');
  const profile =
    options.profile && node !== undefined
      ? await profileNode(node.pid, root, () => load(programs.wrk, node.target, PROFILE_S))
      : undefined;
  return {
    benchmark: 'proxy',
    at: new Date().toISOString(),
    revision: measured,
    machine: machine(),
    settings: {
      seconds,
      rounds,
      connections: CONNECTIONS,
      upstream: upstream.kind,
      tookSeconds: Math.round((performance.now() - startedMs) / 1000),
    },
    contenders: contenders.map(({ name, title, version }) => ({ name, title, version, ...summarise(samples, name) })),
    ...(profile === undefined ? {} : { profile }),
  };
}

async function startContenders({ tell, wanted, programs, folder, servers, upstreamPort }) {
  const contenders = [];
  for (const other of OTHERS) {
    if (!wanted(other.name) || (other.needs !== undefined && programs[other.needs] === null)) continue;
    const [port] = await freePorts(1);
    const server = other.start({ servers, programs, folder, core: PROXY_CORE, port, upstreamPort });
    const version = other.needs === undefined ? NODE : versionOf(programs[other.needs], other.versionFlag);
    const target = { url: `http://127.0.0.1:${port}/item` };
    contenders.push({ name: other.name, title: other.title, version, server, pid: server.child.pid, target });
  }
  const ours = OURS.filter(({ name }) => wanted(name));
  if (ours.length === 0) return contenders;
  tell('Starting Gatehouse');
  const gatehouse = await startGatehouse({ servers, folder, core: PROXY_CORE, loadCore: LOAD_CORE, upstreamPort });
  for (const { name, title, target } of ours) {
    const { server, pid } = gatehouse;
    contenders.push({ name, title, version: NODE, server, pid, target: gatehouse[target] });
  }
  return contenders;
}

function chosen(only) {
  const names = [...OTHERS, ...OURS].map(({ name }) => name);
  const unknown = (only ?? []).filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`--only: no contender "${unknown.join('", "')}"; there are ${names.join(', ')}`);
  return (name) => only === undefined || only.includes(name);
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

function rotated(list, by) {
  const cut = by % list.length;
  return [...list.slice(cut), ...list.slice(0, cut)];
}

function write(root, { name, only }, result, text) {
  const file = path.join(root, 'bench/results', `${name}.json`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  spawnSync(path.join(root, 'node_modules/.bin/oxfmt'), [file]);
  if (name === PAGE_RESULT && only === undefined) document(path.join(root, 'docs/performance.md'), result, text);
}
