// The embedded default: PostgreSQL, control plane, function runner, one data-plane node, and the demo.
import { spawn } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { EmbeddedPostgres } from '@gatehouse/embedded-postgres';
import { Children } from './children.mjs';
import { createDemo, startBackend } from './demo.mjs';
import { progress } from './progress.mjs';
import { readSettings } from './settings.mjs';
import { isOurs, State } from './state.mjs';

const READY_DEADLINE_MS = 60_000;
/** The node first, so that it drains while everything behind it still answers. */
const STOP_ORDER = ['data-plane', 'function-runner', 'control-plane'];

/** Runs until SIGINT or SIGTERM, then stops everything and exits with 0. Exits with 1 and one clear message on any problem. */
export async function launch(root, environment) {
  let settings;
  try {
    settings = readSettings(root, environment);
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
  const state = new State(settings.home);
  if (!claim(state)) {
    const pid = state.read('launcher.pid');
    console.error(`\nGatehouse is already running here (process ${pid}). Stop it, or set GATEHOUSE_HOME to another folder.`);
    process.exit(1);
  }
  const children = new Children(root, state);
  const secrets = state.secrets();
  const postgres = new EmbeddedPostgres({
    directory: path.join(settings.home, 'postgres'),
    logFile: path.join(settings.home, 'logs', 'postgres.log'),
    port: settings.ports.GATEHOUSE_POSTGRES_PORT,
    password: secrets.postgresPassword,
    database: 'gatehouse',
  });
  let backend;
  let stopping;
  const stop = (exitCode) =>
    (stopping ??= (async () => {
      await children.stop(STOP_ORDER);
      await backend?.close();
      await postgres.stop();
      state.remove('launcher.pid');
      process.exit(exitCode);
    })());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (stopping === undefined) console.log('\nStopping');
      void stop(0);
    });
  }
  try {
    await children.stopLeftovers();
    await requireFreePorts(settings);
    backend = await start(root, settings, state, secrets, children, postgres);
  } catch (error) {
    console.error(`\n${error.message}`);
    await stop(1);
  }
}

async function start(root, settings, state, secrets, children, postgres) {
  let step = progress('Starting PostgreSQL');
  await postgres.start().catch((error) => {
    throw new Error(`${error.message}\nIf the port is in use, set GATEHOUSE_POSTGRES_PORT to another one.`);
  });
  step.done();

  const shared = {
    GATEHOUSE_BIND: settings.bind,
    GATEHOUSE_REGION: settings.region,
    GATEHOUSE_BASE_DOMAIN: settings.baseDomain,
    GATEHOUSE_NODE_TOKEN: secrets.nodeToken,
    GATEHOUSE_ADMIN_PORT: String(settings.ports.GATEHOUSE_ADMIN_PORT),
    GATEHOUSE_GRPC_PORT: String(settings.ports.GATEHOUSE_GRPC_PORT),
    GATEHOUSE_CONTROL_ADDRESS: `${settings.bind}:${settings.ports.GATEHOUSE_GRPC_PORT}`,
    GATEHOUSE_PORT: String(settings.ports.GATEHOUSE_PORT),
    GATEHOUSE_TLS_DIR: settings.tlsDir,
    ...settings.upstreamTls,
    GATEHOUSE_TLS_PORT: String(settings.ports.GATEHOUSE_TLS_PORT),
    GATEHOUSE_NODE_ADMIN_PORT: String(settings.ports.GATEHOUSE_NODE_ADMIN_PORT),
    GATEHOUSE_RUNNER_PORT: String(settings.ports.GATEHOUSE_RUNNER_PORT),
    GATEHOUSE_RUNNER_URL: settings.runnerUrl,
  };
  const control = {
    ...shared,
    DATABASE_URL: postgres.url,
    GATEHOUSE_MASTER_KEY: secrets.masterKey,
    GATEHOUSE_OPERATOR_TOKEN: secrets.operatorToken,
    REDIS_URL: settings.redisUrl,
  };
  const tenant = secrets.tenant;

  step = progress('Preparing the database');
  await output(root, 'apps/control-plane/dist/prepare.js', {
    ...control,
    GATEHOUSE_FIRST_ACCOUNT_ID: tenant.accountId,
    GATEHOUSE_FIRST_ACCESS_KEY_ID: tenant.accessKeyId,
    GATEHOUSE_FIRST_SECRET_ACCESS_KEY: tenant.secretAccessKey,
  });
  step.done();

  step = progress('Starting control plane, function runner and node');
  children.start('control-plane', control);
  children.start('function-runner', { ...shared, GATEHOUSE_DATA_DIR: state.folder('function-runner') });
  children.start('data-plane', {
    ...shared,
    GATEHOUSE_DATA_DIR: state.folder('data-plane'),
    GATEHOUSE_ACCESS_LOG: path.join(state.home, 'logs', 'access.log'),
    GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: '1',
    GATEHOUSE_WORKERS: settings.workers,
  });
  await ready(settings);
  step.done();

  let backend;
  let apiId;
  if (settings.demo) {
    step = progress('Creating the demo API');
    backend = await startBackend(settings.bind, settings.ports.GATEHOUSE_DEMO_PORT);
    apiId = await createDemo({
      endpoint: settings.adminUrl,
      region: settings.region,
      accountId: tenant.accountId,
      credentials: { accessKeyId: tenant.accessKeyId, secretAccessKey: tenant.secretAccessKey },
      backendUrl: settings.demoUrl,
    });
    await demoAnswers(`${settings.gatewayUrl}/_aws/execute-api/${apiId}/dev/users`);
    step.done();
  }
  announce(settings, state, secrets, apiId);
  return backend;
}

/** Two launchers on one folder would fight over it: false when a live one has it. A dead one's claim is taken over. */
function claim(state) {
  if (state.create('launcher.pid', String(process.pid))) return true;
  const pid = Number(state.read('launcher.pid') ?? '0');
  if (pid > 0 && isOurs(pid, 'start.mjs')) return false;
  state.remove('launcher.pid');
  return state.create('launcher.pid', String(process.pid));
}

async function requireFreePorts(settings) {
  const taken = [];
  for (const [variable, port] of Object.entries(settings.ports)) {
    if (variable === 'GATEHOUSE_POSTGRES_PORT') continue; // an own PostgreSQL that outlived its launcher is taken over
    if (variable === 'GATEHOUSE_DEMO_PORT' && !settings.demo) continue;
    if (variable === 'GATEHOUSE_TLS_PORT' && settings.tlsDir === '') continue;
    const error = await new Promise((resolve) => {
      const probe = net.createServer();
      probe.once('error', resolve);
      probe.listen(port, settings.bind, () => probe.close(() => resolve(undefined)));
    });
    if (error?.code === 'EADDRINUSE') taken.push(`Port ${port} is in use. Set ${variable} to another one.`);
    else if (error !== undefined) taken.push(`Cannot listen on ${settings.bind}:${port} (${variable}): ${error.message}`);
  }
  if (taken.length > 0) throw new Error(taken.join('\n'));
}

function output(root, script, environment) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--enable-source-maps', path.join(root, script)], {
      cwd: root,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve(stdout) : reject(new Error(`${script} failed:\n${stderr || stdout}`))));
  });
}

async function ready(settings) {
  const deadline = Date.now() + READY_DEADLINE_MS;
  const pending = new Map([
    [`${settings.adminUrl}/readyz`, 'control plane'],
    [`${settings.nodeAdminUrl}/readyz`, 'data-plane node'],
    [`${settings.runnerUrl}/readyz`, 'function runner'],
  ]);
  let last = '';
  while (pending.size > 0) {
    for (const [url, name] of pending) {
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
        const text = await response.text();
        if (response.ok) pending.delete(url);
        else last = `${name}: ${text}`;
      } catch (error) {
        last = `${name}: ${error.cause?.code ?? error.message}`;
      }
    }
    if (pending.size === 0) return;
    if (Date.now() > deadline) {
      throw new Error(`Not ready after ${READY_DEADLINE_MS / 1000} s (${last}); see ${path.join(settings.home, 'logs')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function demoAnswers(url) {
  const deadline = Date.now() + READY_DEADLINE_MS;
  for (;;) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return;
    if (Date.now() > deadline) throw new Error(`The demo does not answer: ${url} gave ${response?.status ?? 'no answer'}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function announce(settings, state, { tenant, operatorToken }, apiId) {
  const demoUrl = `${settings.gatewayUrl}/_aws/execute-api/${apiId}/dev`;
  const exports = {
    AWS_ACCESS_KEY_ID: tenant.accessKeyId,
    AWS_SECRET_ACCESS_KEY: tenant.secretAccessKey,
    AWS_REGION: settings.region,
    AWS_DEFAULT_REGION: settings.region,
    AWS_ENDPOINT_URL: settings.adminUrl,
    GATEHOUSE_ACCOUNT_ID: tenant.accountId,
    GATEHOUSE_OPERATOR_TOKEN: operatorToken,
    GATEHOUSE_GATEWAY_URL: settings.gatewayUrl,
    ...(apiId === undefined ? {} : { GATEHOUSE_DEMO_API_ID: apiId, GATEHOUSE_DEMO_URL: demoUrl }),
  };
  const file = path.join(state.home, 'env');
  state.write(
    'env',
    Object.entries(exports)
      .map(([name, value]) => `export ${name}=${value}\n`)
      .join(''),
  );
  const shown = path.relative(process.cwd(), file);
  const lines = [
    '',
    'Gatehouse is ready.',
    '',
    `  AWS endpoint  ${settings.adminUrl}   (API Gateway, Lambda, STS; account ${tenant.accountId})`,
    `  Gateway       ${settings.gatewayUrl}`,
    `  Node admin    ${settings.nodeAdminUrl}/metrics`,
    `  Logs          ${path.join(path.dirname(shown), 'logs')}/`,
    '',
    '  Use it with the AWS tools you have:',
    `    source ${shown.startsWith('..') ? file : shown}`,
  ];
  if (apiId !== undefined) {
    lines.push('', '  Call the demo API:', `    curl ${demoUrl}/users`);
    lines.push(`    curl http://${apiId}.execute-api.${settings.baseDomain}:${settings.ports.GATEHOUSE_PORT}/dev/pets`);
  }
  lines.push('', 'Ctrl-C stops everything.');
  console.log(lines.join('\n'));
}
