// Every variable that `npm start` reads, with its default. The processes get what they need from here.
import path from 'node:path';

const VARIABLES = [
  ['GATEHOUSE_HOME', 'folder of all state', '.gatehouse'],
  ['GATEHOUSE_BIND', 'address everything listens on', '127.0.0.1'],
  ['GATEHOUSE_ADMIN_PORT', 'control plane, HTTP: AWS tools and the admin API', '7080'],
  ['GATEHOUSE_GRPC_PORT', 'control plane, gRPC: nodes', '7090'],
  ['GATEHOUSE_PORT', 'data-plane node, HTTP: callers of your APIs', '8080'],
  ['GATEHOUSE_TLS_DIR', 'folder of certificates; without it no HTTPS', ''],
  ['GATEHOUSE_TLS_PORT', 'data-plane node, HTTPS: callers of your APIs', '8443'],
  ['GATEHOUSE_UPSTREAM_CA', 'PEM file of authorities that HTTPS backends may be signed by, besides the usual ones', ''],
  ['GATEHOUSE_UPSTREAM_CERT', 'PEM file of the certificate shown to HTTPS backends that ask for one', ''],
  ['GATEHOUSE_UPSTREAM_KEY', 'PEM file of its private key', ''],
  ['GATEHOUSE_NODE_ADMIN_PORT', 'data-plane node: health and metrics', '8081'],
  ['GATEHOUSE_WORKERS', 'processes that serve the data-plane port; auto is one per core', '1'],
  ['GATEHOUSE_RUNNER_PORT', 'function runner', '7081'],
  ['GATEHOUSE_POSTGRES_PORT', 'PostgreSQL', '7432'],
  ['GATEHOUSE_DEMO_PORT', 'the HTTP backend of the demo API', '8082'],
  ['GATEHOUSE_DEMO', '0 leaves the demo API out', '1'],
  ['GATEHOUSE_REGION', 'AWS Region of the first tenant', 'us-east-1'],
  ['GATEHOUSE_BASE_DOMAIN', 'APIs answer as {api}.execute-api.<this>', 'localhost'],
  ['REDIS_URL', 'a Redis for the queue and for leases; PostgreSQL without it', ''],
];
const UPSTREAM_FILES = ['GATEHOUSE_UPSTREAM_CA', 'GATEHOUSE_UPSTREAM_CERT', 'GATEHOUSE_UPSTREAM_KEY'];
const PORTS = VARIABLES.map(([name]) => name).filter((name) => name.endsWith('_PORT'));

/** What `npm start -- --help` prints. */
export function help() {
  const lines = VARIABLES.map(([name, description, value]) => `  ${name.padEnd(26)} ${description} (${value})`);
  return `Runs Gatehouse on this machine: PostgreSQL, control plane, one data-plane node, function runner.\n\nEnvironment:\n${lines.join('\n')}\n`;
}

/** Reads all settings; throws one Error that lists every problem. */
export function readSettings(root, environment) {
  const value = Object.fromEntries(VARIABLES.map(([name, , fallback]) => [name, environment[name] || fallback]));
  const problems = [];
  const ports = {};
  for (const name of PORTS) {
    const port = Number(value[name]);
    if (!Number.isInteger(port) || port < 1 || port > 65535)
      problems.push(`${name}: expected a port from 1 to 65535, got "${value[name]}"`);
    const twin = Object.keys(ports).find((other) => ports[other] === port);
    if (twin !== undefined) problems.push(`${name} and ${twin} are both ${port}`);
    ports[name] = port;
  }
  if (!/^(auto|[1-9]\d?)$/.test(value.GATEHOUSE_WORKERS))
    problems.push(`GATEHOUSE_WORKERS: expected a number from 1 to 99, or auto, got "${value.GATEHOUSE_WORKERS}"`);
  if (!['0', '1'].includes(value.GATEHOUSE_DEMO)) problems.push(`GATEHOUSE_DEMO: expected 0 or 1, got "${value.GATEHOUSE_DEMO}"`);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  const home = path.resolve(root, value.GATEHOUSE_HOME);
  const placeOf = (name) => (value[name] === '' ? '' : path.resolve(root, value[name]));
  return {
    home,
    bind: value.GATEHOUSE_BIND,
    region: value.GATEHOUSE_REGION,
    baseDomain: value.GATEHOUSE_BASE_DOMAIN,
    redisUrl: value.REDIS_URL,
    demo: value.GATEHOUSE_DEMO === '1',
    workers: value.GATEHOUSE_WORKERS,
    tlsDir: placeOf('GATEHOUSE_TLS_DIR'),
    upstreamTls: Object.fromEntries(UPSTREAM_FILES.map((name) => [name, placeOf(name)])),
    ports,
    adminUrl: `http://${value.GATEHOUSE_BIND}:${value.GATEHOUSE_ADMIN_PORT}`,
    gatewayUrl: `http://${value.GATEHOUSE_BIND}:${value.GATEHOUSE_PORT}`,
    runnerUrl: `http://${value.GATEHOUSE_BIND}:${value.GATEHOUSE_RUNNER_PORT}`,
    nodeAdminUrl: `http://${value.GATEHOUSE_BIND}:${value.GATEHOUSE_NODE_ADMIN_PORT}`,
    demoUrl: `http://${value.GATEHOUSE_BIND}:${value.GATEHOUSE_DEMO_PORT}`,
  };
}
