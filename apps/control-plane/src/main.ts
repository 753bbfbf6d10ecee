import 'reflect-metadata';
import { HttpFunctionInvoker } from '@gatehouse/control-functions';
import { createReportSink, QuotaGrants, startMaintenance } from '@gatehouse/control-metering';
import { createNodeAdmin, NodeLinkServer } from '@gatehouse/control-nodes';
import { Authenticator, AwsEndpoint } from '@gatehouse/control-wire';
import { randomIds, systemClock } from '@gatehouse/kernel';
import { createStore } from '@gatehouse/store';
import { pino } from 'pino';
import { readControlPlaneConfig } from './config.js';
import { createHttpServer } from './http-server.js';
import { operationTables } from './operation-tables.js';
import { createReadiness } from './readiness.js';

const clock = systemClock;
const log = pino({ base: { app: 'control-plane' } });
const config = readControlPlaneConfig(process.env);
log.info({ ...config, databaseUrl: '[redacted]' }, 'starting');

const store = await createStore({ databaseUrl: config.databaseUrl, masterKey: config.masterKey });
const quotas = new QuotaGrants({ metering: store.metering, clock });
const nodes = new NodeLinkServer({
  manifest: store.manifest,
  nodes: store.nodes,
  token: config.nodeToken,
  quotas,
  applyReport: createReportSink({ metering: store.metering, quotas, log }),
  clock,
  log,
});
const nodeAdmin = createNodeAdmin({ tenants: store.tenants, nodes: store.nodes, server: nodes });
const authenticator = new Authenticator({ directory: store.directory, clock, regions: 'any' });
const endpoint = new AwsEndpoint({
  tables: operationTables({
    store: store.tenants,
    clock,
    ids: randomIds,
    waiter: nodes,
    invoker: new HttpFunctionInvoker({ url: config.runnerUrl, token: config.nodeToken }),
  }),
  authenticator,
  clock,
  onBug: ({ error, caller, ...where }) => log.error({ err: error, tenant: caller?.tenant, ...where }, 'operation failed'),
});
const http = await createHttpServer({
  authenticator,
  endpoint,
  nodeAdmin,
  store: store.tenants,
  readiness: createReadiness({ healthy: () => store.healthy(), manifest: store.manifest, nodes: nodeAdmin }),
  clock,
});
const maintenance = await startMaintenance({ databaseUrl: config.databaseUrl, store, clock, log });

await nodes.listen(config.bind, config.grpcPort);
await http.listen(config.adminPort, config.bind);
log.info({ adminPort: config.adminPort, grpcPort: config.grpcPort }, 'listening');

let stopping = false;
async function stop(reason: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  log.info({ reason }, 'stopping');
  await http.close();
  await nodes.close();
  await maintenance.close();
  await store.close();
  process.exit(0);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(signal));
// Started by the launcher: when that is gone, so are we.
process.on('disconnect', () => void stop('launcher is gone'));
