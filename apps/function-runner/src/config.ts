import {
  integerSetting,
  labelsSetting,
  portSetting,
  readConfig,
  secretSetting,
  stringSetting,
  type Values,
} from '@gatehouse/kernel';

const SETTINGS = {
  nodeToken: secretSetting('GATEHOUSE_NODE_TOKEN', 'shared by control planes, nodes and function runners'),
  bind: stringSetting('GATEHOUSE_BIND', 'address to listen on', '127.0.0.1'),
  port: portSetting('GATEHOUSE_RUNNER_PORT', 'HTTP: Lambda Invoke, health', 7081),
  region: stringSetting('GATEHOUSE_REGION', 'stands in the ARNs of functions that do not exist', 'us-east-1'),
  controlAddress: stringSetting('GATEHOUSE_CONTROL_ADDRESS', "host:port of the control plane's gRPC listener", '127.0.0.1:7090'),
  labels: labelsSetting('GATEHOUSE_NODE_LABELS', 'pool names the pool of tenants whose functions it runs'),
  dataDir: stringSetting('GATEHOUSE_DATA_DIR', 'folder of this runner alone: manifest, packages, scratch space, function logs'),
  functionConcurrency: integerSetting(
    'GATEHOUSE_FUNCTION_CONCURRENCY',
    'calls of one function running at once',
    { min: 1, max: 10_000 },
    10,
  ),
  totalConcurrency: integerSetting(
    'GATEHOUSE_FUNCTION_CONCURRENCY_TOTAL',
    'execution environments alive at once, all functions together',
    { min: 1, max: 10_000 },
    50,
  ),
  queueMs: integerSetting(
    'GATEHOUSE_FUNCTION_QUEUE_MS',
    'how long a call waits for an environment when one of these limits is reached, in milliseconds; 0: it is refused at once',
    { min: 0, max: 60_000 },
    2_000,
  ),
  userIdBase: integerSetting(
    'GATEHOUSE_FUNCTION_UID_BASE',
    'first of 20,000 user and group ids for python and provided functions, when the runner is root; nobody else may have them',
    { min: 1_000, max: 2_000_000_000 },
    210_000,
  ),
  idleSeconds: integerSetting(
    'GATEHOUSE_FUNCTION_IDLE_SECONDS',
    'how long an unused environment is kept',
    { min: 1, max: 86_400 },
    300,
  ),
};
export type Config = Values<typeof SETTINGS>;

/** Reads the environment once; throws a ConfigError that lists every problem. */
export function readRunnerConfig(environment: NodeJS.ProcessEnv): Config {
  return readConfig(SETTINGS, environment);
}
