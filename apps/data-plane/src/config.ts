import { DEFAULT_LISTENER_LIMITS } from '@gatehouse/engine-http1';
import { availableParallelism } from 'node:os';
import {
  booleanSetting,
  integerSetting,
  labelsSetting,
  portSetting,
  readConfig,
  Secret,
  secretSetting,
  stringSetting,
  type Setting,
  type Values,
} from '@gatehouse/kernel';
import { vpcEndpointsSetting } from './vpc-endpoints.js';
import { siblingsSetting, snapshotKeySetting } from './sibling-settings.js';

const WORKERS_MAX = 99;

const workersSetting: Setting<number> = {
  variable: 'GATEHOUSE_WORKERS',
  description: 'processes that serve the port; auto is one per core',
  fallback: 1,
  parse: (text) => {
    const count = text === 'auto' ? availableParallelism() : Number(text);
    if (Number.isInteger(count) && count >= 1 && count <= WORKERS_MAX) return count;
    throw new Error(`expected a whole number from 1 to ${WORKERS_MAX}, or auto, got "${text}"`);
  },
};

const ENGINES = ['plain-sockets', 'node-http'] as const;

const engineSetting: Setting<(typeof ENGINES)[number]> = {
  variable: 'GATEHOUSE_ENGINE',
  description: 'plain-sockets, or node-http: the slower reference implementation, to compare with',
  fallback: 'plain-sockets',
  parse: (text) => {
    const engine = ENGINES.find((name) => name === text);
    if (engine !== undefined) return engine;
    throw new Error(`expected ${ENGINES.join(' or ')}, got "${text}"`);
  },
};

const TLS_VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

const upstreamTlsMinSetting: Setting<(typeof TLS_VERSIONS)[number]> = {
  variable: 'GATEHOUSE_UPSTREAM_TLS_MIN',
  description: 'oldest version of TLS spoken with upstreams: TLSv1.2 or TLSv1.3',
  fallback: 'TLSv1.2',
  parse: (text) => {
    const version = TLS_VERSIONS.find((name) => name === text);
    if (version !== undefined) return version;
    throw new Error(`expected ${TLS_VERSIONS.join(' or ')}, got "${text}"`);
  },
};

const upstreamCertHostsSetting: Setting<readonly string[]> = {
  variable: 'GATEHOUSE_UPSTREAM_CERT_HOSTS',
  description:
    'hosts that are shown the certificate, separated by commas, *.example.com for all below; without it every upstream that asks',
  fallback: [],
  parse: (text) =>
    text.split(',').map((part) => {
      const host = part.trim().toLowerCase();
      if (/^(\*\.)?[a-z0-9.:_-]+$/.test(host)) return host;
      throw new Error(`expected host names separated by commas, got "${text}"`);
    }),
};

const namesSetting: Setting<readonly string[]> = {
  variable: 'GATEHOUSE_EXPLAIN_REDACT',
  description: 'names of headers, parameters and JSON members that are hidden besides the usual ones, separated by commas',
  fallback: [],
  parse: (text) =>
    text
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
};

/** Holds a password. */
const cacheRedisUrlSetting: Setting<Secret | null> = {
  variable: 'GATEHOUSE_CACHE_REDIS_URL',
  description: 'Redis in which nodes share cached responses, redis:// or rediss://; without it each worker has its own alone',
  fallback: null,
  parse: (text) => {
    if (URL.canParse(text) && /^rediss?:\/\/[^/]/.test(text)) return new Secret(text);
    throw new Error('expected redis://host:port/database, with user:password@ before the host where there is one');
  },
};

const SETTINGS = {
  nodeToken: secretSetting('GATEHOUSE_NODE_TOKEN', 'shared by control planes, nodes and function runners'),
  bind: stringSetting('GATEHOUSE_BIND', 'address to listen on', '127.0.0.1'),
  port: portSetting('GATEHOUSE_PORT', 'HTTP: callers of the APIs', 8080),
  tlsDir: stringSetting(
    'GATEHOUSE_TLS_DIR',
    'folder of certificates, pairs of <name>.crt and <name>.key, default.crt for callers without SNI; without it HTTPS opens with the first custom domain name',
    '',
  ),
  tlsPort: portSetting('GATEHOUSE_TLS_PORT', 'HTTPS: callers of the APIs, when there are certificates', 8443),
  adminPort: portSetting('GATEHOUSE_NODE_ADMIN_PORT', 'HTTP: health and metrics of this node', 8081),
  controlAddress: stringSetting(
    'GATEHOUSE_CONTROL_ADDRESS',
    'gRPC address of the control plane, host:port; of several ones, separated by commas',
    '127.0.0.1:7090',
  ),
  labels: labelsSetting('GATEHOUSE_NODE_LABELS', 'pool names the pool of tenants and APIs the node serves'),
  siblings: siblingsSetting,
  snapshotKey: snapshotKeySetting,
  workers: workersSetting,
  runnerUrl: stringSetting('GATEHOUSE_RUNNER_URL', 'function runner that function integrations call', 'http://127.0.0.1:7081'),
  baseDomain: stringSetting('GATEHOUSE_BASE_DOMAIN', 'APIs answer at {api}.execute-api.{base domain}', 'localhost'),
  dataDir: stringSetting(
    'GATEHOUSE_DATA_DIR',
    "the node's own disk store; not shared with another process",
    '.gatehouse/data-plane',
  ),
  accessLog: stringSetting(
    'GATEHOUSE_ACCESS_LOG',
    'file the access log is appended to; - is the standard output, off writes none',
    '-',
  ),
  logGroups: stringSetting(
    'GATEHOUSE_LOG_GROUPS',
    'folder of the files that log groups of stages are appended to, by default log-groups in the data folder; - is the standard output, off drops them',
    '',
  ),
  logFileMegabytes: integerSetting('GATEHOUSE_LOG_FILE_MB', 'size at which a log file is set aside', { min: 1, max: 10_000 }, 64),
  logFilesKept: integerSetting(
    'GATEHOUSE_LOG_FILES_KEPT',
    'files set aside that are kept, of each log group',
    { min: 0, max: 1_000 },
    4,
  ),
  connectionsMax: integerSetting(
    'GATEHOUSE_CONNECTIONS_MAX',
    'connections of callers, per worker; fewer where file descriptors are few',
    { min: 1, max: 1_000_000 },
    DEFAULT_LISTENER_LIMITS.connectionsMax,
  ),
  connectionsPerAddressMax: integerSetting(
    'GATEHOUSE_CONNECTIONS_PER_ADDRESS_MAX',
    'connections from one address, per worker; a load balancer in front is one address',
    { min: 1, max: 1_000_000 },
    DEFAULT_LISTENER_LIMITS.connectionsPerAddressMax,
  ),
  lingerMs: integerSetting(
    'GATEHOUSE_LINGER_MS',
    'how long a node that was told to stop, and is not ready any more, goes on taking requests: longer than its balancer takes to see that',
    { min: 0, max: 60_000 },
    1_000,
  ),
  explainMebibytes: integerSetting(
    'GATEHOUSE_EXPLAIN_MEMORY_MIB',
    'memory, per worker, for what GET /admin/v1/requests/{id} tells; 0 remembers nothing',
    { min: 0, max: 16_384 },
    32,
  ),
  explainMinutes: integerSetting(
    'GATEHOUSE_EXPLAIN_MINUTES',
    'how long a request is remembered, as far as that memory reaches',
    { min: 1, max: 10_080 },
    240,
  ),
  explainSampleEvery: integerSetting(
    'GATEHOUSE_EXPLAIN_SAMPLE_EVERY',
    'one request in so many that ends without a fault is remembered with headers, bodies and templates; 0 for none',
    { min: 0, max: 1_000_000_000 },
    100,
  ),
  explainRedact: namesSetting,
  engine: engineSetting,
  cacheMegabytes: integerSetting(
    'GATEHOUSE_CACHE_MB',
    'MiB of memory for cached responses, of all stages and workers together; 0 caches none',
    { min: 0, max: 1_048_576 },
    256,
  ),
  cacheMegabytesPerGigabyte: integerSetting(
    'GATEHOUSE_CACHE_MB_PER_GB',
    'MiB of it that a stage may have for each GB of its cache cluster size',
    { min: 1, max: 1_024 },
    32,
  ),
  cacheRedisUrl: cacheRedisUrlSetting,
  cachesPrivate: booleanSetting(
    'GATEHOUSE_CACHE_PRIVATE',
    'caches as AWS does what says that it is private: Set-Cookie, Cache-Control private or no-store, answers to an Authorization nobody here checked',
    false,
  ),
  upstreamCa: stringSetting(
    'GATEHOUSE_UPSTREAM_CA',
    'PEM file of authorities that upstreams on TLS may be signed by, besides the usual ones; read again when it changes',
    '',
  ),
  upstreamCert: stringSetting(
    'GATEHOUSE_UPSTREAM_CERT',
    'PEM file of the certificate (chain, leaf first) shown to upstreams that ask for one, whichever tenant calls',
    '',
  ),
  upstreamKey: stringSetting('GATEHOUSE_UPSTREAM_KEY', 'PEM file of its private key', ''),
  upstreamCertHosts: upstreamCertHostsSetting,
  upstreamTlsMin: upstreamTlsMinSetting,
  vpcEndpoints: vpcEndpointsSetting,
  allowsPrivateUpstreams: booleanSetting(
    'GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS',
    'integrations may call loopback and private addresses; for one machine or trusted tenants only',
    false,
  ),
};
export type Config = Values<typeof SETTINGS>;

/** Reads the environment once; throws a ConfigError that lists every problem. */
export function readDataPlaneConfig(environment: NodeJS.ProcessEnv): Config {
  return readConfig(SETTINGS, environment);
}
