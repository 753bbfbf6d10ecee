import type { OperationModel, ServiceModel } from '@gatehouse/aws-api';
import { ApiError } from '@gatehouse/domain';

const MEGABYTE = 1024 * 1024;

/** What the HTTP server must be ready to receive: a 50 MB package in base64, inside JSON. Lambda guide, "Lambda quotas". */
export const BODY_LIMIT_MAX_BYTES = 70_167_211;

const PACKAGE_OPERATIONS = new Set(['CreateFunction', 'UpdateFunctionCode', 'PublishLayerVersion']);

export function bodyLimitBytes(service: ServiceModel, operation: OperationModel): number {
  if (service.id !== 'Lambda') return 10 * MEGABYTE;
  if (operation.name === 'Invoke') return 6 * MEGABYTE;
  return PACKAGE_OPERATIONS.has(operation.name) ? BODY_LIMIT_MAX_BYTES : 10 * MEGABYTE;
}

export function bodyTooLarge(service: ServiceModel, operation: OperationModel): ApiError {
  const isInvoke = service.id === 'Lambda' && operation.name === 'Invoke';
  return new ApiError(
    isInvoke ? 'RequestTooLargeException' : 'RequestEntityTooLargeException',
    413,
    `Request must be smaller than ${bodyLimitBytes(service, operation)} bytes for the ` +
      `${isInvoke ? 'InvokeFunction' : operation.name} operation`,
  );
}
