import type { ApiGateway } from '@gatehouse/aws-api';
import type { Deployment, DeploymentSummary, MethodSetting, Stage, TextMap } from '@gatehouse/domain';

export function deploymentToWire(deployment: DeploymentSummary): ApiGateway.Deployment {
  return {
    id: deployment.id,
    description: deployment.description ?? undefined,
    createdDate: new Date(deployment.createdAtMs),
  };
}

/** Resource path to verb to what an operator wants to know at a glance. */
export function apiSummary({ definition }: Deployment): NonNullable<ApiGateway.Deployment['apiSummary']> {
  const paths = new Map(definition.resources.map(({ id, path }) => [id, path]));
  const summary: Record<string, Record<string, ApiGateway.MethodSnapshot>> = {};
  for (const { resourceId, httpMethod, authorizationType, apiKeyRequired } of definition.methods) {
    const path = paths.get(resourceId)!;
    (summary[path] ??= {})[httpMethod] = { authorizationType, apiKeyRequired };
  }
  return summary;
}

export function stageToWire(stage: Stage): ApiGateway.Stage {
  const canary = stage.canarySettings;
  return {
    deploymentId: stage.deploymentId,
    clientCertificateId: stage.clientCertificateId ?? undefined,
    stageName: stage.stageName,
    description: stage.description ?? undefined,
    cacheClusterEnabled: stage.cacheClusterEnabled,
    cacheClusterSize: (stage.cacheClusterSize ?? undefined) as ApiGateway.CacheClusterSize | undefined, // domain checks it
    // A cluster is there as soon as it is asked for; Terraform waits for this status.
    cacheClusterStatus: stage.cacheClusterEnabled ? 'AVAILABLE' : 'NOT_AVAILABLE',
    methodSettings: Object.fromEntries(
      Object.entries(stage.methodSettings).map(([key, setting]) => [key, settingToWire(setting)]),
    ),
    variables: unlessEmpty(stage.variables),
    documentationVersion: stage.documentationVersion ?? undefined,
    accessLogSettings:
      stage.accessLogSettings === null
        ? undefined
        : {
            format: stage.accessLogSettings.format ?? undefined,
            destinationArn: stage.accessLogSettings.destinationArn ?? undefined,
          },
    canarySettings:
      canary === null
        ? undefined
        : {
            percentTraffic: canary.percentTraffic,
            deploymentId: canary.deploymentId,
            stageVariableOverrides: unlessEmpty(canary.stageVariableOverrides),
            useStageCache: canary.useStageCache,
          },
    tracingEnabled: stage.tracingEnabled,
    webAclArn: stage.webAclArn ?? undefined,
    tags: unlessEmpty(stage.tags),
    createdDate: new Date(stage.createdAtMs),
    lastUpdatedDate: new Date(stage.lastUpdatedAtMs),
  };
}

function settingToWire(setting: MethodSetting): ApiGateway.MethodSetting {
  return {
    ...setting,
    loggingLevel: setting.loggingLevel ?? undefined,
    // Domain checks it.
    unauthorizedCacheControlHeaderStrategy:
      setting.unauthorizedCacheControlHeaderStrategy as ApiGateway.UnauthorizedCacheControlHeaderStrategy,
  };
}

/** AWS omits these maps when they are empty (reference 2.6). */
const unlessEmpty = (map: TextMap | null): TextMap | undefined =>
  map === null || Object.keys(map).length === 0 ? undefined : map;
