import type { ApiGateway } from '@gatehouse/aws-api';
import type { Handlers } from '@gatehouse/control-wire';
import type { TenantStore } from '@gatehouse/domain';
import { Exports, type Download } from './exports.service.js';
import { sdkOf } from './sdk.js';
import { findSdkType, SDK_TYPES } from './sdk-types.js';

export interface ExportDependencies {
  readonly store: TenantStore;
}

export type ExportOperations = Handlers<ApiGateway.Operations, 'GetExport' | 'GetSdk' | 'GetSdkTypes' | 'GetSdkType'>;

export function exportOperations({ store }: ExportDependencies): ExportOperations {
  const exports = new Exports(store);
  return {
    GetExport: async ({ caller }, { restApiId, stageName, exportType, parameters, accepts }) =>
      toWire(
        await exports.ofStage(caller.tenant, restApiId, stageName, {
          type: exportType,
          extensions: parameters?.['extensions'],
          accept: accepts,
        }),
      ),
    GetSdk: async ({ caller }, { restApiId, stageName, sdkType }) =>
      toWire(await sdkOf(sdkType, await exports.deployedStage(caller.tenant, restApiId, stageName))),
    // Never more than a page.
    GetSdkTypes: async () => ({ items: SDK_TYPES }),
    GetSdkType: async (_context, { id }) => findSdkType(id),
  };
}

function toWire({ fileName, body }: Download): ApiGateway.ExportResponse & ApiGateway.SdkResponse {
  return {
    contentType: 'application/octet-stream',
    contentDisposition: `attachment; filename="${fileName}"`,
    body,
  };
}
