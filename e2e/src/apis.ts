import {
  APIGatewayClient,
  CreateApiKeyCommand,
  CreateDeploymentCommand,
  CreateResourceCommand,
  CreateRestApiCommand,
  CreateUsagePlanCommand,
  CreateUsagePlanKeyCommand,
  PutIntegrationCommand,
  PutIntegrationResponseCommand,
  PutMethodCommand,
  PutMethodResponseCommand,
} from '@aws-sdk/client-api-gateway';
import { eventually, type Gatehouse } from './gatehouse.js';

export interface KeyedApi {
  readonly restApiId: string;
  readonly resourceId: string;
  readonly url: string;
  readonly planId: string;
  readonly keyId: string;
  readonly keyValue: string;
  /** Requests that passed the key check so far. */
  sent: number;
}

/** A mock API behind an API key with a usage plan, live when this resolves. `/version` answers the deployed version. */
export async function apiWithKey(gatehouse: Gatehouse): Promise<KeyedApi> {
  const client = new APIGatewayClient(gatehouse.sdk());
  const { id: restApiId, rootResourceId: parentId } = await client.send(new CreateRestApiCommand({ name: 'versions' }));
  const { id: resourceId } = await client.send(new CreateResourceCommand({ restApiId, parentId, pathPart: 'version' }));
  const method = { restApiId, resourceId, httpMethod: 'GET' };
  await client.send(new PutMethodCommand({ ...method, authorizationType: 'NONE', apiKeyRequired: true }));
  await client.send(new PutMethodResponseCommand({ ...method, statusCode: '200' }));
  const api = { restApiId: restApiId as string, resourceId: resourceId as string };
  await redeploy(gatehouse, api, 0, { wait: false });
  const { id: keyId, value } = await client.send(new CreateApiKeyCommand({ name: 'caller', enabled: true }));
  const { id: planId } = await client.send(
    new CreateUsagePlanCommand({
      name: 'plan',
      apiStages: [{ apiId: restApiId, stage: 'dev' }],
      quota: { limit: 1_000_000, period: 'DAY' },
    }),
  );
  await client.send(new CreateUsagePlanKeyCommand({ usagePlanId: planId, keyId, keyType: 'API_KEY' }));
  const url = `${gatehouse.url('GATEHOUSE_PORT')}/_aws/execute-api/${restApiId}/dev/version`;
  let sent = 0;
  await eventually('the key is live', async () => {
    const { status } = await fetch(url, { headers: { 'x-api-key': value as string } });
    if (status === 200) sent++;
    return status === 200;
  });
  return { ...api, url, planId: planId as string, keyId: keyId as string, keyValue: value as string, sent };
}

/** Deploys an answer of `{"version":n}`; with `wait` the call returns once every node serves it. */
export async function redeploy(
  gatehouse: Gatehouse,
  api: { restApiId: string; resourceId: string },
  version: number,
  { wait }: { wait: boolean },
): Promise<string> {
  const client = new APIGatewayClient(gatehouse.sdk());
  const method = { restApiId: api.restApiId, resourceId: api.resourceId, httpMethod: 'GET' };
  await client.send(
    new PutIntegrationCommand({ ...method, type: 'MOCK', requestTemplates: { 'application/json': '{"statusCode": 200}' } }),
  );
  await client.send(
    new PutIntegrationResponseCommand({
      ...method,
      statusCode: '200',
      responseTemplates: { 'application/json': JSON.stringify({ version }) },
    }),
  );
  const deploy = new CreateDeploymentCommand({ restApiId: api.restApiId, stageName: 'dev' });
  if (wait) {
    deploy.middlewareStack.add(
      (next) => (args) => {
        (args.request as { headers: Record<string, string> }).headers['x-gatehouse-wait'] = 'live';
        return next(args);
      },
      { step: 'build' },
    );
  }
  const { id } = await client.send(deploy);
  return id as string;
}
