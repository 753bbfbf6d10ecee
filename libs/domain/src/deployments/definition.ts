import { canonicalJson, sha256Hex } from '@gatehouse/kernel';
import { badRequest } from '../errors.js';
import type { Method, Resource, RestApi } from '../rest-apis/rest-api.js';
import type { ApiPart } from '../api-parts/api-part.js';
import type { DeployedParts, RestApiDefinition } from './deployment.js';

/**
 * The API as it stands, ready to be frozen: equal APIs give equal definitions whatever order their parts were read in.
 * Refuses what cannot be deployed, with AWS's texts.
 */
export function freezeDefinition(
  api: RestApi,
  resources: readonly Resource[],
  methods: readonly Method[],
  parts: DeployedParts,
): RestApiDefinition {
  if (methods.length === 0) throw badRequest("The REST API doesn't contain any methods");
  if (methods.some((method) => method.integration === null)) throw badRequest('No integration defined for method');
  return draftDefinition(api, resources, methods, parts);
}

/** Like `freezeDefinition`, of whatever is there: an API that is being built can be compared before it can be deployed. */
export function draftDefinition(
  api: RestApi,
  resources: readonly Resource[],
  methods: readonly Method[],
  parts: DeployedParts,
): RestApiDefinition {
  const paths = new Map(resources.map((resource) => [resource.id, resource.path]));
  const pathOf = (method: Method): string => {
    const path = paths.get(method.resourceId);
    if (path === undefined) throw new Error(`method ${method.httpMethod} of an unknown resource ${method.resourceId}`);
    return path;
  };
  return {
    formatVersion: 1,
    api,
    resources: [...resources].sort((a, b) => byCodePoint(a.path, b.path)),
    methods: [...methods].sort((a, b) => byCodePoint(pathOf(a), pathOf(b)) || byCodePoint(a.httpMethod, b.httpMethod)),
    parts: {
      models: byId(parts.models),
      requestValidators: byId(parts.requestValidators),
      authorizers: byId(parts.authorizers),
      gatewayResponses: byId(parts.gatewayResponses),
    },
  };
}

/** Names the definition: SHA-256 of its canonical JSON. */
export function definitionDigest(definition: RestApiDefinition): string {
  return sha256Hex(canonicalJson(definition));
}

function byId<E extends ApiPart>(parts: readonly E[]): E[] {
  return [...parts].sort((a, b) => byCodePoint(a.id, b.id));
}

// Not localeCompare: the order may not depend on the machine's language.
function byCodePoint(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
