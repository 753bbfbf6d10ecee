import type { ApiGateway } from '@gatehouse/aws-api';
import type { Handlers } from '@gatehouse/control-wire';
import { badRequest, BASE_PATH_MODES, type BasePathMode, type TenantStore } from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';
import { Imports, type ImportedApi, type ImportOptions } from './imports.service.js';
import { restApiToWire } from './rest-apis.wire.js';

export interface ImportDependencies {
  readonly store: TenantStore;
  readonly clock: Clock;
  readonly ids: IdSource;
}

export type ImportOperations = Handlers<ApiGateway.Operations, 'ImportRestApi' | 'PutRestApi' | 'ImportDocumentationParts'>;

export function importOperations({ store, clock, ids }: ImportDependencies): ImportOperations {
  const imports = new Imports(store, clock, ids);
  return {
    // A new API has nothing to merge with.
    ImportRestApi: async ({ caller }, input) =>
      toWire(await imports.create(caller.tenant, caller.region, input.body, optionsOf(input, 'overwrite')), 'absent'),
    PutRestApi: async ({ caller }, input) =>
      toWire(
        await imports.put(caller.tenant, caller.region, input.restApiId, input.body, optionsOf(input, input.mode ?? 'merge')),
        'shown',
      ),
    ImportDocumentationParts: ({ caller }, input) =>
      imports.documentation(caller.tenant, caller.region, input.restApiId, input.body, input.mode ?? 'merge'),
  };
}

function optionsOf(
  input: Pick<ApiGateway.ImportRestApiRequest, 'failOnWarnings' | 'parameters'>,
  mode: ImportOptions['mode'],
): ImportOptions {
  const { basepath = 'ignore', ignore = '', endpointConfigurationTypes, vpcEndpointIds } = input.parameters ?? {};
  return {
    mode,
    basePath: readBasePath(basepath),
    failsOnWarnings: input.failOnWarnings === true,
    ignoresDocumentation: entriesOf(ignore).includes('documentation'),
    endpointTypes: endpointConfigurationTypes === undefined ? undefined : readTypes(endpointConfigurationTypes),
    vpcEndpointIds: vpcEndpointIds === undefined ? undefined : entriesOf(vpcEndpointIds),
  };
}

const entriesOf = (list: string): string[] => list.split(',').map((entry) => entry.trim());

function readBasePath(text: string): BasePathMode {
  const mode = BASE_PATH_MODES.find((known) => known === text.toLowerCase());
  if (mode === undefined) throw badRequest(`Invalid basepath specified. Valid options are ${BASE_PATH_MODES.join(',')}`);
  return mode;
}

function readTypes(text: string): string[] {
  const types = entriesOf(text);
  if (types.length > 1) throw badRequest('Cannot create an api with multiple Endpoint Types.');
  return types;
}

function toWire({ api, warnings }: ImportedApi, emptyTags: 'shown' | 'absent'): ApiGateway.RestApi {
  const wire = restApiToWire(api, emptyTags);
  return warnings.length === 0 ? wire : { ...wire, warnings };
}
