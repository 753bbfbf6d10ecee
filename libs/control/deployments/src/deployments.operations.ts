import type { ApiGateway } from '@gatehouse/aws-api';
import type { Handlers } from '@gatehouse/control-wire';
import { pageRequest, type RolloutWaiter, type StageSettings, type TenantStore } from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';
import { Deployments } from './deployments.service.js';
import { apiSummary, deploymentToWire, stageToWire } from './deployments.wire.js';
import { Stages } from './stages.service.js';
import { readWait, waitUntilLive } from './wait-live.js';

export interface DeploymentDependencies {
  readonly store: TenantStore;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly waiter: RolloutWaiter;
}

export type DeploymentOperations = Handlers<
  ApiGateway.Operations,
  | 'CreateDeployment'
  | 'GetDeployment'
  | 'GetDeployments'
  | 'UpdateDeployment'
  | 'DeleteDeployment'
  | 'CreateStage'
  | 'GetStage'
  | 'GetStages'
  | 'UpdateStage'
  | 'DeleteStage'
  | 'FlushStageCache'
  | 'FlushStageAuthorizersCache'
>;

export function deploymentOperations({ store, clock, ids, waiter }: DeploymentDependencies): DeploymentOperations {
  const deployments = new Deployments(store, clock, ids);
  const stages = new Stages(store, clock);
  return {
    CreateDeployment: async ({ caller, headers }, input) => {
      const timeoutMs = readWait(headers);
      const { entity, revision } = await deployments.create(caller.tenant, input.restApiId, {
        description: input.description ?? null,
        stageName: input.stageName,
        stage: stageSettings(input, input.stageDescription),
        canary: input.canarySettings,
      });
      await waitUntilLive(waiter, timeoutMs, revision, `Deployment ${entity.id}`);
      return deploymentToWire(entity);
    },
    GetDeployment: async ({ caller }, input) => {
      const deployment = await deployments.find(caller.tenant, input.restApiId, input.deploymentId);
      const wire = deploymentToWire(deployment);
      return input.embed?.includes('apisummary') === true ? { ...wire, apiSummary: apiSummary(deployment) } : wire;
    },
    GetDeployments: async ({ caller }, input) => {
      const { items, next } = await deployments.page(caller.tenant, input.restApiId, pageRequest(input));
      return { items: items.map(deploymentToWire), position: next ?? undefined };
    },
    UpdateDeployment: async ({ caller }, input) =>
      deploymentToWire(await deployments.update(caller.tenant, input.restApiId, input.deploymentId, input.patchOperations ?? [])),
    DeleteDeployment: ({ caller }, input) => deployments.remove(caller.tenant, input.restApiId, input.deploymentId),

    CreateStage: async ({ caller }, input) => {
      const { entity } = await stages.create(caller.tenant, input.restApiId, {
        stageName: input.stageName,
        deploymentId: input.deploymentId,
        settings: stageSettings(input, input.description),
        canary: input.canarySettings,
      });
      return stageToWire(entity);
    },
    GetStage: async ({ caller }, input) => stageToWire(await stages.find(caller.tenant, input.restApiId, input.stageName)),
    GetStages: async ({ caller }, input) => ({
      item: (await stages.list(caller.tenant, input.restApiId, input.deploymentId)).map(stageToWire),
    }),
    UpdateStage: async ({ caller, headers }, input) => {
      const timeoutMs = readWait(headers);
      const { entity, revision } = await stages.update(
        caller.tenant,
        input.restApiId,
        input.stageName,
        input.patchOperations ?? [],
      );
      await waitUntilLive(waiter, timeoutMs, revision, `Deployment ${entity.deploymentId} on stage ${entity.stageName}`);
      return stageToWire(entity);
    },
    DeleteStage: ({ caller }, input) => stages.remove(caller.tenant, input.restApiId, input.stageName),
    FlushStageCache: ({ caller }, input) => stages.flush(caller.tenant, input.restApiId, input.stageName, 'responses'),
    FlushStageAuthorizersCache: ({ caller }, input) =>
      stages.flush(caller.tenant, input.restApiId, input.stageName, 'authorizers'),
  };
}

/** What CreateDeployment and CreateStage say alike about a stage. */
function stageSettings(
  input: ApiGateway.CreateDeploymentRequest | ApiGateway.CreateStageRequest,
  description: string | undefined,
): StageSettings {
  return {
    description,
    cacheClusterEnabled: input.cacheClusterEnabled,
    cacheClusterSize: input.cacheClusterSize,
    variables: input.variables,
    documentationVersion: 'documentationVersion' in input ? input.documentationVersion : undefined,
    tracingEnabled: input.tracingEnabled,
    tags: 'tags' in input ? input.tags : undefined,
  };
}
