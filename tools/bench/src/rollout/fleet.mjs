// The fleet under test, as processes of their own: PostgreSQL, control planes, nodes, one backend.
//
// Core 0 has what serves requests (nodes, backend, load), core 1 what changes them (control planes, PostgreSQL, this process): in a real
// fleet they are on different machines, and what a change costs a request is what the node does because of it.
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { APIGatewayClient } from '@aws-sdk/client-api-gateway';
import { NODE_OPTIONS } from '../node-options.mjs';
import { cpuUs, processTree } from '../proc.mjs';
import { startPostgres } from '../postgres.mjs';
import { answers, freePorts } from '../servers.mjs';
import { Watched } from './watched.mjs';

export const SERVING_CORE = 0;
export const CHANGING_CORE = 1;
const READY_DEADLINE_MS = 60_000;
const REGION = 'us-east-1';

/**
 * Starts it below `folder`; what ends it goes to `ending`, `servers` and `closing` as soon as it runs.
 * Returns the nodes' ports, a client per control plane, the database, and the processes whose memory and CPU time are watched.
 */
export async function startFleet({ root, servers, folder, nodeCount, controlPlaneCount, ending, closing }) {
  const [postgresPort, upstreamPort] = await freePorts(2);
  const postgres = await startPostgres({ folder, port: postgresPort, core: CHANGING_CORE, closing });
  const watched = [];
  ending.push(() => watched.forEach((process) => process.close()));
  const fleet = { root, servers, folder, watched };
  const secrets = { GATEHOUSE_NODE_TOKEN: hex(), GATEHOUSE_MASTER_KEY: hex(), DATABASE_URL: postgres.url };
  const tenant = await prepare(fleet, secrets);
  servers.start(SERVING_CORE, [process.execPath, path.join(import.meta.dirname, 'upstream.mjs'), String(upstreamPort)]);
  const planes = [];
  for (let index = 0; index < controlPlaneCount; index++) planes.push(await startControlPlane(fleet, index, secrets));
  const nodePorts = [];
  for (let index = 0; index < nodeCount; index++) nodePorts.push(await startNode(fleet, index, secrets, planes));
  const clients = planes.map(({ adminPort }) => clientOf(adminPort, tenant));
  const counted = [...watched, { name: 'PostgreSQL', cpuUs: () => cpuUs(processTree(postgres.pid)) }];
  return { nodePorts, clients, database: postgres.database, upstreamUrl: `http://127.0.0.1:${upstreamPort}`, watched, counted };
}

const hex = () => randomBytes(32).toString('hex');

async function prepare({ root, servers }, secrets) {
  const tenant = { accessKeyId: 'AKIABENCHROLLOUT', secretAccessKey: hex() };
  const server = servers.start(CHANGING_CORE, [process.execPath, path.join(root, 'apps/control-plane/dist/prepare.js')], {
    ...secrets,
    GATEHOUSE_FIRST_ACCOUNT_ID: '123456789012',
    GATEHOUSE_FIRST_ACCESS_KEY_ID: tenant.accessKeyId,
    GATEHOUSE_FIRST_SECRET_ACCESS_KEY: tenant.secretAccessKey,
  });
  const code = await new Promise((resolve) => server.child.once('exit', resolve));
  if (code !== 0) throw new Error(`The database could not be prepared:\n${server.output}`);
  return tenant;
}

async function startControlPlane(fleet, index, secrets) {
  const [adminPort, grpcPort] = await freePorts(2);
  const server = await startWatched(fleet, `control plane ${index + 1}`, CHANGING_CORE, 'apps/control-plane/dist/main.js', {
    ...secrets,
    GATEHOUSE_ADMIN_PORT: String(adminPort),
    GATEHOUSE_GRPC_PORT: String(grpcPort),
  });
  // Without nodes a control plane is not ready, and need not be.
  await answers({ url: `http://127.0.0.1:${adminPort}/healthz` }, server, READY_DEADLINE_MS);
  return { adminPort, grpcPort };
}

async function startNode(fleet, index, secrets, planes) {
  const [port, adminPort] = await freePorts(2);
  // Nodes spread over the control planes: each has another one in the first place.
  const addresses = planes.map((_, at) => `127.0.0.1:${planes[(at + index) % planes.length].grpcPort}`);
  const dataDir = path.join(fleet.folder, `node-${index + 1}`);
  mkdirSync(dataDir);
  const environment = {
    GATEHOUSE_NODE_TOKEN: secrets.GATEHOUSE_NODE_TOKEN,
    GATEHOUSE_CONTROL_ADDRESS: addresses.join(','),
    GATEHOUSE_PORT: String(port),
    GATEHOUSE_NODE_ADMIN_PORT: String(adminPort),
    GATEHOUSE_DATA_DIR: dataDir,
    GATEHOUSE_ACCESS_LOG: path.join(dataDir, 'access.log'),
    GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: '1',
  };
  const name = `node ${index + 1}`;
  const options = ['--import', path.join(import.meta.dirname, 'turns-in-node.mjs')];
  const server = await startWatched(fleet, name, SERVING_CORE, 'apps/data-plane/dist/main.js', environment, options);
  await answers({ url: `http://127.0.0.1:${adminPort}/readyz` }, server, READY_DEADLINE_MS);
  return port;
}

async function startWatched({ root, servers, watched }, name, core, main, environment, ownOptions = []) {
  const [inspectPort] = await freePorts(1);
  const options = [...NODE_OPTIONS, ...ownOptions, `--inspect-port=127.0.0.1:${inspectPort}`];
  const server = servers.start(core, [process.execPath, ...options, path.join(root, main)], environment);
  watched.push(new Watched({ name, pid: server.child.pid, inspectPort, program: `/${main}`, server }));
  return server;
}

/** One attempt: a call that fails is a failure of the fleet and not something to try again. */
function clientOf(adminPort, credentials) {
  return new APIGatewayClient({
    endpoint: `http://127.0.0.1:${adminPort}`,
    region: REGION,
    credentials,
    maxAttempts: 1,
  });
}
