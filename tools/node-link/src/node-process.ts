/** A data-plane node as a process of its own, as it is built (`npm run build` comes first), and what is published to it. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { ApiKeyEntry, StageSnapshot, UsagePlanEntry } from '@gatehouse/contracts';
import type { InMemoryStore } from '@gatehouse/domain';
import { canonicalJson, sha256Hex } from '@gatehouse/kernel';
import { publishBlob, publishInline, TENANT, TOKEN, type testFolder } from './harness.js';

const MAIN = path.resolve(import.meta.dirname, '../../../apps/data-plane/dist/main.js');
export const KEY = 'a-key-of-at-least-twenty-characters';

export interface NodeProcess {
  readonly child: ChildProcess;
  readonly port: number;
  readonly adminPort: number;
  readonly exited: Promise<unknown[]>;
  /** What it logged so far. */
  log(): string;
}

/** Resolves when the node listens, which it does whether or not it has anything to serve. */
export async function startProcess(
  scope: Awaited<ReturnType<typeof testFolder>>,
  controlPort: number,
  options: { readonly name?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<NodeProcess> {
  const { name = 'node', env = {} } = options;
  const child = fork(MAIN, [], {
    env: {
      GATEHOUSE_NODE_TOKEN: TOKEN.reveal(),
      GATEHOUSE_PORT: '0',
      GATEHOUSE_NODE_ADMIN_PORT: '0',
      GATEHOUSE_CONTROL_ADDRESS: `127.0.0.1:${controlPort}`,
      GATEHOUSE_DATA_DIR: path.join(scope.folder, name),
      GATEHOUSE_ACCESS_LOG: path.join(scope.folder, `${name}-access.log`),
      ...env,
    },
    execArgv: [], // the test runner's would read libraries from source
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  scope.cleanUps.push(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  let output = '';
  child.stderr!.on('data', (text) => (output += text));
  const ports = await new Promise<{ port: number; adminPort: number }>((resolve, reject) => {
    child.stdout!.on('data', (text) => {
      output += text;
      const line = output.split('\n').find((candidate) => candidate.includes('"msg":"listening"'));
      if (line !== undefined) resolve(JSON.parse(line) as { port: number; adminPort: number });
    });
    void exited.then(() => reject(new Error(`the node ended:\n${output}`)));
  });
  return { child, exited, log: () => output, ...ports };
}

const snapshot = (text: string): StageSnapshot => {
  const route = (resourcePath: string, apiKeyRequired: boolean) => ({
    resourceId: `r${resourcePath.slice(1)}`,
    path: resourcePath,
    httpMethod: 'GET',
    operationName: null,
    apiKeyRequired,
    authorization: { type: 'NONE' as const },
    throttle: null,
    integration: {
      type: 'MOCK' as const,
      passthroughBehavior: 'WHEN_NO_MATCH' as const,
      requestTemplates: { 'application/json': '{"statusCode": 200}' },
      responses: [
        { statusCode: 200, selectionPattern: null, responseParameters: {}, responseTemplates: { 'application/json': text } },
      ],
    },
  });
  return {
    format: 1,
    tenant: TENANT,
    region: 'us-east-1',
    apiId: 'abc123',
    apiName: 'demo',
    stage: 'dev',
    deploymentId: 'd1',
    stageVariables: {},
    apiKeySource: 'HEADER',
    binaryMediaTypes: [],
    disableExecuteApiEndpoint: false,
    accountThrottle: null,
    routes: [route('/keyed', true), route('/users', false)],
    gatewayResponses: [],
  };
};
export const publishStage = (store: InMemoryStore, text: string) =>
  publishBlob(store, 'abc123/dev', canonicalJson(snapshot(text)));

/** A key of a plan that covers the stage. Resolves with the revision. */
export async function publishKey(
  store: InMemoryStore,
  quota: UsagePlanEntry['quota'] = null,
  own: Partial<Pick<UsagePlanEntry, 'throttle' | 'limits'>> = {},
  ownOfKey: Partial<Pick<ApiKeyEntry, 'enabled'>> = {},
): Promise<number> {
  const key = {
    apiKeyId: 'key1',
    tenant: TENANT,
    valueDigest: sha256Hex(KEY),
    enabled: true,
    usagePlanIds: ['plan1'],
    ...ownOfKey,
  };
  const plan = {
    usagePlanId: 'plan1',
    tenant: TENANT,
    throttle: null,
    quota,
    apiStages: [{ apiId: 'abc123', stage: 'dev', methodThrottles: {} }],
    ...own,
  };
  // What is published already keeps its revision.
  const ofKey = await publishInline(store, 'API_KEY', 'key1', canonicalJson(key));
  return Math.max(ofKey, await publishInline(store, 'USAGE_PLAN', 'plan1', canonicalJson(plan)));
}

export const call = async ({ port }: NodeProcess, resource: string, headers: Record<string, string> = {}) => {
  const response = await fetch(`http://127.0.0.1:${port}/_aws/execute-api/abc123/dev${resource}`, { headers });
  return [response.status, await response.text()] as const;
};
export const readiness = async ({ adminPort }: NodeProcess) => {
  const response = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
  return [response.status, await response.text()] as const;
};
