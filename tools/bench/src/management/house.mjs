// One control plane and its PostgreSQL as processes of their own, with tenants who call it.
//
// Core 0 has the control plane alone; core 1 PostgreSQL and the callers.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';
import { startPostgres } from '../postgres.mjs';
import { answers, freePorts } from '../servers.mjs';

export const PLANE_CORE = 0;
export const CALLING_CORE = 1;
const READY_DEADLINE_MS = 60_000;

const hex = () => randomBytes(32).toString('hex');

/**
 * Starts it below `folder`; what ends it goes to `closing` as soon as it runs. Returns the endpoint, the tenants with their credentials, the
 * database, and the process ids of both servers.
 */
export async function startHouse({ root, servers, folder, tenantCount, closing }) {
  const [postgresPort, adminPort, grpcPort] = await freePorts(3);
  const postgres = await startPostgres({ folder, port: postgresPort, core: CALLING_CORE, closing });

  const operatorToken = hex();
  const environment = {
    GATEHOUSE_NODE_TOKEN: hex(),
    GATEHOUSE_MASTER_KEY: hex(),
    GATEHOUSE_OPERATOR_TOKEN: operatorToken,
    DATABASE_URL: postgres.url,
    GATEHOUSE_ADMIN_PORT: String(adminPort),
    GATEHOUSE_GRPC_PORT: String(grpcPort),
  };
  const program = (file, ...args) => [process.execPath, path.join(root, 'apps/control-plane/dist', file), ...args];
  const run = async (...command) => {
    const [node, ...args] = program(...command);
    return (await promisify(execFile)(node, args, { env: { PATH: process.env.PATH, ...environment } })).stdout;
  };
  const first = { accessKeyId: 'AKIABENCHMANAGEMENT', secretAccessKey: hex() };
  Object.assign(environment, {
    GATEHOUSE_FIRST_ACCOUNT_ID: '123456789012',
    GATEHOUSE_FIRST_ACCESS_KEY_ID: first.accessKeyId,
    GATEHOUSE_FIRST_SECRET_ACCESS_KEY: first.secretAccessKey,
  });
  await run('prepare.js');
  const tenants = [{ id: '123456789012', credentials: first }];
  while (tenants.length < tenantCount) {
    const { accountId: id, ...credentials } = JSON.parse(await run('create-tenant.js', `tenant-${tenants.length}`));
    tenants.push({ id, credentials });
  }
  const plane = servers.start(PLANE_CORE, program('main.js'), environment);
  const endpoint = `http://127.0.0.1:${adminPort}`;
  // Without nodes a control plane is not ready, and need not be.
  await answers({ url: `${endpoint}/healthz` }, plane, READY_DEADLINE_MS);
  return { endpoint, operatorToken, tenants, database: postgres.database, planePid: plane.child.pid, postgresPid: postgres.pid };
}
