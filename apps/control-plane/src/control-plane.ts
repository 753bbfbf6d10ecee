import { HttpFunctionInvoker } from '@gatehouse/control-functions';
import { createReportSink, LeaseOffice, startMaintenance } from '@gatehouse/control-metering';
import { createNodeAdmin, FleetExplainer, NodeLinkServer, SealSigner, type NodeLinkCounts } from '@gatehouse/control-nodes';
import { refreshAccessKeys } from '@gatehouse/control-publish';
import { Sessions } from '@gatehouse/control-tenants';
import { Authenticator, AwsEndpoint } from '@gatehouse/control-wire';
import type { Store } from '@gatehouse/domain';
import { randomIds, type Clock } from '@gatehouse/kernel';
import { MetricsRegistry } from '@gatehouse/telemetry';
import { openTelemetry, traceServer, type ServerSpan } from '@gatehouse/otel';
import { createStore, openRedis, RedisLeaseBook } from '@gatehouse/store';
import type { Logger } from 'pino';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { backgroundSpans } from './background-spans.js';
import type { Config } from './config.js';
import { createHttpServer } from './http-server.js';
import { operationTables } from './operation-tables.js';
import { createReadiness } from './readiness.js';

export interface ControlPlane {
  readonly store: Store;
  /** Ports it listens on; of use when the configuration says 0. */
  readonly adminPort: number;
  readonly grpcPort: number;
  /** Ends streams, jobs and connections; requests under way are answered first. */
  close(): Promise<void>;
}

/** Probes are nobody's trace. */
function spanOf({ method, url = '' }: IncomingMessage): ServerSpan | null {
  return /^\/(healthz|readyz)/.test(url) ? null : { name: `admin ${method}`, attributes: {} };
}

/** Binds every port to its adapter and listens. Rejects when the database cannot be reached or a port is taken. */
export async function startControlPlane(config: Config, { clock, log }: { clock: Clock; log: Logger }): Promise<ControlPlane> {
  const metrics = new MetricsRegistry();
  const telemetry = await openTelemetry({
    serviceName: 'gatehouse-control-plane',
    registry: metrics,
    environment: process.env,
  });
  const store = await createStore({ databaseUrl: config.databaseUrl, masterKey: config.masterKey });
  // Strict limits stay in PostgreSQL: a Redis that fails over may have forgotten what it confirmed (ADR 0006).
  const redisBook = config.redisUrl === '' ? null : new RedisLeaseBook(config.redisUrl, { onLost: () => leases.fastLost() });
  const leases = new LeaseOffice({
    fast: redisBook ?? store.leases,
    strict: store.leases,
    metering: store.metering,
    nodes: store.nodes,
    clock,
    log,
  });
  const signer = new SealSigner(config.masterKey);
  log.info(
    { snapshotKey: Buffer.from(signer.publicKey).toString('hex') },
    'nodes check snapshots of siblings with this (GATEHOUSE_SNAPSHOT_KEY)',
  );
  const spans = telemetry.tracing === null ? undefined : backgroundSpans(telemetry.tracing, signer.publicKey);
  const nodes = new NodeLinkServer({
    ...(spans && { onPush: spans.onPush }),
    manifest: store.manifest,
    nodes: store.nodes,
    token: config.nodeToken,
    leases,
    signer,
    applyReport: createReportSink({ metering: store.metering, log }),
    clock,
    log,
  });
  const explainer = new FleetExplainer({ own: nodes, channel: store.planes, log });
  watchNodeLink(metrics, nodes.counts);
  const nodeAdmin = createNodeAdmin({ tenants: store.tenants, nodes: store.nodes, server: nodes });
  const authenticator = new Authenticator({ directory: store.directory, clock, regions: 'any' });
  const invoker = new HttpFunctionInvoker({ url: config.runnerUrl, token: config.nodeToken });
  const endpoint = new AwsEndpoint({
    tables: operationTables({ store: store.tenants, clock, ids: randomIds, waiter: nodes, testInvoker: nodes, invoker }),
    authenticator,
    sessions: new Sessions(store.tenants, randomIds, clock),
    clock,
    onBug: ({ error, caller, ...where }) => log.error({ err: error, tenant: caller?.tenant, ...where }, 'operation failed'),
  });
  const readiness = createReadiness({ healthy: () => store.healthy(), manifest: store.manifest, nodes: nodeAdmin });
  const http = await createHttpServer({
    authenticator,
    endpoint,
    nodeAdmin,
    waiter: nodes,
    explainer,
    store: store.tenants,
    directory: store.directory,
    operatorToken: config.operatorToken,
    readiness,
    metrics,
    clock,
  });
  const queue =
    config.redisUrl === ''
      ? { databaseUrl: config.databaseUrl }
      : { redis: { connect: () => openRedis(config.redisUrl, { deadlineMs: null }), prefix: '{gatehouse}' } };
  const keepAccessKeys = (nowMs: number) => refreshAccessKeys(store, nowMs);
  const maintenance = await startMaintenance({
    ...queue,
    store,
    clock,
    log,
    refreshAccessKeys: keepAccessKeys,
    ...(spans && { onJob: spans.onJob }),
  });

  await explainer.start();
  const grpcPort = await nodes.listen(config.bind, config.grpcPort);
  if (telemetry.tracing !== null) traceServer(http.getHttpServer(), telemetry.tracing, spanOf);
  await http.listen(config.adminPort, config.bind);
  return {
    store,
    adminPort: (http.getHttpServer().address() as AddressInfo).port,
    grpcPort,
    close: async () => {
      await http.close();
      await invoker.close();
      await explainer.close();
      await nodes.close();
      await maintenance.close();
      leases.close();
      await redisBook?.close();
      await store.close();
      await telemetry.close();
    },
  };
}

function watchNodeLink(metrics: MetricsRegistry, counts: NodeLinkCounts): void {
  metrics.gauge(
    'gatehouse_control_manifest_mismatches',
    'How often the manifest of a node was not what it should be, since the start',
    () => counts.mismatches,
  );
  metrics.gauge(
    'gatehouse_control_manifest_repairs',
    'Parts of manifests sent because of that, since the start',
    () => counts.repairs,
  );
  metrics.gauge('gatehouse_control_full_manifests', 'Whole manifests sent, since the start', () => counts.fullManifests);
  metrics.gauge(
    'gatehouse_control_refused_nodes',
    'How often a node was turned away because of its version, since the start',
    () => counts.refusedNodes,
  );
}
