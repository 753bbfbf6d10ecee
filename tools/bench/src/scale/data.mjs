// The generated fleet: tenants with APIs of 50 routes and keys in plans, as the control plane would publish them.
import { createHash } from 'node:crypto';

/** Of 100 %. */
export const FULL = { tenants: 10_000, apis: 20_000, routes: 1_000_000, keys: 1_000_000 };
const ROUTES_PER_API = FULL.routes / FULL.apis;
const APIS_PER_TENANT = FULL.apis / FULL.tenants;
const KEYS_PER_TENANT = FULL.keys / FULL.tenants;

export const sizeOf = (percent) =>
  Object.fromEntries(Object.entries(FULL).map(([name, count]) => [name, Math.round((count * percent) / 100)]));

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const tenantOf = (index) => String(100_000_000_000 + index);
/** Ten and six characters, as the control plane makes them: not sequential. */
const idOf = (kind, index, length) =>
  BigInt(`0x${sha256(`${kind} ${index}`).slice(0, 16)}`)
    .toString(36)
    .padStart(length, '0')
    .slice(-length);
export const apiIdOf = (index) => idOf('api', index, 10);
export const keyDigestOf = (index) => sha256(`value of key ${index}`);
export const tenantOfKey = (index) => tenantOf(Math.floor(index / KEYS_PER_TENANT));

function routeOf(api, index) {
  const collection = `/things${Math.floor(index / 5)}`;
  const [path, httpMethod] = [
    [collection, 'GET'],
    [collection, 'POST'],
    [`${collection}/{id}`, 'GET'],
    [`${collection}/{id}`, 'PUT'],
    [`${collection}/{id}/parts/{part}`, 'GET'],
  ][index % 5];
  return {
    resourceId: idOf(`resource ${api}`, Math.floor(index / 2), 6),
    path,
    httpMethod,
    operationName: null,
    apiKeyRequired: true,
    authorization: { type: 'NONE' },
    throttle: null,
    integration: {
      type: 'MOCK',
      passthroughBehavior: 'WHEN_NO_MATCH',
      requestTemplates: { 'application/json': '{"statusCode": 200}' },
      responses: [
        {
          statusCode: 200,
          selectionPattern: null,
          responseParameters: {},
          responseTemplates: { 'application/json': '{"ok":true}' },
        },
      ],
    },
  };
}

/** The blob of an API's stage. */
function snapshotOf(api) {
  return JSON.stringify({
    format: 1,
    tenant: tenantOf(Math.floor(api / APIS_PER_TENANT)),
    region: 'us-east-1',
    apiId: apiIdOf(api),
    apiName: `api ${api}`,
    stage: 'prod',
    deploymentId: idOf('deployment', api, 6),
    stageVariables: {},
    apiKeySource: 'HEADER',
    binaryMediaTypes: [],
    disableExecuteApiEndpoint: false,
    accountThrottle: { ratePerSecond: 10_000, burst: 5_000 },
    routes: Array.from({ length: ROUTES_PER_API }, (_, index) => routeOf(api, index)),
    gatewayResponses: [],
  });
}

/** Every entry of the manifest; `onBlob(digest, bytes)` is given what a stage refers to. */
export function* entriesOf({ tenants, apis, keys }, parts, onBlob) {
  let revision = 0;
  const entry = (kind, id, tenant, content) => ({
    kind,
    id,
    tenant,
    revision: ++revision,
    digest: null,
    blobBytes: 0,
    inline: '',
    ...content,
  });
  if (parts.includes('stages')) {
    for (let index = 0; index < apis; index++) {
      const bytes = Buffer.from(snapshotOf(index));
      const digest = sha256(bytes);
      onBlob(digest, bytes);
      yield entry('STAGE', `${apiIdOf(index)}/prod`, tenantOf(Math.floor(index / APIS_PER_TENANT)), {
        digest,
        blobBytes: bytes.length,
      });
    }
  }
  if (!parts.includes('keys')) return;
  for (let index = 0; index < tenants; index++) {
    const usagePlanId = idOf('plan', index, 6);
    const stages = Array.from({ length: APIS_PER_TENANT }, (_, api) => apiIdOf(index * APIS_PER_TENANT + api));
    const plan = {
      apiStages: stages.map((apiId) => ({ apiId, methodThrottles: {}, stage: 'prod' })),
      quota: { limit: 1_000_000, offset: 0, period: 'DAY' },
      tenant: tenantOf(index),
      throttle: { burst: 100, ratePerSecond: 50 },
      usagePlanId,
    };
    yield entry('USAGE_PLAN', usagePlanId, tenantOf(index), { inline: JSON.stringify(plan) });
  }
  for (let index = 0; index < keys; index++) {
    const apiKeyId = idOf('key', index, 10);
    const tenant = tenantOfKey(index);
    const usagePlanIds = [idOf('plan', Math.floor(index / KEYS_PER_TENANT), 6)];
    const key = { apiKeyId, enabled: true, tenant, usagePlanIds, valueDigest: keyDigestOf(index) };
    yield entry('API_KEY', apiKeyId, tenant, { inline: JSON.stringify(key) });
  }
}
