// `npm run bench -- steps`: what each step of a request costs, as a ratio to the plain proxy in the same run.
//
//   core 0    core 1
//   one node  load generator, upstream, the product that the node joined
//
// All routes are served by one node, whose code has seen every kind of route; rows take turns within a round.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { APIGatewayClient } from '@aws-sdk/client-api-gateway';
import { makeCertificate } from './certificate.mjs';
import { startProduct } from './contenders/gatehouse-apis.mjs';
import { gatehouse } from './contenders/gatehouse.mjs';
import { profileText, replaceBetween } from './document.mjs';
import { load } from './load.mjs';
import { machine, revision } from './machine.mjs';
import { measure } from './measure.mjs';
import { providePrograms } from './packages.mjs';
import { pin } from './proc.mjs';
import { profileNode } from './profile.mjs';
import { inRounds } from './scenarios/rounds.mjs';
import { answers, freePorts, Servers } from './servers.mjs';
import { createStepsApis } from './steps/apis.mjs';
import { startIssuer } from './steps/issuer.mjs';
import { problemsOf, stepsText, templatesOf } from './steps/report.mjs';
import { FUNCTION_ROW, ROWS } from './steps/rows.mjs';
import { signedHeaders } from './steps/sign.mjs';
import { median, ratioOf } from './summary.mjs';
import { startUpstream } from './upstream.mjs';

const PROXY_CORE = 0;
const LOAD_CORE = 1;
/** The plain proxies that rows are compared to. */
const YARDSTICKS = ['plain', 'plain-post', 'plain-small-post'];
/** Of times: one caller, who waits for nobody else. */
const ONE_CALLER = { connections: 1 };
/** A new stage, or a function's first start. */
const READY_MS = 15_000;

const OPTIONS = {
  only: { type: 'string', help: 'comma-separated rows; the plain proxies are always measured' },
  seconds: { type: 'string', default: '3', help: 'measured seconds per row and round' },
  rounds: { type: 'string', default: '5', help: 'rounds; every row runs once in each, in rotated order' },
  quick: { type: 'boolean', default: false, help: 'a look: two rounds of one second, no templates; writes nothing' },
  profile: { type: 'string', help: 'profile the node during this row: hottest functions; nothing is measured' },
  'no-write': { type: 'boolean', default: false, help: 'leave bench/results and docs/performance.md as they are' },
  json: { type: 'boolean', default: false, help: 'print the result as JSON instead of the tables' },
  help: { type: 'boolean', default: false, short: 'h', help: 'this text' },
};

export const stepsHelp = () => `npm run bench -- steps [options]

What each step of a request costs: CPU time of one node per request, as a ratio to the plain proxy. About eight minutes; needs Linux, two cores,
taskset, wrk and openssl. Measures what is built in dist.

Options:
${Object.entries(OPTIONS)
  .map(([name, { help, default: value }]) => `  --${name.padEnd(10)} ${help}${typeof value === 'string' ? ` (${value})` : ''}`)
  .join('\n')}

Rows:
${ROWS.map(({ name, title }) => `  ${name.padEnd(20)} ${title}`).join('\n')}
`;

export async function benchSteps(root, args) {
  const options = readOptions(args);
  if (options.help) return void process.stdout.write(stepsHelp());
  const startedMs = performance.now();
  const tell = (text) => process.stderr.write(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s  ${text}\n`);
  const about = { benchmark: 'steps', at: new Date().toISOString(), revision: revision(root), machine: machine() };
  const programs = providePrograms(tell);
  if (programs.wrk === null || programs.openssl === null)
    throw new Error('wrk makes the load, openssl a certificate: both are needed.');
  pin(process.pid, LOAD_CORE);
  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-bench-'));
  chmodSync(folder, 0o755); // nginx's worker is another user
  const servers = new Servers();
  const closing = [];
  const cleanUp = async () => {
    for (const close of closing) close();
    await servers.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void cleanUp().then(() => process.exit(1)));
  try {
    const house = await startHouse({ servers, folder, programs, closing, tell });
    if (options.profile !== undefined) return void (await profileRow(house, { root, options, programs }));
    const rows = await measureRows(house, { options, tell, programs });
    const functionCall = await measureFunction(house, { options, tell, programs });
    const templates = options.quick ? [] : measureTemplates(root, tell);
    const { seconds, rounds } = options;
    const result = { ...about, settings: { seconds, rounds, upstream: house.upstreamKind }, rows, functionCall, templates };
    process.stdout.write(options.json ? `${JSON.stringify(result, null, 2)}\n` : `\n${stepsText(result)}\n`);
    for (const problem of problemsOf(result)) tell(problem);
    if (options.writes) write(root, result);
  } finally {
    await cleanUp();
  }
}

function readOptions(args) {
  const { values } = parseArgs({ args, options: OPTIONS });
  const { quick, only, help, json } = values;
  const names = ROWS.map(({ name }) => name);
  const unknown = [...(only?.split(',') ?? []), ...(values.profile === undefined ? [] : [values.profile])].filter(
    (name) => ![...names, FUNCTION_ROW.name].includes(name),
  );
  if (unknown.length > 0) throw new Error(`There is no "${unknown.join('", "')}"; there are ${names.join(', ')}`);
  const [seconds, rounds] = quick ? [1, 2] : [Number(values.seconds), Number(values.rounds)];
  for (const [name, value] of Object.entries({ seconds, rounds }))
    if (!Number.isInteger(value) || value < 1 || value > 100) throw new Error(`--${name}: expected a whole number from 1 to 100`);
  const warmUps = { firstWarmUpSeconds: quick ? 1 : 3, warmUpSeconds: 1 };
  return {
    help,
    json,
    quick,
    profile: values.profile,
    only: only?.split(','),
    seconds,
    rounds,
    ...warmUps,
    writes: !values['no-write'] && !quick && only === undefined,
  };
}

/** Upstream, issuer, product, its APIs, and the node that is measured. */
async function startHouse({ servers, folder, programs, closing, tell }) {
  const [upstreamPort] = await freePorts(1);
  const { kind: upstreamKind } = startUpstream(servers, { programs, folder, core: LOAD_CORE, port: upstreamPort });
  const certificate = makeCertificate(programs.openssl, folder);
  const issuer = await startIssuer(certificate);
  closing.push(issuer.close);
  tell('Starting Gatehouse');
  const product = await startProduct({ servers, folder, core: LOAD_CORE, upstreamPort });
  const apis = await createStepsApis({
    client: new APIGatewayClient(product.management),
    management: product.management,
    upstreamUrl: `http://127.0.0.1:${upstreamPort}`,
    issuerArn: (account) => `arn:aws:iam::${account}:oidc-provider/${issuer.authority}`,
  });
  const [port, tlsPort] = await freePorts(2);
  const own = path.join(folder, 'node');
  mkdirSync(own);
  const environment = { ...product.environment, NODE_EXTRA_CA_CERTS: certificate.crt };
  const context = { folder: own, core: PROXY_CORE, port, tlsPort, certificate, product: { ...product, environment } };
  const node = await gatehouse.start({ ...context, servers });
  return { node, port, issuer, upstreamKind, management: product.management, ...apis };
}

async function profileRow(house, { root, options, programs }) {
  const row = [...ROWS, FUNCTION_ROW].find(({ name }) => name === options.profile);
  const problem = await problemOf(house, row);
  if (problem !== null) throw new Error(`${row.title}: ${problem}`);
  const target = await targetOf(house, row);
  await load(programs.wrk, target, options.seconds);
  const profile = await profileNode(house.node.child.pid, root, () => load(programs.wrk, target, options.seconds));
  process.stdout.write(options.json ? `${JSON.stringify(profile, null, 2)}\n` : `${profileText(profile)}\n`);
}

/** Rows of a method and the plain proxy of that method take turns: their ratio is made within each round. */
async function measureRows(house, { options, tell, programs }) {
  const rows = [];
  for (const yardstick of YARDSTICKS) {
    const group = ROWS.filter(({ plain = YARDSTICKS[0], name }) => plain === yardstick && isWanted(name, options.only));
    const contenders = [];
    for (const row of group) contenders.push({ ...row, problem: await problemOf(house, row) });
    const work = async (row, seconds) => load(programs.wrk, await targetOf(house, row), seconds);
    const sample = (row) => measure(house.node.child.pid, [PROXY_CORE], () => work(row, options.seconds));
    const compared = { ratio: ratioOf('cpuUsPerRequest') };
    const measured = await inRounds({ contenders, options, tell }, { warmUp: work, sample, compared, yardstick });
    rows.push(
      ...measured.map((row, index) => ({ ...row, ...(row.name === yardstick && { ratio: null }), most: group[index].most })),
    );
  }
  return rows;
}

const isWanted = (name, only) => only === undefined || name.startsWith('plain') || only.includes(name);

/** A target of load.mjs. Signed anew for each window: a signature holds for five minutes. */
async function targetOf(
  { port, restApiId, policyApiId, management, ...context },
  { path: asked, api, stage = 'bench', isSigned, ...row },
) {
  const apiId = api === 'policyApiId' ? policyApiId : restApiId;
  const headers = { Host: `${apiId}.execute-api.localhost`, ...row.headers?.(context) };
  if (row.body !== undefined) headers['Content-Type'] = row.contentType;
  const url = `http://127.0.0.1:${port}/${stage}${asked}`;
  return {
    url,
    headers: isSigned ? await signedHeaders(url, headers, management) : headers,
    ...(row.body !== undefined && { body: row.body }),
  };
}

/** Why a row cannot be measured; `null` when it answers what it should. */
async function problemOf(house, row) {
  const madeBadly = row.stage === undefined ? null : house.stages[row.stage];
  if (madeBadly !== null) return madeBadly;
  try {
    const body = await answers(await targetOf(house, row), house.node, READY_MS);
    return isDeepStrictEqual(JSON.parse(body), row.expected) ? null : `answers something else: ${body.slice(0, 80)}`;
  } catch (error) {
    return error.message.split('\n')[0];
  }
}

/** Milliseconds at p50, by one caller: of the plain proxy, of a cache hit, and what a call adds that a function answers. */
async function measureFunction(house, { options, tell, programs }) {
  const problem = await problemOf(house, FUNCTION_ROW);
  if (problem !== null) return { problem };
  const [plain] = ROWS;
  const cached = ROWS.find(({ name }) => name === 'cached');
  const added = [];
  const plains = [];
  const hits = [];
  for (let round = 0; round < options.rounds; round++) {
    const p50Ms = async (row) => (await load(programs.wrk, await targetOf(house, row), options.seconds, ONE_CALLER)).p50Us / 1000;
    const [plainMs, functionMs, hitMs] = [await p50Ms(plain), await p50Ms(FUNCTION_ROW), await p50Ms(cached)];
    const times = `plain ${plainMs.toFixed(3)} ms, function ${functionMs.toFixed(3)} ms, cache hit ${hitMs.toFixed(3)} ms`;
    tell(`round ${round + 1}/${options.rounds}  one caller: ${times}`);
    plains.push(plainMs);
    added.push(functionMs - plainMs);
    hits.push(hitMs);
  }
  return { plainMs: median(plains), addedMs: median(added), hitMs: median(hits) };
}

/** The benchmark beside the engine of templates, which prints what it found. */
function measureTemplates(root, tell) {
  tell('templates beside velocityjs');
  const { status, stdout, stderr } = spawnSync('taskset', ['-c', String(PROXY_CORE), process.execPath, 'src/vtl/vtl.bench.ts'], {
    cwd: path.join(root, 'libs/foundation/lang'),
    encoding: 'utf8',
  });
  const templates = templatesOf(stdout);
  if (status !== 0 || templates.length === 0) throw new Error(`The templates were not measured: ${stdout}${stderr}`);
  return templates;
}

function write(root, result) {
  const file = path.join(root, 'bench/results/steps.json');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  spawnSync(path.join(root, 'node_modules/.bin/oxfmt'), [file]);
  const page = path.join(root, 'docs/performance.md');
  writeFileSync(page, replaceBetween(readFileSync(page, 'utf8'), 'steps', stepsText(result)));
}
