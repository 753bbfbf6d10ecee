// The APIs of the fleet. Two are made call by call with the AWS SDK. The rest are copies of the large one, made in the database row by row,
// because 20,000 routes are 60,000 calls; every one of them goes live by CreateDeployment as any API does.
import {
  CreateDeploymentCommand,
  CreateResourceCommand,
  CreateRestApiCommand,
  DeleteRestApiCommand,
  PutIntegrationCommand,
  PutMethodCommand,
} from '@aws-sdk/client-api-gateway';

export const STAGE = 'live';
/** Answers with the path that its stage variable names, and so with the version that is live. */
const VERSION = 'version';
const PARALLEL_CALLS = 8;
const ID = /^[a-z0-9]{10}$/;

export const pathOf = (index) => `/${STAGE}/item${index}`;
export const versionPath = `/${STAGE}/${VERSION}`;
export const hostOf = (apiId) => `${apiId}.execute-api.localhost`;

/** No node is of this pool: control planes do everything for its APIs, and tell nobody. */
export const UNHEARD_POOL = 'elsewhere';

/** An API with `routes` routes: two per resource, and one of them tells the version. */
export async function createApi(client, { name, upstreamUrl, routes, pool = null }) {
  const { id: restApiId, rootResourceId: parentId } = await client.send(
    new CreateRestApiCommand({
      name,
      endpointConfiguration: { types: ['REGIONAL'] },
      ...(pool !== null && { tags: { 'gatehouse:pool': pool } }),
    }),
  );
  const addRoutes = async (pathPart, methods, uri) => {
    const { id: resourceId } = await client.send(new CreateResourceCommand({ restApiId, parentId, pathPart }));
    for (const httpMethod of methods) {
      const method = { restApiId, resourceId, httpMethod };
      await client.send(new PutMethodCommand({ ...method, authorizationType: 'NONE' }));
      await client.send(new PutIntegrationCommand({ ...method, type: 'HTTP_PROXY', integrationHttpMethod: httpMethod, uri }));
    }
  };
  await addRoutes(VERSION, ['GET'], `${upstreamUrl}/${VERSION}/\${stageVariables.version}`);
  const items = Array.from({ length: routes >> 1 }, (_, index) => index);
  await eachOf(items, PARALLEL_CALLS, (index) =>
    addRoutes(`item${index}`, 2 * index + 2 < routes ? ['GET', 'POST'] : ['GET'], `${upstreamUrl}/item${index}`),
  );
  return restApiId;
}

/** `count` further APIs, the same but for their ids. */
export async function copyApi(database, apiId, count) {
  const ids = Array.from({ length: count }, (_, index) => `copy${String(index).padStart(6, '0')}`);
  if (!ids.every((id) => ID.test(id))) throw new Error(`Cannot name ${count} copies`);
  const copied = (column) => `replace(${column}::text, $1, copy.id)`;
  for (const sql of [
    `INSERT INTO rest_apis (tenant_id, id, position, document)
     SELECT tenant_id, copy.id, ${copied('position')}, ${copied('document')}::json
     FROM rest_apis AS api, unnest($2::text[]) AS copy (id) WHERE api.id = $1`,
    `INSERT INTO resources (tenant_id, api_id, id, parent_id, path, document)
     SELECT tenant_id, copy.id, resource.id, parent_id, path, ${copied('document')}::json
     FROM resources AS resource, unnest($2::text[]) AS copy (id) WHERE api_id = $1`,
    `INSERT INTO methods (tenant_id, api_id, resource_id, http_method, document)
     SELECT tenant_id, copy.id, resource_id, http_method, ${copied('document')}::json
     FROM methods, unnest($2::text[]) AS copy (id) WHERE api_id = $1`,
  ])
    await database.query(sql, [apiId, ids]);
  await database.query('ANALYZE');
  return ids;
}

export const deploy = (client, restApiId, version) =>
  client.send(new CreateDeploymentCommand({ restApiId, stageName: STAGE, variables: { version: String(version) } }));

/** A whole life: created, deployed, deleted. */
export async function createAndDelete(client, upstreamUrl, index) {
  const restApiId = await createApi(client, { name: `cycle ${index}`, upstreamUrl, routes: 1 });
  await deploy(client, restApiId, index);
  await client.send(new DeleteRestApiCommand({ restApiId }));
}

/** Works through the list, `parallel` at a time; the first failure ends it. */
export async function eachOf(list, parallel, work) {
  const rest = list.values();
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}
