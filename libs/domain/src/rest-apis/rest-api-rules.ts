import { Policy, PolicyError } from '@gatehouse/lang';
import { badRequest, notFound, validationError } from '../errors.js';
import { flag, keyList, optionalProperty, property, textOrNull } from '../patch/rules.js';
import type { Change, PatchRule, PatchRules } from '../patch/patch.js';
import type { TenantId } from '../tenancy/tenant.js';
import { checkTags } from '../tenancy/tags.js';
import { quotaNote, type Quotas } from '../tenancy/quotas.js';
import type { RestApi } from './rest-api.js';

const NAME_CHARS_MAX = 1024;
const COMPRESSION_BYTES_MAX = 10_485_760;
const ENDPOINT_TYPES = ['REGIONAL', 'EDGE', 'PRIVATE'];
const IP_ADDRESS_TYPES = ['ipv4', 'dualstack'];
const API_KEY_SOURCES = ['HEADER', 'AUTHORIZER'] as const;
const ENDPOINT_ACCESS_MODES = ['BASIC', 'STRICT'];

/** What CreateRestApi may say; absent members are `undefined`. */
export interface RestApiRequest {
  readonly name: string;
  readonly description?: string | undefined;
  readonly version?: string | undefined;
  readonly binaryMediaTypes?: readonly string[] | undefined;
  readonly minimumCompressionSize?: number | undefined;
  readonly apiKeySource?: RestApi['apiKeySource'] | undefined;
  readonly endpointConfiguration?:
    | {
        readonly types?: readonly string[] | undefined;
        readonly ipAddressType?: string | undefined;
        readonly vpcEndpointIds?: readonly string[] | undefined;
      }
    | undefined;
  readonly policy?: string | undefined;
  readonly disableExecuteApiEndpoint?: boolean | undefined;
  readonly securityPolicy?: string | undefined;
  readonly endpointAccessMode?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

type Identity = Pick<RestApi, 'id' | 'rootResourceId' | 'region' | 'createdAtMs'>;

/** A new API. `source` is the API it is cloned from: what the request does not say comes from there, tags excepted. */
export function newRestApi(request: RestApiRequest, identity: Identity, quotas: Quotas, source: RestApi | null): RestApi {
  if (request.description === '') throw badRequest('Description cannot be an empty string');
  const endpoint = request.endpointConfiguration ?? source?.endpointConfiguration;
  return checkRestApi(
    {
      ...identity,
      name: request.name,
      description: request.description ?? source?.description ?? null,
      version: request.version ?? source?.version ?? null,
      binaryMediaTypes: [...new Set(request.binaryMediaTypes ?? source?.binaryMediaTypes ?? [])],
      minimumCompressionSize: request.minimumCompressionSize ?? source?.minimumCompressionSize ?? null,
      apiKeySource: request.apiKeySource ?? source?.apiKeySource ?? 'HEADER',
      endpointConfiguration: endpointConfiguration(endpoint?.types, endpoint?.ipAddressType, endpoint?.vpcEndpointIds),
      policy: textOrNull(request.policy ?? source?.policy ?? ''),
      disableExecuteApiEndpoint: request.disableExecuteApiEndpoint ?? source?.disableExecuteApiEndpoint ?? false,
      securityPolicy: request.securityPolicy ?? source?.securityPolicy ?? null,
      endpointAccessMode: request.endpointAccessMode ?? source?.endpointAccessMode ?? null,
      tags: checkTags(request.tags ?? {}),
    },
    quotas,
  );
}

function endpointConfiguration(
  types: readonly string[] = ['EDGE'],
  ipAddressType: string = types[0] === 'PRIVATE' ? 'dualstack' : 'ipv4',
  vpcEndpointIds: readonly string[] = [],
): RestApi['endpointConfiguration'] {
  if (types.length === 0) throw badRequest('REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.');
  if (types.length > 1) throw badRequest('Cannot create an api with multiple Endpoint Types.');
  return { types, ipAddressType, vpcEndpointIds };
}

/** Throws BadRequest unless the API is one that may exist; returns it. */
export function checkRestApi(api: RestApi, quotas: Quotas): RestApi {
  const { types, ipAddressType, vpcEndpointIds } = api.endpointConfiguration;
  if (api.name === '') throw badRequest('API name cannot be an empty string');
  if (api.name.length > NAME_CHARS_MAX) throw badRequest(`API name can be at most ${NAME_CHARS_MAX} characters`);
  if ((api.description ?? '').length > NAME_CHARS_MAX)
    throw badRequest(`Description can be at most ${NAME_CHARS_MAX} characters`);
  checkCompressionSize(api.minimumCompressionSize);
  const isPrivate = types.includes('PRIVATE');
  if (isPrivate && ipAddressType === 'ipv4') throw badRequest('Only dualstack ipAddressType is supported for Private APIs.');
  if (!isPrivate && vpcEndpointIds.length > 0) throw badRequest('VPC endpoint ids can only be set for Private APIs.');
  checkPolicy(api.policy, quotas);
  return api;
}

function checkCompressionSize(bytes: number | null): number | null {
  if (bytes === null || (Number.isInteger(bytes) && bytes >= 0 && bytes <= COMPRESSION_BYTES_MAX)) return bytes;
  throw badRequest(`Invalid minimum compression size, must be between 0 and ${COMPRESSION_BYTES_MAX}`);
}

/** Empty switches compression off. */
function readCompressionSize(text: string): number | null {
  return checkCompressionSize(text === '' ? null : /^\d{1,9}$/.test(text) ? Number(text) : NaN);
}

function checkPolicy(policy: string | null, quotas: Quotas): void {
  if (policy === null) return;
  if (policy.length > quotas.policyChars)
    throw badRequest(
      `Resource policy exceeds maximum size of ${quotas.policyChars} characters${quotaNote(quotas, 'policyChars')}`,
    );
  let document: unknown;
  try {
    document = JSON.parse(policy);
  } catch {
    throw badRequest(INVALID_POLICY);
  }
  try {
    Policy.compile(document, { kind: 'resource' });
  } catch (error) {
    if (error instanceof PolicyError) throw badRequest(`${INVALID_POLICY} ${error.message}`);
    throw error;
  }
}

/** AWS's text; clients look for it, so what is wrong stands behind. */
const INVALID_POLICY = 'Invalid policy document. Please check the policy syntax and ensure that Principals are valid.';

/** UpdateRestApi; `checkRestApi` judges what comes out. */
export const restApiPatchRules: PatchRules<RestApi> = {
  style: 'pathOnly',
  rules: [
    property('/name', 'name', (value) => value),
    property('/policy', 'policy', textOrNull),
    property('/apiKeySource', 'apiKeySource', (value) => oneOf(API_KEY_SOURCES, value, 'apiKeySource')),
    property('/disableExecuteApiEndpoint', 'disableExecuteApiEndpoint', flag),
    property('/securityPolicy', 'securityPolicy', readSecurityPolicy),
    property('/endpointAccessMode', 'endpointAccessMode', (value) =>
      value === '' ? null : oneOf(ENDPOINT_ACCESS_MODES, value, 'endpointAccessMode'),
    ),
    optionalProperty('/description', 'description', textOrNull, null),
    property('/minimumCompressionSize', 'minimumCompressionSize', readCompressionSize),
    keyList('/binaryMediaTypes/{type}', 'binaryMediaTypes'),
    ...endpointRules(),
  ],
};

function endpointRules(): PatchRule<RestApi>[] {
  const change =
    (part: (endpoint: RestApi['endpointConfiguration']) => Partial<RestApi['endpointConfiguration']>): Change<RestApi> =>
    (api) => ({ ...api, endpointConfiguration: { ...api.endpointConfiguration, ...part(api.endpointConfiguration) } });
  return [
    {
      // The last segment is the old type or its index. There is only ever one, so it need not be looked up.
      path: '/endpointConfiguration/types/{old}',
      wrongOp: "Invalid patch operation specified. Must be 'add'|'remove'|'replace'",
      replace: ({ value }) => {
        if (!ENDPOINT_TYPES.includes(value)) {
          throw badRequest(`Invalid EndpointTypes specified. Valid options are ${ENDPOINT_TYPES.join(',')}`);
        }
        return change(({ ipAddressType, vpcEndpointIds }) =>
          value === 'PRIVATE'
            ? { types: [value], ipAddressType: 'dualstack', vpcEndpointIds }
            : { types: [value], ipAddressType, vpcEndpointIds: [] },
        );
      },
    },
    {
      path: '/endpointConfiguration/ipAddressType',
      replace: ({ value }) => {
        if (!IP_ADDRESS_TYPES.includes(value)) throw badRequest('ipAddressType must be either ipv4 or dualstack.');
        return change(() => ({ ipAddressType: value }));
      },
    },
    {
      path: '/endpointConfiguration/vpcEndpointIds',
      add: ({ value }) => change(({ vpcEndpointIds: ids }) => ({ vpcEndpointIds: ids.includes(value) ? ids : [...ids, value] })),
      remove: ({ value }) => change(({ vpcEndpointIds: ids }) => ({ vpcEndpointIds: ids.filter((id) => id !== value) })),
    },
  ];
}

/** `TLS_1_0`, `TLS_1_2`, `SecurityPolicy_TLS13_...`: AWS adds names often, so the form decides. */
function readSecurityPolicy(value: string): string | null {
  if (value === '') return null;
  if (/^(?:TLS_1_[02]|SecurityPolicy_TLS1[23]_[A-Za-z0-9_]{1,64})$/.test(value)) return value;
  throw badRequest(`Invalid value for /securityPolicy: "${value}" is no security policy`);
}

function oneOf<V extends string>(values: readonly V[], value: string, member: string): V {
  const found = values.find((known) => known === value);
  if (found !== undefined) return found;
  throw validationError(
    `1 validation error detected: Value '${value}' at '${member}' failed to satisfy constraint: ` +
      `Member must satisfy enum value set: [${values.join(', ')}]`,
  );
}

export const unknownApi = (tenant: TenantId, apiId: string): Error =>
  notFound(`Invalid API identifier specified ${tenant}:${apiId}`);
