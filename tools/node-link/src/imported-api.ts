/** An API from an OpenAPI document, deployed by the management API's own operations and served by a node in a process of its own. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { deploymentOperations } from '@gatehouse/control-deployments';
import { importOperations } from '@gatehouse/control-rest-apis';
import { InMemoryStore } from '@gatehouse/domain';
import { randomIds, systemClock } from '@gatehouse/kernel';
import { vi } from 'vitest';
import { startControlPlane, TENANT, type testFolder } from './harness.js';
import { readiness, startProcess, type NodeProcess } from './node-process.js';

export const CONTEXT = {
  caller: { tenant: TENANT, accessKeyId: 'AKIA', principalArn: `arn:aws:iam::${TENANT}:user/admin`, region: 'us-east-1' },
  requestId: 'request',
  /** Deployments and changes of stages are on the node when they return. */
  headers: { 'x-gatehouse-wait': 'live' },
};

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Call {
  readonly httpMethod?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Where the caller comes from. */
  readonly localAddress?: string;
}

export interface ServedApi {
  readonly store: InMemoryStore;
  readonly node: NodeProcess;
  readonly restApiId: string;
  readonly deployments: ReturnType<typeof deploymentOperations>;
  readonly imports: ReturnType<typeof importOperations>;
  /** Adds to and replaces what the draft has. */
  merge(document: object): Promise<void>;
  /** By node:http, which neither adds headers nor decodes bodies. `path` below the stage. */
  ask(path: string, call?: Call): Promise<Answer>;
}

/** `document` on stage `prod`. */
export async function serveApi(
  scope: Awaited<ReturnType<typeof testFolder>>,
  document: object,
  env: Readonly<Record<string, string>> = {},
): Promise<ServedApi> {
  const store = new InMemoryStore();
  const control = await startControlPlane(store);
  scope.cleanUps.push(() => control.stop());
  const dependencies = { store: store.tenants, clock: systemClock, ids: randomIds, waiter: control.server };
  const imports = importOperations(dependencies);
  const deployments = deploymentOperations(dependencies);
  const bytes = (content: object): Buffer => Buffer.from(JSON.stringify(content));
  const restApiId = (await imports.ImportRestApi(CONTEXT, { body: bytes(document), failOnWarnings: true })).id!;
  await deployments.CreateDeployment(CONTEXT, { restApiId, stageName: 'prod' });
  const node = await startProcess(scope, control.port, { env });
  await vi.waitFor(
    async () => {
      if ((await readiness(node))[0] !== 200) throw new Error('the node is not ready');
    },
    { timeout: 15_000, interval: 10 },
  );
  return {
    store,
    node,
    restApiId,
    deployments,
    imports,
    merge: async (content) => void (await imports.PutRestApi(CONTEXT, { restApiId, mode: 'merge', body: bytes(content) })),
    ask: (path, call) => ask(node.port, `/_aws/execute-api/${restApiId}/prod${path}`, call),
  };
}

export function ask(
  port: number,
  path: string,
  { httpMethod = 'GET', headers = {}, body, localAddress = '127.0.0.1' }: Call = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const settings = { host: '127.0.0.1', port, path, method: httpMethod, headers, agent: false as const, localAddress };
    const request = httpRequest(settings, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}
