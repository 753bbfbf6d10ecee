import { readPatch, applyChanges } from '../patch/patch.js';
import type { Quotas } from '../tenancy/quotas.js';
import type { RestApi } from '../rest-apis/rest-api.js';
import { checkRestApi, restApiPatchRules } from '../rest-apis/rest-api-rules.js';
import type { ApiDocument } from './api-document.js';
import type { ImportMode } from './assemble.js';

export interface ImportedSettingsOptions {
  readonly mode: ImportMode;
  readonly quotas: Quotas;
  /** Of the call; `undefined`: the API keeps what it has. */
  readonly endpointTypes: readonly string[] | undefined;
  readonly vpcEndpointIds: readonly string[] | undefined;
}

/**
 * The API with what the document says of it. What it does not say stays, but for two: an overwritten API has the description, version
 * and media types of the document or none. Values go through the rules of UpdateRestApi. Throws BadRequest.
 */
export function withImportedSettings(
  api: RestApi,
  { settings }: ApiDocument,
  { mode, quotas, endpointTypes, vpcEndpointIds }: ImportedSettingsOptions,
): RestApi {
  const operations = [
    ...(endpointTypes ?? []).map((value) => ({ path: '/endpointConfiguration/types/0', value })),
    { path: '/name', value: settings.name },
    { path: '/policy', value: settings.policy },
    { path: '/apiKeySource', value: settings.apiKeySource },
    { path: '/disableExecuteApiEndpoint', value: settings.disableExecuteApiEndpoint?.toString() },
    { path: '/securityPolicy', value: settings.securityPolicy },
    { path: '/endpointAccessMode', value: settings.endpointAccessMode },
    { path: '/minimumCompressionSize', value: settings.minimumCompressionSize?.toString() },
    { path: '/endpointConfiguration/ipAddressType', value: settings.endpointConfiguration?.ipAddressType },
  ].flatMap(({ path, value }) => (value === undefined ? [] : [{ op: 'replace' as const, path, value }]));
  const changed = applyChanges(api, readPatch(operations, restApiPatchRules));
  const keeps = mode === 'merge';
  const mediaTypes = [...(keeps ? api.binaryMediaTypes : []), ...(settings.binaryMediaTypes ?? [])];
  return checkRestApi(
    {
      ...changed,
      description: settings.description || (keeps ? api.description : null),
      version: settings.version ?? (keeps ? api.version : null),
      binaryMediaTypes: [...new Set(mediaTypes)],
      endpointConfiguration: {
        ...changed.endpointConfiguration,
        vpcEndpointIds:
          vpcEndpointIds ?? settings.endpointConfiguration?.vpcEndpointIds ?? changed.endpointConfiguration.vpcEndpointIds,
      },
    },
    quotas,
  );
}
