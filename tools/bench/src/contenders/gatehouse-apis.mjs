// The product as `npm start` runs it, with two APIs made by the AWS SDK. Its own node stays idle; the measured ones join as further nodes.
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import {
  APIGatewayClient,
  CreateApiKeyCommand,
  CreateDeploymentCommand,
  CreateResourceCommand,
  CreateRestApiCommand,
  CreateUsagePlanCommand,
  CreateUsagePlanKeyCommand,
  GetAccountCommand,
  PutIntegrationCommand,
  PutMethodCommand,
} from '@aws-sdk/client-api-gateway';
import pg from 'pg';
import { freePorts } from '../servers.mjs';

const START_DEADLINE_MS = 120_000;
const PORT_VARIABLES = [
  'GATEHOUSE_PORT',
  'GATEHOUSE_ADMIN_PORT',
  'GATEHOUSE_GRPC_PORT',
  'GATEHOUSE_NODE_ADMIN_PORT',
  'GATEHOUSE_RUNNER_PORT',
  'GATEHOUSE_POSTGRES_PORT',
  'GATEHOUSE_DEMO_PORT',
];
/** High enough that no request of the benchmark is ever refused, yet every request is counted. */
const LIMITS = { rateLimit: 1_000_000, burstLimit: 1_000_000, quotaPerDay: 2_000_000_000 };
const ROUTES = [
  ['item', 'GET'],
  ['echo', 'POST'],
  ['download', 'GET'],
  ['upload', 'POST'],
];

/**
 * Starts it on `core`. Returns what a further node needs (`environment`), how the APIs are called (`plain`, `keyed`: headers), and how the
 * management API is (`management`: settings of an AWS SDK client).
 */
export async function startProduct({ servers, folder, core, upstreamPort }) {
  const home = path.join(folder, 'gatehouse');
  mkdirSync(home);
  const ports = await freePorts(PORT_VARIABLES.length);
  const environment = Object.fromEntries(PORT_VARIABLES.map((name, index) => [name, String(ports[index])]));
  const launcher = servers.start(core, [process.execPath, path.join(import.meta.dirname, 'gatehouse-product.mjs')], {
    ...environment,
    GATEHOUSE_HOME: home,
    GATEHOUSE_DEMO: '0',
  });
  await started(launcher);

  const env = readFileSync(path.join(home, 'env'), 'utf8');
  const value = (name) => new RegExp(`^export ${name}=(.*)$`, 'm').exec(env)[1];
  const management = {
    endpoint: value('AWS_ENDPOINT_URL'),
    region: value('AWS_REGION'),
    credentials: { accessKeyId: value('AWS_ACCESS_KEY_ID'), secretAccessKey: value('AWS_SECRET_ACCESS_KEY') },
  };
  const client = new APIGatewayClient(management);
  const secrets = JSON.parse(readFileSync(path.join(home, 'secrets.json'), 'utf8'));
  await liftAccountThrottle(client, environment.GATEHOUSE_POSTGRES_PORT, secrets.postgresPassword);
  const upstreamUrl = `http://127.0.0.1:${upstreamPort}`;
  const plainApi = await createApi(client, 'plain', upstreamUrl, false);
  const keyedApi = await createApi(client, 'keyed', upstreamUrl, true);
  const key = await createKey(client, keyedApi);
  const host = (restApiId) => ({ Host: `${restApiId}.execute-api.localhost` });
  return {
    management,
    plain: host(plainApi),
    keyed: { ...host(keyedApi), 'x-api-key': key },
    environment: {
      GATEHOUSE_NODE_TOKEN: secrets.nodeToken,
      GATEHOUSE_CONTROL_ADDRESS: `127.0.0.1:${environment.GATEHOUSE_GRPC_PORT}`,
      GATEHOUSE_RUNNER_URL: `http://127.0.0.1:${environment.GATEHOUSE_RUNNER_PORT}`,
      GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: '1',
    },
  };
}

async function started(launcher) {
  const endMs = performance.now() + START_DEADLINE_MS;
  while (!launcher.output.includes('Ctrl-C stops everything.')) {
    if (launcher.child.exitCode !== null || performance.now() > endMs)
      throw new Error(`Gatehouse did not start:\n${launcher.output}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/**
 * An account may ask for 10,000 requests per second, which the faster forms reach. As on AWS no operation changes that, so its row is changed;
 * the bucket is still taken from at every request. Before the first deployment: a stage is compiled with it.
 */
async function liftAccountThrottle(client, port, password) {
  await client.send(new GetAccountCommand({})); // makes the row
  const database = new pg.Client({ host: '127.0.0.1', port: Number(port), user: 'gatehouse', password, database: 'gatehouse' });
  await database.connect();
  try {
    const throttle = JSON.stringify({ ratePerSecond: LIMITS.rateLimit, burst: LIMITS.burstLimit });
    const { rowCount } = await database.query(
      `UPDATE account_settings SET document = jsonb_set(document::jsonb, '{throttle}', $1::jsonb)::json`,
      [throttle],
    );
    if (rowCount !== 1) throw new Error(`Expected the settings of one account, found ${rowCount}`);
  } finally {
    await database.end();
  }
}

async function createApi(client, name, upstreamUrl, apiKeyRequired) {
  const { id: restApiId, rootResourceId: parentId } = await client.send(
    new CreateRestApiCommand({ name, endpointConfiguration: { types: ['REGIONAL'] } }),
  );
  for (const [pathPart, httpMethod] of ROUTES) {
    const { id: resourceId } = await client.send(new CreateResourceCommand({ restApiId, parentId, pathPart }));
    const method = { restApiId, resourceId, httpMethod };
    await client.send(new PutMethodCommand({ ...method, authorizationType: 'NONE', apiKeyRequired }));
    const uri = `${upstreamUrl}/${pathPart}`;
    await client.send(new PutIntegrationCommand({ ...method, type: 'HTTP_PROXY', integrationHttpMethod: httpMethod, uri }));
  }
  await client.send(new CreateDeploymentCommand({ restApiId, stageName: 'bench' }));
  return restApiId;
}

/** A key with a usage plan for the API's stage `bench`; returns its value. */
export async function createKey(client, apiId, stages = ['bench']) {
  const { rateLimit, burstLimit, quotaPerDay } = LIMITS;
  const { id: keyId, value } = await client.send(new CreateApiKeyCommand({ name: 'bench', enabled: true }));
  const { id: usagePlanId } = await client.send(
    new CreateUsagePlanCommand({
      name: 'bench',
      apiStages: stages.map((stage) => ({ apiId, stage })),
      throttle: { rateLimit, burstLimit },
      quota: { limit: quotaPerDay, period: 'DAY' },
    }),
  );
  await client.send(new CreateUsagePlanKeyCommand({ usagePlanId, keyId, keyType: 'API_KEY' }));
  return value;
}
