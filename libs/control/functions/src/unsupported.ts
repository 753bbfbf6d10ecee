/**
 * Settings of Lambda that this gateway does not have. Asking for one is an error that names it; the empty values that tools
 * send by habit are fine.
 */
import type { Lambda } from '@gatehouse/aws-api';
import { invalidParameter } from './function-lookup.js';
import { logGroup } from './functions.wire.js';

type Common = Lambda.CreateFunctionRequest | Lambda.UpdateFunctionConfigurationRequest;

function checkCommon(input: Common, functionName: string): void {
  const { VpcConfig, DeadLetterConfig, KMSKeyArn, Layers, FileSystemConfigs, ImageConfig, SnapStart, LoggingConfig } = input;
  refuse('VpcConfig', (VpcConfig?.SubnetIds?.length ?? 0) > 0 || (VpcConfig?.SecurityGroupIds?.length ?? 0) > 0);
  refuse('DeadLetterConfig', isText(DeadLetterConfig?.TargetArn));
  refuse('KMSKeyArn', isText(KMSKeyArn));
  refuse('Layers', (Layers?.length ?? 0) > 0);
  refuse('FileSystemConfigs', (FileSystemConfigs?.length ?? 0) > 0);
  refuse('ImageConfig', ImageConfig !== undefined);
  refuse('SnapStart', SnapStart?.ApplyOn === 'PublishedVersions');
  refuse('LoggingConfig.LogFormat JSON', LoggingConfig?.LogFormat === 'JSON');
  refuse('A log level', LoggingConfig?.ApplicationLogLevel !== undefined || LoggingConfig?.SystemLogLevel !== undefined);
  refuse('A log group of its own', isText(LoggingConfig?.LogGroup) && LoggingConfig?.LogGroup !== logGroup(functionName));
  refuse('CapacityProviderConfig', input.CapacityProviderConfig !== undefined);
  refuse('DurableConfig', input.DurableConfig !== undefined);
}

export function checkCreate(input: Lambda.CreateFunctionRequest, functionName: string): void {
  checkCommon(input, functionName);
  refuse('PackageType Image', input.PackageType === 'Image');
  refuse('CodeSigningConfigArn', isText(input.CodeSigningConfigArn));
  refuse('TenancyConfig', input.TenancyConfig !== undefined);
  refuse('PublishTo', input.PublishTo !== undefined);
}

export const checkUpdate = (input: Lambda.UpdateFunctionConfigurationRequest, functionName: string): void =>
  checkCommon(input, functionName);

export function checkCodeUpdate({ PublishTo, SourceKMSKeyArn }: Lambda.UpdateFunctionCodeRequest): void {
  refuse('PublishTo', PublishTo !== undefined);
  refuse('SourceKMSKeyArn', isText(SourceKMSKeyArn));
}

export const checkPublish = ({ PublishTo }: Lambda.PublishVersionRequest): void => refuse('PublishTo', PublishTo !== undefined);

export function checkInvoke({ DurableExecutionName, TenantId }: Lambda.InvocationRequest): void {
  refuse('DurableExecutionName', isText(DurableExecutionName));
  refuse('TenantId', isText(TenantId));
}

/** A condition that nobody checks would allow more than was asked for. */
export function checkPermission(input: Lambda.AddPermissionRequest): void {
  for (const member of ['EventSourceToken', 'PrincipalOrgID', 'FunctionUrlAuthType', 'InvokedViaFunctionUrl'] as const) {
    refuse(member, input[member] !== undefined);
  }
}

const isText = (value: string | undefined): boolean => value !== undefined && value !== '';

function refuse(what: string, isAskedFor: boolean): void {
  if (isAskedFor) throw invalidParameter(`${what} is not supported by this gateway.`);
}
