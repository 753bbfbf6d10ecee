// What the tenants have. One API is made with the AWS SDK; all others are copies of it, made in the database row by row, because they would
// be millions of calls.
import {
  CreateDeploymentCommand,
  CreateResourceCommand,
  CreateRestApiCommand,
  PutIntegrationCommand,
  PutIntegrationResponseCommand,
  PutMethodCommand,
  PutMethodResponseCommand,
} from '@aws-sdk/client-api-gateway';

export const STAGE = 'live';
const TENANTS_AT_A_TIME = 50;
const API_DIGITS = 9;

/** An API with two resources, a mock on each, and a stage. */
export async function createTemplate(client) {
  const { id: restApiId, rootResourceId } = await client.send(
    new CreateRestApiCommand({
      name: 'template',
      description: 'of the benchmark',
      endpointConfiguration: { types: ['REGIONAL'] },
    }),
  );
  const { id: resourceId } = await client.send(
    new CreateResourceCommand({ restApiId, parentId: rootResourceId, pathPart: 'pets' }),
  );
  for (const resource of [rootResourceId, resourceId]) {
    const key = { restApiId, resourceId: resource, httpMethod: 'GET' };
    await client.send(new PutMethodCommand({ ...key, authorizationType: 'NONE' }));
    await client.send(new PutMethodResponseCommand({ ...key, statusCode: '200' }));
    await client.send(
      new PutIntegrationCommand({ ...key, type: 'MOCK', requestTemplates: { 'application/json': '{"statusCode": 200}' } }),
    );
    await client.send(new PutIntegrationResponseCommand({ ...key, statusCode: '200', selectionPattern: '' }));
  }
  await client.send(new CreateDeploymentCommand({ restApiId, stageName: STAGE }));
  return { restApiId, rootResourceId, resourceId };
}

/** Of which tenant's which API: unique over all tenants, as the ids of APIs are. */
export const apiIdOf = (tenantIndex, apiIndex, apisPerTenant) =>
  `b${String(tenantIndex * apisPerTenant + apiIndex).padStart(API_DIGITS, '0')}`;

/**
 * `apisPerTenant` copies for each of these tenants, and as many tenants without credentials as are missing to `tenantCount`: their APIs were
 * never deployed.
 */
export async function fill(database, { callers, tenantCount, apisPerTenant, template }, tell) {
  const others = Array.from({ length: tenantCount - callers.length }, (_, index) => String(500_000_000_000 + index));
  await database.query(
    `INSERT INTO tenants (id, name, created_at_ms) SELECT id, 'tenant ' || id, 0 FROM unnest($1::text[]) AS other (id)`,
    [others],
  );
  const tenants = [...callers, ...others];
  for (let from = 0; from < tenants.length; from += TENANTS_AT_A_TIME) {
    await copy(database, { tenants: tenants.slice(from, from + TENANTS_AT_A_TIME), from, apisPerTenant, template, callers });
    tell(`${Math.min(from + TENANTS_AT_A_TIME, tenants.length)} of ${tenants.length} tenants have ${apisPerTenant} APIs each`);
  }
  await database.query('VACUUM ANALYZE');
}

async function copy(database, { tenants, from, apisPerTenant, template, callers }) {
  const made = `(SELECT tenant.id AS tenant_id,
      'b' || lpad((($3::int + tenant.at::int - 1) * $4::int + api - 1)::text, ${API_DIGITS}, '0') AS id
    FROM unnest($2::text[]) WITH ORDINALITY AS tenant (id, at), generate_series(1, $4::int) AS api) AS copy`;
  const copied = (column) => `replace(${column}::text, $1, copy.id)`;
  for (const sql of [
    `INSERT INTO rest_apis (tenant_id, id, position, document)
     SELECT copy.tenant_id, copy.id, ${copied('position')}, ${copied('document')}::json FROM rest_apis AS api, ${made} WHERE api.id = $1`,
    `INSERT INTO resources (tenant_id, api_id, id, parent_id, path, document)
     SELECT copy.tenant_id, copy.id, resource.id, parent_id, path, ${copied('document')}::json
     FROM resources AS resource, ${made} WHERE api_id = $1`,
    `INSERT INTO methods (tenant_id, api_id, resource_id, http_method, document)
     SELECT copy.tenant_id, copy.id, resource_id, http_method, ${copied('document')}::json FROM methods, ${made} WHERE api_id = $1`,
    `INSERT INTO deployments (tenant_id, api_id, id, position, document, definition)
     SELECT copy.tenant_id, copy.id, deployment.id, position, document, definition
     FROM deployments AS deployment, ${made} WHERE api_id = $1 AND copy.tenant_id = ANY ($5)`,
    `INSERT INTO stages (tenant_id, api_id, stage_name, document)
     SELECT copy.tenant_id, copy.id, stage_name, ${copied('document')}::json FROM stages, ${made} WHERE api_id = $1 AND copy.tenant_id = ANY ($5)`,
  ])
    await database.query(sql, [template.restApiId, tenants, from, apisPerTenant, ...(sql.includes('$5') ? [callers] : [])]);
}
