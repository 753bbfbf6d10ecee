import type { Lambda } from '@gatehouse/aws-api';
import type { Handlers, OperationContext } from '@gatehouse/control-wire';
import { functionArn, readFunctionReference, type FunctionReference, type TenantStore } from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';
import { Aliases } from './aliases.service.js';
import { readCode } from './code-package.js';
import type { FunctionInvoker } from './function-invoker.js';
import { functionNotFound, invalidParameter, resourceNotFound } from './function-lookup.js';
import { Functions, type Found, type SettingsRequest } from './functions.service.js';
import {
  aliasToWire,
  configurationToWire,
  listedConfiguration,
  policyRevisionId,
  policyToJson,
  statementToJson,
} from './functions.wire.js';
import { Policies } from './policies.service.js';
import { checkCodeUpdate, checkCreate, checkInvoke, checkPermission, checkPublish, checkUpdate } from './unsupported.js';

export interface FunctionDependencies {
  readonly store: TenantStore;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly invoker: FunctionInvoker;
}

/** What this library handles; the composition answers the rest of Lambda's operations as not there yet. */
export const FUNCTION_OPERATION_NAMES = [
  'AddPermission',
  'CreateAlias',
  'CreateFunction',
  'DeleteAlias',
  'DeleteFunction',
  'DeleteFunctionConcurrency',
  'GetAlias',
  'GetFunction',
  'GetFunctionCodeSigningConfig',
  'GetFunctionConcurrency',
  'GetFunctionConfiguration',
  'GetPolicy',
  'Invoke',
  'ListAliases',
  'ListFunctions',
  'ListTags',
  'ListVersionsByFunction',
  'PublishVersion',
  'PutFunctionConcurrency',
  'RemovePermission',
  'TagResource',
  'UntagResource',
  'UpdateAlias',
  'UpdateFunctionCode',
  'UpdateFunctionConfiguration',
] as const satisfies readonly (keyof Lambda.Operations)[];

export type FunctionOperationName = (typeof FUNCTION_OPERATION_NAMES)[number];
export type FunctionOperations = Handlers<Lambda.Operations, FunctionOperationName>;

/** Lambda answers at most 50 functions at a time, whatever `MaxItems` says. */
const PAGE_MAX = 50;

export function functionOperations({ store, clock, ids, invoker }: FunctionDependencies): FunctionOperations {
  const functions = new Functions(store, clock, ids);
  const aliases = new Aliases(store, ids);
  const policies = new Policies(store);
  const configuration = (
    { caller }: OperationContext,
    { definition, version }: Found,
    qualifier: string | null,
  ): Lambda.FunctionConfiguration => configurationToWire(caller.tenant, definition, version, qualifier);

  return {
    CreateFunction: async (context, input) => {
      const { caller } = context;
      const reference = own(context, readFunctionReference(input.FunctionName));
      checkCreate(input, reference.name);
      if (input.Runtime === undefined || input.Handler === undefined) {
        throw invalidParameter('Runtime and Handler are mandatory parameters for functions created with deployment packages.');
      }
      const found = await functions.create(caller.tenant, {
        name: reference.name,
        region: caller.region,
        code: await readCode(input.Code),
        settings: { ...settings(input), role: input.Role, runtime: input.Runtime, handler: input.Handler },
        architectures: input.Architectures ?? ['x86_64'],
        tags: input.Tags ?? {},
        publish: input.Publish ?? false,
      });
      // Unlike UpdateFunctionCode with Publish, Lambda shows the unqualified ARN here, beside the number.
      return configuration(context, found, null);
    },
    GetFunction: async (context, input) => {
      const { caller } = context;
      const reference = readFunctionReference(input.FunctionName, input.Qualifier);
      const found = await functions.find(caller.tenant, caller.region, reference);
      const { tags, reservedConcurrency } = found.definition;
      return {
        Configuration: configuration(context, found, reference.qualifier),
        // No Location: the package is not handed out again.
        Code: { RepositoryType: 'S3' },
        Tags: Object.keys(tags).length === 0 ? undefined : tags,
        Concurrency: reservedConcurrency === null ? undefined : { ReservedConcurrentExecutions: reservedConcurrency },
      };
    },
    GetFunctionConfiguration: async (context, input) => {
      const { caller } = context;
      const reference = readFunctionReference(input.FunctionName, input.Qualifier);
      return configuration(context, await functions.find(caller.tenant, caller.region, reference), reference.qualifier);
    },
    ListFunctions: async (context, input) => {
      const { tenant } = context.caller;
      const allVersions = input.FunctionVersion === 'ALL';
      const { items, next } = await functions.page(tenant, input.Marker ?? null, pageSize(input.MaxItems), allVersions);
      // With ALL, Lambda qualifies every ARN, that of $LATEST too.
      const listed = items.map((found) =>
        listedConfiguration(configuration(context, found, allVersions ? found.version.version : null)),
      );
      return { Functions: listed, NextMarker: next ?? undefined };
    },
    UpdateFunctionCode: async (context, input) => {
      const { caller } = context;
      const reference = readFunctionReference(input.FunctionName);
      checkCodeUpdate(input);
      const found = await functions.updateCode(caller.tenant, caller.region, reference, {
        code: await readCode(input),
        architectures: input.Architectures,
        revisionId: input.RevisionId,
        publish: input.Publish ?? false,
        dryRun: input.DryRun ?? false,
      });
      return configuration(context, found, publishedQualifier(found));
    },
    UpdateFunctionConfiguration: async (context, input) => {
      const { caller } = context;
      const reference = readFunctionReference(input.FunctionName);
      checkUpdate(input, reference.name);
      const found = await functions.updateSettings(caller.tenant, caller.region, reference, settings(input), input.RevisionId);
      return configuration(context, found, null);
    },
    DeleteFunction: async ({ caller }, input) => {
      await functions.remove(caller.tenant, caller.region, readFunctionReference(input.FunctionName, input.Qualifier));
      return { StatusCode: 204 };
    },
    PublishVersion: async (context, input) => {
      const { caller } = context;
      checkPublish(input);
      const found = await functions.publish(caller.tenant, caller.region, readFunctionReference(input.FunctionName), {
        codeSha256: input.CodeSha256,
        description: input.Description,
        revisionId: input.RevisionId,
      });
      return configuration(context, found, found.version.version);
    },
    ListVersionsByFunction: async (context, input) => {
      const { caller } = context;
      const found = await functions.versions(caller.tenant, caller.region, readFunctionReference(input.FunctionName));
      const { items, next } = slice(found, versionPosition, input.Marker, input.MaxItems);
      return {
        Versions: items.map((item) => listedConfiguration(configuration(context, item, item.version.version))),
        NextMarker: next,
      };
    },

    CreateAlias: async ({ caller }, input) => {
      const { alias, region } = await aliases.create(
        caller.tenant,
        caller.region,
        readFunctionReference(input.FunctionName),
        input.Name,
        {
          functionVersion: input.FunctionVersion,
          description: input.Description,
          routing: input.RoutingConfig?.AdditionalVersionWeights,
        },
      );
      return aliasToWire(caller.tenant, region, alias);
    },
    GetAlias: async ({ caller }, input) => {
      const { alias, region } = await aliases.find(
        caller.tenant,
        caller.region,
        readFunctionReference(input.FunctionName),
        input.Name,
      );
      return aliasToWire(caller.tenant, region, alias);
    },
    ListAliases: async ({ caller }, input) => {
      const found = await aliases.list(
        caller.tenant,
        caller.region,
        readFunctionReference(input.FunctionName),
        input.FunctionVersion,
      );
      const { items, next } = slice(found, ({ alias }) => alias.name, input.Marker, input.MaxItems);
      return { Aliases: items.map(({ alias, region }) => aliasToWire(caller.tenant, region, alias)), NextMarker: next };
    },
    UpdateAlias: async ({ caller }, input) => {
      const { alias, region } = await aliases.update(
        caller.tenant,
        caller.region,
        readFunctionReference(input.FunctionName),
        input.Name,
        {
          functionVersion: input.FunctionVersion,
          description: input.Description,
          // An empty RoutingConfig takes the weights away.
          routing: input.RoutingConfig === undefined ? undefined : (input.RoutingConfig.AdditionalVersionWeights ?? {}),
        },
        input.RevisionId,
      );
      return aliasToWire(caller.tenant, region, alias);
    },
    DeleteAlias: async ({ caller }, input) =>
      aliases.remove(caller.tenant, caller.region, readFunctionReference(input.FunctionName), input.Name),

    AddPermission: async ({ caller }, input) => {
      checkPermission(input);
      const { statement, region } = await policies.add(
        caller.tenant,
        caller.region,
        readFunctionReference(input.FunctionName, input.Qualifier),
        {
          statementId: input.StatementId,
          action: input.Action,
          principal: input.Principal,
          sourceArn: input.SourceArn ?? null,
          sourceAccount: input.SourceAccount ?? null,
        },
        input.RevisionId,
      );
      return { Statement: JSON.stringify(statementToJson(caller.tenant, region, statement)) };
    },
    GetPolicy: async ({ caller }, input) => {
      const { statements, region } = await policies.find(
        caller.tenant,
        caller.region,
        readFunctionReference(input.FunctionName, input.Qualifier),
      );
      return { Policy: policyToJson(caller.tenant, region, statements), RevisionId: policyRevisionId(statements) };
    },
    RemovePermission: async ({ caller }, input) =>
      policies.remove(
        caller.tenant,
        caller.region,
        readFunctionReference(input.FunctionName, input.Qualifier),
        input.StatementId,
        input.RevisionId,
      ),

    Invoke: async ({ caller, requestId, headers }, input) => {
      const reference = readFunctionReference(input.FunctionName, input.Qualifier);
      const { region, account, name, qualifier } = reference;
      checkInvoke(input);
      const isOwn = account === null || account === caller.tenant;
      const target = isOwn
        ? await functions.target(caller.tenant, caller.region, reference)
        : { functionArn: functionArn(region ?? caller.region, account, name, qualifier), revision: null };
      const answer = await invoker.invoke({
        ...target,
        type: input.InvocationType ?? 'RequestResponse',
        wantsLogTail: input.LogType === 'Tail',
        clientContext: input.ClientContext,
        traceId: headers['x-amzn-trace-id'],
        payload: input.Payload ?? new Uint8Array(),
        requestId,
        caller: caller.tenant,
      });
      return {
        StatusCode: answer.status,
        FunctionError: answer.functionError,
        LogResult: answer.logResult,
        ExecutedVersion: answer.executedVersion,
        Payload: answer.payload,
      };
    },

    GetFunctionCodeSigningConfig: async ({ caller }, input) => {
      const { definition } = await functions.find(caller.tenant, caller.region, readFunctionReference(input.FunctionName));
      return { CodeSigningConfigArn: '', FunctionName: definition.name };
    },
    GetFunctionConcurrency: async ({ caller }, input) => {
      const { definition } = await functions.find(caller.tenant, caller.region, readFunctionReference(input.FunctionName));
      return { ReservedConcurrentExecutions: definition.reservedConcurrency ?? undefined };
    },
    PutFunctionConcurrency: async ({ caller }, input) => {
      const count = input.ReservedConcurrentExecutions;
      await functions.reserveConcurrency(
        caller.tenant,
        caller.region,
        unqualified(readFunctionReference(input.FunctionName)),
        count,
      );
      return { ReservedConcurrentExecutions: count };
    },
    DeleteFunctionConcurrency: async ({ caller }, input) =>
      functions.reserveConcurrency(caller.tenant, caller.region, unqualified(readFunctionReference(input.FunctionName)), null),

    ListTags: async ({ caller }, input) => {
      const { definition } = await functions.find(caller.tenant, caller.region, taggedFunction(input.Resource));
      return { Tags: definition.tags };
    },
    TagResource: async ({ caller }, input) =>
      functions.changeTags(caller.tenant, caller.region, taggedFunction(input.Resource), (tags) => ({ ...tags, ...input.Tags })),
    UntagResource: async ({ caller }, input) =>
      functions.changeTags(caller.tenant, caller.region, taggedFunction(input.Resource), (tags) =>
        Object.fromEntries(Object.entries(tags).filter(([name]) => !input.TagKeys.includes(name))),
      ),
  };
}

function settings(input: Lambda.CreateFunctionRequest | Lambda.UpdateFunctionConfigurationRequest): SettingsRequest {
  return {
    role: input.Role,
    runtime: input.Runtime,
    handler: input.Handler,
    description: input.Description,
    timeoutSeconds: input.Timeout,
    memoryMb: input.MemorySize,
    ephemeralStorageMb: input.EphemeralStorage?.Size,
    // `Environment: {}` clears the variables.
    environment: input.Environment === undefined ? undefined : (input.Environment.Variables ?? {}),
    tracingMode: input.TracingConfig?.Mode,
  };
}

/** A new function is the caller's own, and comes without a qualifier. */
function own({ caller }: OperationContext, reference: FunctionReference): FunctionReference {
  const { region, account, name, qualifier } = reference;
  if (region !== null && region !== caller.region) {
    throw resourceNotFound(`Functions from '${region}' are not reachable in this region ('${caller.region}')`);
  }
  if (account !== null && account !== caller.tenant) throw functionNotFound(functionArn(caller.region, account, name, qualifier));
  if (qualifier !== null) throw invalidParameter('The function name must not have a qualifier.');
  return reference;
}

/** The ARN in the answer to a change with `Publish` names the new version. */
const publishedQualifier = ({ version }: Found): string | null => (version.version === '$LATEST' ? null : version.version);

function unqualified(reference: FunctionReference): FunctionReference {
  if (reference.qualifier === null) return reference;
  throw invalidParameter(
    'This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.',
  );
}

function taggedFunction(resource: string): FunctionReference {
  const reference = readFunctionReference(resource);
  if (reference.account === null || reference.qualifier !== null) {
    throw invalidParameter('Tags on function aliases and versions are not supported. Please specify a function ARN.');
  }
  return reference;
}

/** Sorts as text: `$LATEST`, then by number. */
const versionPosition = ({ version }: Found): string => (version.version === '$LATEST' ? '0' : version.version).padStart(12, '0');

const pageSize = (asked: number | undefined): number =>
  asked !== undefined && asked >= 1 ? Math.min(asked, PAGE_MAX) : PAGE_MAX;

/** `items` are sorted by `key`. The marker is that of the first item of the next page; when that is gone, the page starts at the nearest later item. */
function slice<T>(
  items: readonly T[],
  key: (item: T) => string,
  marker: string | undefined,
  asked: number | undefined,
): { items: T[]; next: string | undefined } {
  const start = marker === undefined ? 0 : items.filter((item) => key(item) < marker).length;
  const end = start + pageSize(asked);
  const following = items[end];
  return { items: items.slice(start, end), next: following === undefined ? undefined : key(following) };
}
