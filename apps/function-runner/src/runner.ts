/** The runner put together; main.ts binds it to the control plane and a port. */
import type { Clock, Secret } from '@gatehouse/kernel';
import { chmod, mkdir } from 'node:fs/promises';
import type http from 'node:http';
import path from 'node:path';
import { ASYNC_LIMITS, AsyncCalls, type AsyncLimits } from './async-calls.js';
import type { FunctionCatalog } from './catalog.js';
import { Confinement } from './confinement.js';
import { Environments, type ConcurrencyLimits } from './environments.js';
import { FunctionInvoker } from './invoke.js';
import { LogFiles } from './log-files.js';
import { Packages } from './packages.js';
import { detectSandbox } from './sandbox.js';
import { createRunnerServer } from './server.js';
import { Watchdog } from './watchdog.js';

/** Pino's shape. */
export interface RunnerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface RunnerOptions {
  readonly catalog: FunctionCatalog;
  readonly dataDir: string;
  /** First of the user ids that environments run under when this process is root. */
  readonly userIdBase: number;
  readonly nodeToken: Secret;
  readonly region: string;
  readonly limits: ConcurrencyLimits;
  readonly clock: Clock;
  readonly log: RunnerLog;
  readonly isReady: () => boolean;
  readonly asyncLimits?: AsyncLimits;
  readonly initTimeoutMs?: number;
}

export interface Runner {
  readonly server: http.Server;
  /** Answers the calls in progress, at most `graceMs`, then ends every environment. */
  close(graceMs: number): Promise<void>;
}

const INIT_TIMEOUT_MS = 10_000;
const CATCH_UP_MS = 5_000;

export async function openRunner(options: RunnerOptions): Promise<Runner> {
  const { catalog, dataDir, limits, clock, log } = options;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await chmod(dataDir, 0o700); // an earlier version left it open
  const sandbox = await detectSandbox();
  const confinement = await Confinement.open({ dataDir, userIdBase: options.userIdBase });
  if (confinement === null) {
    log.warn(
      {},
      'functions are not confined: python and provided can read the files this process can; see Isolation in the README',
    );
  }
  if (!sandbox.endsWithRunner)
    log.warn({}, 'setpriv is missing: idle environments are not frozen, and may outlive a killed runner');
  const logs = new LogFiles(path.join(dataDir, 'function-logs'), (cause) =>
    log.error({ err: cause }, 'function log could not be written'),
  );
  const packages = await Packages.open(path.join(dataDir, 'packages'));
  const parts = {
    sandbox,
    confinement,
    watchdog: new Watchdog(),
    logs,
    clock,
    initTimeoutMs: options.initTimeoutMs ?? INIT_TIMEOUT_MS,
  };
  const environments = await Environments.open(path.join(dataDir, 'scratch'), catalog, packages, limits, parts);
  const asyncCalls = new AsyncCalls(options.asyncLimits ?? ASYNC_LIMITS, (requestId, reason) =>
    log.warn({ requestId, reason }, 'asynchronous call given up'),
  );
  const invoker = new FunctionInvoker(catalog, environments, asyncCalls, { region: options.region, catchUpMs: CATCH_UP_MS });
  const server = createRunnerServer({
    invoker,
    nodeToken: options.nodeToken,
    isReady: options.isReady,
    confinement: confinement?.kind ?? 'none',
    onBug: (cause) => log.error({ err: cause }, 'call failed in the runner'),
  });
  return {
    server,
    close: async (graceMs) => {
      const closed = new Promise((resolve) => server.close(resolve));
      asyncCalls.close();
      await environments.close(graceMs);
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), 1_000);
      await closed;
      clearTimeout(timer);
      await logs.flush();
    },
  };
}
