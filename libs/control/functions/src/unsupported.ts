/**
 * Settings of Lambda that this gateway does not have. Asking for one is an error that names it; the empty values that tools
 * send by habit are fine.
 */
import type { Lambda } from '@gatehouse/aws-api';
import { invalidParameter } from './function-lookup.js';

type Common = Lambda.CreateFunctionRequest | Lambda.UpdateFunctionConfigurationRequest;

function checkCommon(input: Common): void {
  const { VpcConfig, DeadLetterConfig, KMSKeyArn, Layers, FileSystemConfigs, ImageConfig, SnapStart, LoggingConfig } = input;
  refuse('VpcConfig', (VpcConfig?.SubnetIds?.length ?? 0) > 0 || (VpcConfig?.SecurityGroupIds?.length ?? 0) > 0);
  refuse('DeadLetterConfig', isText(DeadLetterConfig?.TargetArn));
  refuse('KMSKeyArn', isText(KMSKeyArn));
  refuse('Layers', (Layers?.length ?? 0) > 0);
  refuse('FileSystemConfigs', (FileSystemConfigs?.length ?? 0) > 0);
  refuse('ImageConfig', ImageConfig !== undefined);
  refuse('SnapStart', SnapStart?.ApplyOn === 'PublishedVersions');
  refuse('LoggingConfig.LogFormat JSON', LoggingConfig?.LogFormat === 'JSON');
  refuse('CapacityProviderConfig', input.CapacityProviderConfig !== undefined);
  refuse('DurableConfig', input.DurableConfig !== undefined);
}

export function checkCreate(input: Lambda.CreateFunctionRequest): void {
  checkCommon(input);
  refuse('PackageType Image', input.PackageType === 'Image');
  refuse('CodeSigningConfigArn', isText(input.CodeSigningConfigArn));
  refuse('TenancyConfig', input.TenancyConfig !== undefined);
  refuse('PublishTo', input.PublishTo !== undefined);
}

export const checkUpdate = (input: Lambda.UpdateFunctionConfigurationRequest): void => checkCommon(input);

const isText = (value: string | undefined): boolean => value !== undefined && value !== '';

function refuse(what: string, isAskedFor: boolean): void {
  if (isAskedFor) throw invalidParameter(`${what} is not supported by this gateway.`);
}
