// `npm run bench -- management`: what an operation of the management API takes where a thousand tenants have a thousand APIs each.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { APIGatewayClient } from '@aws-sdk/client-api-gateway';
import { replaceBetween } from './document.mjs';
import { generate } from './load.mjs';
import { machine, revision } from './machine.mjs';
import { createTemplate, fill } from './management/data.mjs';
import { CALLING_CORE, startHouse } from './management/house.mjs';
import { OPERATIONS } from './management/operations.mjs';
import { pin, serverCpuUs } from './proc.mjs';
import { Servers } from './servers.mjs';

const FULL = { tenants: 1_000, apis: 1_000, seconds: 5 };
const QUICK = { tenants: 50, apis: 100, seconds: 2 };
/** Tenants that call; Terraform makes ten calls at a time. */
const CALLING_TENANTS = 8;
const CALLERS = 10;
/** API Gateway's own limit for all calls of an account together (guide, "Quotas"). */
const AWS_PER_SECOND = 10;
/** Of the callers (generators/management.mjs). */
const UNCOUNTED_SECONDS = 1;

const OPTIONS = {
  quick: { type: 'boolean', default: false, help: `a look: ${QUICK.tenants} tenants with ${QUICK.apis} APIs; writes nothing` },
  'no-write': { type: 'boolean', default: false, help: 'leave bench/results and docs/performance.md as they are' },
  json: { type: 'boolean', default: false, help: 'print the result as JSON instead of the table' },
  help: { type: 'boolean', default: false, short: 'h', help: 'this text' },
};

export const managementHelp = () => `npm run bench -- management [options]

What an operation of the management API takes where ${FULL.tenants.toLocaleString('en')} tenants have ${FULL.apis.toLocaleString('en')} APIs each: \
operations per second, latency, and CPU time.
One control plane on one core; PostgreSQL and ${CALLERS} callers with the AWS SDK on another. About six minutes, most of them to fill the
database; needs 5 GB of disk, Linux, two cores and taskset. Measures what is built in dist.

Options:
${Object.entries(OPTIONS)
  .map(([name, { help }]) => `  --${name.padEnd(10)} ${help}`)
  .join('\n')}
`;

export async function benchManagement(root, args) {
  const options = parseArgs({ args, options: OPTIONS }).values;
  if (options.help) return process.stdout.write(managementHelp());
  const startedMs = performance.now();
  const tell = (text) => process.stderr.write(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s  ${text}\n`);
  const settings = options.quick ? QUICK : FULL;
  pin(process.pid, CALLING_CORE);
  const servers = new Servers();
  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-management-'));
  const closing = [];
  const cleanUp = async () => {
    await servers.stop();
    for (const end of closing.splice(0).reverse()) await end();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void cleanUp().then(() => process.exit(1)));
  try {
    tell('starting PostgreSQL and a control plane');
    const house = await startHouse({ root, servers, folder, tenantCount: CALLING_TENANTS, closing });
    const rows = await measureHouse(house, settings, tell);
    const result = {
      benchmark: 'management',
      at: new Date().toISOString(),
      settings: { ...settings, callers: CALLERS },
      rows,
      revision: revision(root),
      machine: machine(),
    };
    process.stdout.write(options.json ? `${JSON.stringify(result, null, 2)}\n` : `\n${managementText(result)}\n`);
    for (const problem of problemsOf(result)) tell(problem);
    if (!options.quick && !options['no-write']) write(root, result);
  } finally {
    await cleanUp();
  }
}

async function measureHouse(house, { tenants: tenantCount, apis, seconds }, tell) {
  const { endpoint, tenants, database, planePid, postgresPid } = house;
  const [first] = tenants;
  const template = await createTemplate(
    new APIGatewayClient({ endpoint, region: 'us-east-1', credentials: first.credentials, maxAttempts: 1 }),
  );
  tell(`filling the database`);
  for (const { id } of tenants) await raiseQuota(house, id, { restApis: 2 * apis, stages: 100 });
  await fill(database, { callers: tenants.map(({ id }) => id), tenantCount, apisPerTenant: apis, template }, tell);
  tell('calling');
  const rows = [];
  for (const { name, isWrite = false } of OPERATIONS) {
    const before = [planePid, postgresPid].map(serverCpuUs);
    const settings = { operation: name, endpoint, tenants, callers: CALLERS, template, apisPerTenant: apis };
    const { requests, durationUs, ...report } = await generate('management.mjs', settings, seconds);
    const [planeUs, postgresUs] = [planePid, postgresPid].map((pid, index) => serverCpuUs(pid) - before[index]);
    const perSecond = (requests * 1e6) / durationUs;
    // CPU time counts from the first call on, requests a second later.
    const allRequests = perSecond * (durationUs / 1e6 + UNCOUNTED_SECONDS);
    rows.push({
      name,
      isWrite,
      perSecond,
      planeCpuMs: planeUs / 1000 / allRequests,
      postgresCpuMs: postgresUs / 1000 / allRequests,
      ...report,
    });
    tell(`${name}: ${Math.round(rows.at(-1).perSecond)}/s`);
  }
  return rows;
}

async function raiseQuota({ endpoint, operatorToken }, tenant, quotas) {
  const response = await fetch(`${endpoint}/admin/v1/tenants/${tenant}/quotas`, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${operatorToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(quotas),
  });
  if (!response.ok) throw new Error(`The quota was not raised: ${response.status} ${await response.text()}`);
}

/** What makes a row worthless, or shows less than AWS allows. */
export function problemsOf({ rows }) {
  return rows.flatMap(({ name, errors, problems, perSecond }) => [
    ...(errors > 0 ? [`${name}: ${errors} calls failed (${problems.join('; ')})`] : []),
    ...(perSecond < AWS_PER_SECOND ? [`${name}: ${perSecond.toFixed(1)} a second; AWS allows ${AWS_PER_SECOND}`] : []),
  ]);
}

export function managementText({ rows, settings, at, revision: { commit, isDirty }, machine: on }) {
  const table = [
    '| operation | calls/s | p50 ms | p99 ms | control plane, CPU ms each | PostgreSQL, CPU ms each |',
    '|---|---:|---:|---:|---:|---:|',
    ...rows.map(({ name, perSecond, p50Us, p99Us, planeCpuMs, postgresCpuMs, errors }) => {
      const cells = [Math.round(perSecond), ms(p50Us / 1000), ms(p99Us / 1000), ms(planeCpuMs), ms(postgresCpuMs)];
      return `| ${[errors > 0 ? `${name} (${errors} failed)` : name, ...cells].join(' | ')} |`;
    }),
  ];
  const code = commit === null ? 'a checkout without git' : `commit ${commit}${isDirty ? ' with changes' : ''}`;
  const size = `${settings.tenants.toLocaleString('en')} tenants with ${settings.apis.toLocaleString('en')} APIs each, ${settings.callers} callers`;
  return `${table.join('\n')}\n\n_${at.slice(0, 10)}, ${code}: ${size}; ${on.cores} cores of ${on.cpu} (${on.arch}), ${on.kernel}, Node ${on.node}._`;
}

const ms = (value) => value.toFixed(value < 10 ? 2 : 0);

function write(root, result) {
  const file = path.join(root, 'bench/results/management.json');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  spawnSync(path.join(root, 'node_modules/.bin/oxfmt'), [file]);
  const page = path.join(root, 'docs/performance.md');
  writeFileSync(page, replaceBetween(readFileSync(page, 'utf8'), 'management', managementText(result)));
}
