import type { Lambda } from '@gatehouse/aws-api';
import {
  codeSha256,
  functionArn,
  type FunctionAlias,
  type FunctionDefinition,
  type FunctionStatement,
  type FunctionVersion,
  type TenantId,
} from '@gatehouse/domain';
import { canonicalJson, sha256Hex } from '@gatehouse/kernel';

/** `qualifier`: what the caller asked by, and what the ARN shows; `null` for the unqualified function. */
export function configurationToWire(
  tenant: TenantId,
  { region, name }: FunctionDefinition,
  version: FunctionVersion,
  qualifier: string | null,
): Lambda.FunctionConfiguration {
  const variables = Object.entries(version.environment);
  return {
    FunctionName: name,
    FunctionArn: functionArn(region, tenant, name, qualifier),
    Runtime: version.runtime as Lambda.Runtime,
    Role: version.role,
    Handler: version.handler,
    CodeSize: version.codeBytes,
    Description: version.description,
    Timeout: version.timeoutSeconds,
    MemorySize: version.memoryMb,
    LastModified: lastModified(version.lastModifiedAtMs),
    CodeSha256: codeSha256(version),
    Version: version.version,
    Environment:
      variables.length === 0
        ? undefined
        : { Variables: Object.fromEntries(variables.map(([key, value]) => [key, value.reveal()])) },
    TracingConfig: { Mode: version.tracingMode as Lambda.TracingMode },
    RevisionId: version.revisionId,
    State: 'Active',
    LastUpdateStatus: 'Successful',
    PackageType: version.packageType as Lambda.PackageType,
    Architectures: version.architectures as readonly Lambda.Architecture[],
    EphemeralStorage: { Size: version.ephemeralStorageMb },
    SnapStart: { ApplyOn: 'None', OptimizationStatus: 'Off' },
    LoggingConfig: { LogFormat: 'Text', LogGroup: logGroup(name) },
  };
}

/** Every function has its own, as by default on AWS. */
export const logGroup = (functionName: string): string => `/aws/lambda/${functionName}`;

/** Lists leave the state out. Lambda API reference, ListFunctions. */
export function listedConfiguration(configuration: Lambda.FunctionConfiguration): Lambda.FunctionConfiguration {
  return { ...configuration, State: undefined, LastUpdateStatus: undefined };
}

/** ISO 8601 with milliseconds and `+0000`. */
const lastModified = (ms: number): string => new Date(ms).toISOString().replace('Z', '+0000');

export function aliasToWire(tenant: TenantId, region: string, alias: FunctionAlias): Lambda.AliasConfiguration {
  return {
    AliasArn: functionArn(region, tenant, alias.functionName, alias.name),
    Name: alias.name,
    FunctionVersion: alias.functionVersion,
    Description: alias.description,
    RoutingConfig: Object.keys(alias.routing).length === 0 ? undefined : { AdditionalVersionWeights: alias.routing },
    RevisionId: alias.revisionId,
  };
}

/** A statement of the resource policy, as JSON. */
export function statementToJson(tenant: TenantId, region: string, statement: FunctionStatement): object {
  const { functionName, qualifier, statementId, action, principal, sourceArn, sourceAccount } = statement;
  const condition = {
    ...(sourceAccount !== null && { StringEquals: { 'AWS:SourceAccount': sourceAccount } }),
    ...(sourceArn !== null && { ArnLike: { 'AWS:SourceArn': sourceArn } }),
  };
  return {
    Sid: statementId,
    Effect: 'Allow',
    Principal: principalToJson(principal),
    Action: action,
    Resource: functionArn(region, tenant, functionName, qualifier === '' ? null : qualifier),
    ...(Object.keys(condition).length > 0 && { Condition: condition }),
  };
}

function principalToJson(principal: string): unknown {
  if (principal === '*') return '*';
  if (/^\d{12}$/.test(principal)) return { AWS: `arn:aws:iam::${principal}:root` };
  return principal.startsWith('arn:') ? { AWS: principal } : { Service: principal };
}

export function policyToJson(tenant: TenantId, region: string, statements: readonly FunctionStatement[]): string {
  const Statement = statements.map((statement) => statementToJson(tenant, region, statement));
  return JSON.stringify({ Version: '2012-10-17', Id: 'default', Statement });
}

/** Changes exactly when the policy does, so it needs no place in the store. In the form of a UUID. */
export function policyRevisionId(statements: readonly FunctionStatement[]): string {
  const hex = sha256Hex(canonicalJson(statements));
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}
