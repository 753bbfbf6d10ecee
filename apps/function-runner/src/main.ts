import { ControlLink } from '@gatehouse/engine-control-link';
import { ConfigError, systemClock } from '@gatehouse/kernel';
import { openTelemetry, traceServer, type ServerSpan } from '@gatehouse/otel';
import { MetricsRegistry } from '@gatehouse/telemetry';
import { pino } from 'pino';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import path from 'node:path';
import { ManifestCatalog } from './catalog.js';
import { readRunnerConfig, type Config } from './config.js';
import { openRunner } from './runner.js';

const SOFTWARE_VERSION = '0.1.0';
/** Below the launcher's own patience. */
const DRAIN_MS = 10_000;

const INVOCATION = /^\/2015-03-31\/functions\/([^/]{1,400})\/invocations/;

function spanOf({ url }: IncomingMessage): ServerSpan | null {
  const name = INVOCATION.exec(url ?? '')?.[1];
  return name === undefined ? null : { name: 'invoke', attributes: { 'faas.invoked_name': name.replaceAll('%3A', ':') } };
}

async function run(config: Config): Promise<void> {
  // Packages are read under other user ids; whatever is nobody's business is made with a mode of its own.
  process.umask(0o022);
  const log = pino({ base: { app: 'function-runner' } });
  const catalog = new ManifestCatalog();
  const telemetry = await openTelemetry({
    serviceName: 'gatehouse-function-runner',
    registry: new MetricsRegistry(),
    environment: process.env,
  });
  const link = await ControlLink.open({
    address: config.controlAddress,
    token: config.nodeToken,
    role: 'FUNCTION_RUNNER',
    labels: config.labels,
    dataDir: path.join(config.dataDir, 'link'),
    snapshotFormats: [],
    softwareVersion: SOFTWARE_VERSION,
    adminUrl: `http://${config.bind}:${config.port}`,
    apply: (change, getBlob) => catalog.apply(change, getBlob),
    clock: systemClock,
    log,
  });
  const runner = await openRunner({
    catalog,
    dataDir: config.dataDir,
    userIdBase: config.userIdBase,
    nodeToken: config.nodeToken,
    region: config.region,
    limits: {
      perFunction: config.functionConcurrency,
      total: config.totalConcurrency,
      idleMs: config.idleSeconds * 1_000,
      queueMs: config.queueMs,
    },
    clock: systemClock,
    log,
    isReady: () => link.status.complete,
  });
  if (telemetry.tracing !== null) traceServer(runner.server, telemetry.tracing, spanOf);
  runner.server.listen(config.port, config.bind);
  await once(runner.server, 'listening');
  link.connect();
  log.info({ bind: config.bind, port: config.port }, 'function runner listens');

  let stopping: Promise<void> | null = null;
  const stop = (reason: string): void => {
    stopping ??= (async () => {
      log.info({ reason }, 'function runner stops');
      await runner.close(DRAIN_MS);
      await link.close();
      await telemetry.close();
      process.exit(0);
    })();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal));
  // The launcher's channel: it ends with the launcher, however that ends.
  process.on('disconnect', () => stop('launcher is gone'));
}

try {
  await run(readRunnerConfig(process.env));
} catch (cause) {
  const code = (cause as NodeJS.ErrnoException).code;
  if (cause instanceof ConfigError) console.error(cause.message);
  else if (code === 'EADDRINUSE') console.error('The port is taken; set GATEHOUSE_RUNNER_PORT to another one.');
  else console.error(cause);
  process.exit(1);
}
