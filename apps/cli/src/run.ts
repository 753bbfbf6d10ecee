/** The command line. Exit code 0: done, and equal; 1: there is a difference; 2: it could not be found out. */
import { realpath } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ConfigError, readConfig, secretSetting, stringSetting, systemClock } from '@gatehouse/kernel';
import { explain, explainText } from './explain.js';
import { placement, placementText } from './placement.js';
import { quotas, quotasText, readQuotaChanges } from './quotas.js';
import { signedCall, type AdminCall } from './signed-call.js';
import { diff, diffText, history, historyText, rollback, rollbackText } from './stages.js';
import { usageText, verifyUsage, type UsagePage } from './verify-usage.js';

export interface Output {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

const endpoint = stringSetting('AWS_ENDPOINT_URL', 'the control plane', 'http://127.0.0.1:7080');

const OPERATOR_SETTINGS = {
  endpoint,
  operatorToken: secretSetting('GATEHOUSE_OPERATOR_TOKEN', 'the token of the control plane that opens what tenants may not do'),
};

const SETTINGS = {
  endpoint,
  region: stringSetting('AWS_REGION', 'region that requests are signed for', 'us-east-1'),
  accessKeyId: stringSetting('AWS_ACCESS_KEY_ID', 'access key of the tenant'),
  secretAccessKey: secretSetting('AWS_SECRET_ACCESS_KEY', 'its secret'),
  sessionToken: stringSetting('AWS_SESSION_TOKEN', 'of temporary credentials', ''),
};

export const HELP = `npm run admin -- verify-usage --from YYYY-MM-DD --to YYYY-MM-DD --access-log <file...> [--tenant id] [--json]
npm run admin -- diff --api id --from side [--to side] [--json]
npm run admin -- history --api id --stage name [--json]
npm run admin -- rollback --api id --stage name [--deployment id] [--json]
npm run admin -- explain <request id> [--json]
npm run admin -- placement --tenant id [--pool name | --clear] [--json]
npm run admin -- quotas --tenant id [--set name=number ... | --clear] [--json]

verify-usage: holds the usage sums of the control plane against the access logs of the nodes, for every plan, key and UTC day.

  --from, --to     first and last day, both included
  --access-log     logs of all nodes that served in the period, plain or gzip, rotated ones too; may be repeated
  --tenant         fails unless the credentials are this tenant's
  --json           the report as JSON, with every difference
  --help           this text

Which tenant: the one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Which control plane: AWS_ENDPOINT_URL
(${SETTINGS.endpoint.fallback}). "npm start" writes all of them to .gatehouse/env.

Nodes report within seconds: let them, before the current day is compared.

diff: says what differs between two of draft (what is saved), stage:name, and the id of a deployment.

  --api            id of the API
  --from, --to     the two sides; to: draft, unless another is given

history: says which deployments a stage had, newest first.
rollback: gives a stage another deployment, and ends its canary.

  --api, --stage   the stage
  --deployment     that it gets; the one before the present, unless another is given

explain: says what became of a request of the last hours: route, what each step decided, backend, fault.

diff, history, rollback and explain take the credentials of the API's tenant, as verify-usage does.

placement: says which pool's nodes serve a tenant, and changes it.

  --tenant         account id of the tenant
  --pool           all its APIs go there, but those whose own tag gatehouse:pool says otherwise
  --clear          back to the default pool

quotas: says how much of everything a tenant may have, and changes it.

  --tenant         account id of the tenant
  --set            a quota and its number, or "default" for AWS's; may be repeated
  --clear          all as on AWS

Placement and quotas take GATEHOUSE_OPERATOR_TOKEN, which no tenant has.
Exit code 0: done, and equal. 1: verify-usage or diff found a difference. 2: it could not be found out, or was refused.
`;

const OPTIONS = {
  from: { type: 'string' },
  to: { type: 'string' },
  'access-log': { type: 'string', multiple: true },
  api: { type: 'string' },
  stage: { type: 'string' },
  deployment: { type: 'string' },
  tenant: { type: 'string' },
  pool: { type: 'string' },
  clear: { type: 'boolean', default: false },
  set: { type: 'string', multiple: true },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false, short: 'h' },
} as const;

export async function run(args: readonly string[], environment: NodeJS.ProcessEnv, output: Output): Promise<number> {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    if (values.help) {
      output.stdout.write(HELP);
      return 0;
    }
    const [command, ...moreFiles] = positionals; // a shell puts the second file of --access-log logs/* there
    if (command === 'placement') return await runPlacement(values, environment, output);
    if (command === 'quotas') return await runQuotas(values, environment, output);
    if (command === 'explain') return await runExplain(moreFiles, values, environment, output);
    if (command === 'diff') return await runDiff(values, environment, output);
    if (command === 'history' || command === 'rollback') return await runOnStage(command, values, environment, output);
    const files = [...(values['access-log'] ?? []), ...moreFiles];
    const problems = [
      ...(command === 'verify-usage'
        ? []
        : [
            `Which command? There are verify-usage, diff, history, rollback, explain, placement and quotas; got "${command ?? ''}"`,
          ]),
      ...periodProblems(values.from, values.to),
      ...(files.length > 0 ? [] : ['--access-log: expected at least one file']),
    ];
    if (problems.length > 0) throw new Error(`${problems.join('\n')}\n\n${HELP}`);
    const signed = asTenant(environment);
    const ask = (query: Readonly<Record<string, string>>) => signed({ path: '/admin/v1/usage', query }) as Promise<UsagePage>;
    const period = { from: values.from!, to: values.to! };
    const report = await verifyUsage(period, await eachOnce(files), ask, values.tenant);
    output.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : usageText(report));
    return report.isEqual ? 0 : 1;
  } catch (cause) {
    output.stderr.write(`${cause instanceof ConfigError ? cause.message : (cause as Error).message.trimEnd()}\n`);
    return 2;
  }
}

/** Asks as the tenant whose credentials the environment has. */
function asTenant(environment: NodeJS.ProcessEnv): (call: AdminCall) => Promise<unknown> {
  const access = readConfig(SETTINGS, environment);
  return (call) => signedCall(access, call, systemClock);
}

async function runDiff(
  { api, from, to = 'draft', json }: { api?: string; from?: string; to?: string; json: boolean },
  environment: NodeJS.ProcessEnv,
  output: Output,
): Promise<number> {
  const problems = [
    ...(api === undefined ? ['--api: expected the id of an API'] : []),
    ...(from === undefined ? ['--from: expected draft, stage:name or the id of a deployment'] : []),
  ];
  if (problems.length > 0) throw new Error(`${problems.join('\n')}\n\n${HELP}`);
  const answer = await diff(asTenant(environment), api!, from!, to);
  output.stdout.write(json ? `${JSON.stringify(answer, null, 2)}\n` : diffText(answer));
  return answer.count === 0 ? 0 : 1;
}

async function runOnStage(
  command: 'history' | 'rollback',
  { api, stage, deployment, json }: { api?: string; stage?: string; deployment?: string; json: boolean },
  environment: NodeJS.ProcessEnv,
  output: Output,
): Promise<number> {
  const problems = [
    ...(api === undefined ? ['--api: expected the id of an API'] : []),
    ...(stage === undefined ? ['--stage: expected the name of a stage'] : []),
  ];
  if (problems.length > 0) throw new Error(`${problems.join('\n')}\n\n${HELP}`);
  const ask = asTenant(environment);
  if (command === 'history') {
    const answer = await history(ask, api!, stage!);
    output.stdout.write(json ? `${JSON.stringify(answer, null, 2)}\n` : historyText(answer));
  } else {
    const answer = await rollback(ask, api!, stage!, deployment);
    output.stdout.write(json ? `${JSON.stringify(answer, null, 2)}\n` : rollbackText(answer));
  }
  return 0;
}

async function runExplain(
  ids: readonly string[],
  { json }: { json: boolean },
  environment: NodeJS.ProcessEnv,
  output: Output,
): Promise<number> {
  const [requestId] = ids;
  if (requestId === undefined || ids.length > 1) throw new Error(`explain: expected one request id\n\n${HELP}`);
  const answer = await explain(asTenant(environment), requestId);
  output.stdout.write(json ? `${JSON.stringify(answer, null, 2)}\n` : explainText(answer));
  return 0;
}

async function runPlacement(
  { tenant, pool, clear, json }: { tenant?: string; pool?: string; clear: boolean; json: boolean },
  environment: NodeJS.ProcessEnv,
  output: Output,
): Promise<number> {
  const problems = [
    ...(tenant === undefined ? ['--tenant: expected the account id of a tenant'] : []),
    ...(pool !== undefined && clear ? ['--pool and --clear: expected one of them'] : []),
  ];
  if (problems.length > 0) throw new Error(`${problems.join('\n')}\n\n${HELP}`);
  const answer = await placement(readConfig(OPERATOR_SETTINGS, environment), tenant!, clear ? null : pool);
  output.stdout.write(json ? `${JSON.stringify(answer, null, 2)}\n` : placementText(answer));
  return 0;
}

async function runQuotas(
  { tenant, set = [], clear, json }: { tenant?: string; set?: string[]; clear: boolean; json: boolean },
  environment: NodeJS.ProcessEnv,
  output: Output,
): Promise<number> {
  const changes = readQuotaChanges(set);
  const problems = [
    ...(tenant === undefined ? ['--tenant: expected the account id of a tenant'] : []),
    ...(typeof changes === 'string' ? [changes] : []),
    ...(set.length > 0 && clear ? ['--set and --clear: expected one of them'] : []),
  ];
  if (problems.length > 0 || typeof changes === 'string') throw new Error(`${problems.join('\n')}\n\n${HELP}`);
  const answer = await quotas(readConfig(OPERATOR_SETTINGS, environment), tenant!, clear ? null : changes);
  output.stdout.write(json ? `${JSON.stringify(answer, null, 2)}\n` : quotasText(answer));
  return 0;
}

function periodProblems(from: string | undefined, to: string | undefined): string[] {
  const problems = [
    ...(isDay(from) ? [] : [`--from: expected a day like 2026-01-31, got "${from ?? ''}"`]),
    ...(isDay(to) ? [] : [`--to: expected a day like 2026-01-31, got "${to ?? ''}"`]),
  ];
  if (problems.length === 0 && from! > to!) problems.push('--to: expected a day that is not before --from');
  return problems;
}

function isDay(text: string | undefined): boolean {
  if (text === undefined || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

/** A file that is given twice would count twice. */
async function eachOnce(files: readonly string[]): Promise<string[]> {
  return [...new Set(await Promise.all(files.map((file) => realpath(file))))];
}
