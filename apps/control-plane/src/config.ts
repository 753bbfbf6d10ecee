import { portSetting, readConfig, Secret, secretSetting, stringSetting, type Setting, type Values } from '@gatehouse/kernel';
import { parseRedisUrl } from '@gatehouse/store';

/** What whoever opens the database needs. */
export const STORE_SETTINGS = {
  databaseUrl: stringSetting('DATABASE_URL', 'PostgreSQL, e.g. postgres://user:password@host:5432/gatehouse'),
  masterKey: secretSetting(
    'GATEHOUSE_MASTER_KEY',
    'seals secrets in the database: 64 hex characters, the same for all control planes',
  ),
};

/** Read and refused here; opened where it is used. */
const redisUrlSetting: Setting<string> = {
  variable: 'REDIS_URL',
  description:
    'queue and lease book: redis://, redis+sentinel://hosts/name or redis+cluster://hosts; both are in PostgreSQL without it',
  fallback: '',
  parse: (text) => {
    parseRedisUrl(text);
    return text;
  },
};

const OPERATOR_TOKEN_CHARS_MIN = 16;

/** Shown by whoever runs the installation; no tenant has it. */
const operatorTokenSetting: Setting<Secret | null> = {
  variable: 'GATEHOUSE_OPERATOR_TOKEN',
  description: 'who shows it may place tenants: a long random text; without it nobody may',
  fallback: null,
  parse: (text) => {
    if (text.length < OPERATOR_TOKEN_CHARS_MIN) throw new Error(`expected at least ${OPERATOR_TOKEN_CHARS_MIN} characters`);
    return new Secret(text);
  },
};

const SETTINGS = {
  ...STORE_SETTINGS,
  redisUrl: redisUrlSetting,
  nodeToken: secretSetting('GATEHOUSE_NODE_TOKEN', 'shared by control planes, nodes and function runners'),
  operatorToken: operatorTokenSetting,
  bind: stringSetting('GATEHOUSE_BIND', 'address to listen on', '127.0.0.1'),
  adminPort: portSetting('GATEHOUSE_ADMIN_PORT', 'HTTP: AWS tools and the admin API', 7080),
  grpcPort: portSetting('GATEHOUSE_GRPC_PORT', 'gRPC: nodes and function runners', 7090),
  runnerUrl: stringSetting('GATEHOUSE_RUNNER_URL', 'function runner that Invoke calls', 'http://127.0.0.1:7081'),
};
export type Config = Values<typeof SETTINGS>;

/** Reads the environment once; throws a ConfigError that lists every problem. */
export function readControlPlaneConfig(environment: NodeJS.ProcessEnv): Config {
  return readConfig(SETTINGS, environment);
}

const PREPARE_SETTINGS = {
  ...STORE_SETTINGS,
  accountId: stringSetting('GATEHOUSE_FIRST_ACCOUNT_ID', 'account id of the first tenant, 12 digits'),
  accessKeyId: stringSetting('GATEHOUSE_FIRST_ACCESS_KEY_ID', 'its access key id'),
  secretAccessKey: secretSetting('GATEHOUSE_FIRST_SECRET_ACCESS_KEY', 'its secret access key'),
};

/** What the preparation of an empty database needs. */
export function readPrepareConfig(environment: NodeJS.ProcessEnv): Values<typeof PREPARE_SETTINGS> {
  return readConfig(PREPARE_SETTINGS, environment);
}
