/** What a tenant does, with an unmodified AWS client that does not retry. */
import { APIGateway, type CreateUsagePlanCommandInput } from '@aws-sdk/client-api-gateway';
import { sendSigned } from '@gatehouse/testkit';

export const TENANT = {
  GATEHOUSE_FIRST_ACCOUNT_ID: '000000000001',
  GATEHOUSE_FIRST_ACCESS_KEY_ID: 'GHFIRSTKEY0000000001',
  GATEHOUSE_FIRST_SECRET_ACCESS_KEY: 'a-secret-of-the-fleet-that-nobody-else-has',
} as const;

const CREDENTIALS = {
  accessKeyId: TENANT.GATEHOUSE_FIRST_ACCESS_KEY_ID,
  secretAccessKey: TENANT.GATEHOUSE_FIRST_SECRET_ACCESS_KEY,
};

export interface SteadyApi {
  readonly apiId: string;
  readonly apiKey: string;
  readonly apiKeyId: string;
  readonly planId: string;
}

/** `/version` answers the number that was deployed last. */
export interface ChangingApi {
  readonly apiId: string;
  readonly resourceId: string;
}

/** As the admin API shows it. */
export interface NodeView {
  readonly nodeId: string;
  readonly adminUrl: string | null;
  readonly connected: boolean;
  readonly protocol: number;
  readonly turnedAway: string | null;
}

/** What a control plane says of all nodes. */
export async function listNodes(port: number, date = new Date()): Promise<NodeView[]> {
  const { status, text } = await sendSigned(port, CREDENTIALS, { path: '/admin/v1/nodes', signature: { date } });
  if (status !== 200) throw new Error(`/admin/v1/nodes answers ${status}: ${text}`);
  return (JSON.parse(text) as { nodes: NodeView[] }).nodes;
}

export function clientOf(port: number): APIGateway {
  return new APIGateway({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    credentials: CREDENTIALS,
    maxAttempts: 1,
    requestHandler: { requestTimeout: 60_000 },
  });
}

async function addRoute(
  api: APIGateway,
  restApiId: string,
  parentId: string,
  pathPart: string,
  httpMethod: string,
  apiKeyRequired: boolean,
): Promise<{ restApiId: string; resourceId: string; httpMethod: string }> {
  const { id } = await api.createResource({ restApiId, parentId, pathPart });
  const method = { restApiId, resourceId: id!, httpMethod };
  await api.putMethod({ ...method, authorizationType: 'NONE', apiKeyRequired });
  return method;
}

export async function mockAnswer(
  api: APIGateway,
  method: { restApiId: string; resourceId: string; httpMethod: string },
  text: string,
): Promise<void> {
  await api.putIntegration({ ...method, type: 'MOCK', requestTemplates: { 'application/json': '{"statusCode": 200}' } });
  await api.putIntegrationResponse({ ...method, statusCode: '200', responseTemplates: { 'application/json': text } });
}

/** Three routes to the backend, one mock, and a key for one of them. */
export async function createSteadyApi(api: APIGateway, backendUrl: string): Promise<SteadyApi> {
  const { id, rootResourceId } = await api.createRestApi({ name: 'steady' });
  const apiId = id!;
  for (const [name, httpMethod] of [
    ['get', 'GET'],
    ['keyed', 'GET'],
    ['post', 'POST'],
    ['slow', 'GET'],
  ] as const) {
    const method = await addRoute(api, apiId, rootResourceId!, name, httpMethod, name === 'keyed');
    await api.putIntegration({
      ...method,
      type: 'HTTP_PROXY',
      integrationHttpMethod: httpMethod,
      uri: `${backendUrl}/${name}`,
    });
  }
  const mock = await addRoute(api, apiId, rootResourceId!, 'mock', 'GET', false);
  await api.putMethodResponse({ ...mock, statusCode: '200' });
  await mockAnswer(api, mock, 'mocked');
  await api.createDeployment({ restApiId: apiId, stageName: 'dev' });
  const key = await api.createApiKey({ name: 'steady', enabled: true });
  const planId = await createPlan(api, apiId, 'steady', key.id!);
  return { apiId, apiKey: key.value!, apiKeyId: key.id!, planId };
}

/** `/slow-0`, `/slow-1`, ... lead to `/slow` of each backend, and a mock is beside them; returns its id. */
export async function createSlowApi(api: APIGateway, backendUrls: readonly string[]): Promise<string> {
  const { id, rootResourceId } = await api.createRestApi({ name: 'slow' });
  for (const [index, url] of backendUrls.entries()) {
    const method = await addRoute(api, id!, rootResourceId!, `slow-${index}`, 'GET', false);
    await api.putIntegration({ ...method, type: 'HTTP_PROXY', integrationHttpMethod: 'GET', uri: `${url}/slow` });
  }
  const mock = await addRoute(api, id!, rootResourceId!, 'mock', 'GET', false);
  await api.putMethodResponse({ ...mock, statusCode: '200' });
  await mockAnswer(api, mock, 'mocked');
  await api.createDeployment({ restApiId: id!, stageName: 'dev' });
  return id!;
}

/** A plan of the API's stage with this key in it; returns its id. */
export async function createPlan(
  api: APIGateway,
  apiId: string,
  name: string,
  keyId: string,
  settings: Omit<CreateUsagePlanCommandInput, 'name' | 'apiStages'> = {},
): Promise<string> {
  const quota = { limit: 100_000_000, period: 'DAY' } as const;
  const { id } = await api.createUsagePlan({ name, apiStages: [{ apiId, stage: 'dev' }], quota, ...settings });
  await api.createUsagePlanKey({ usagePlanId: id!, keyId, keyType: 'API_KEY' });
  return id!;
}

export async function createChangingApi(api: APIGateway, name = 'changing'): Promise<ChangingApi> {
  const { id, rootResourceId } = await api.createRestApi({ name });
  const method = await addRoute(api, id!, rootResourceId!, 'version', 'GET', false);
  await api.putMethodResponse({ ...method, statusCode: '200' });
  const changing = { apiId: id!, resourceId: method.resourceId };
  await deployVersion(api, changing, 0);
  return changing;
}

/** Returns the deployment's id. */
export async function deployVersion(api: APIGateway, { apiId, resourceId }: ChangingApi, version: number): Promise<string> {
  await mockAnswer(api, { restApiId: apiId, resourceId, httpMethod: 'GET' }, `version ${version}`);
  const { id } = await api.createDeployment({ restApiId: apiId, stageName: 'dev' });
  return id!;
}

/** `500 InternalFailure`, `no answer: ECONNREFUSED`, or null when it was done. Anything else is no answer of a control plane of ours. */
export async function refusal(work: Promise<unknown>): Promise<string | null> {
  try {
    await work;
    return null;
  } catch (error) {
    const { name, message, code, $metadata } = error as Error & { code?: string; $metadata?: { httpStatusCode?: number } };
    const status = $metadata?.httpStatusCode;
    return status === undefined ? `no answer: ${code ?? name} ${message}` : `${status} ${name}: ${message}`;
  }
}
