import { unpublishStage } from '@gatehouse/control-publish';
import {
  badRequest,
  checkLoggingRole,
  conflict,
  flushed,
  newStage,
  noSuchClientCertificate,
  notFound,
  patchStage,
  withCanary,
  type CacheEpochs,
  type CanaryRequest,
  type PatchOperation,
  type Stage,
  type StageSettings,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';
import { checkRoomForStage, findApi, lockApi, noteDeployment, publish, type Published } from './deployments.service.js';

export interface NewStage {
  readonly stageName: string;
  readonly deploymentId: string;
  readonly settings: StageSettings;
  readonly canary?: CanaryRequest;
}

/** Stages of an API: every change compiles and publishes in the transaction that makes it, or changes nothing. */
export class Stages {
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
  ) {}

  create(tenant: TenantId, apiId: string, request: NewStage): Promise<Published<Stage>> {
    return this.store.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      const { stageName, deploymentId, settings, canary } = request;
      if (deploymentId === '') throw badRequest('DeploymentId cannot be empty');
      const nowMs = this.clock.nowMs();
      const quotas = await tx.quotas.read();
      const plain = newStage(apiId, stageName, deploymentId, settings, nowMs, quotas);
      const stage = canary === undefined ? plain : withCanary(plain, canary, quotas);
      await checkDeployments(tx, stage);
      if ((await tx.stages.find({ apiId, stageName })) !== null) throw conflict('Stage already exists');
      await checkRoomForStage(tx, apiId);
      await tx.stages.insert(stage);
      await noteDeployment(tx, stage, 'CREATED', nowMs);
      return { entity: stage, revision: await publish(tx, stage, nowMs) };
    });
  }

  find(tenant: TenantId, apiId: string, stageName: string): Promise<Stage> {
    return this.store.transact(tenant, async (tx) => {
      await findApi(tx, apiId);
      return (await tx.stages.find({ apiId, stageName })) ?? unknownStage();
    });
  }

  list(tenant: TenantId, apiId: string, deploymentId: string | undefined): Promise<Stage[]> {
    return this.store.transact(tenant, async (tx) => {
      await findApi(tx, apiId);
      const stages = await tx.stages.ofApi(apiId);
      return deploymentId === undefined ? stages : stages.filter((stage) => stage.deploymentId === deploymentId);
    });
  }

  update(tenant: TenantId, apiId: string, stageName: string, operations: readonly PatchOperation[]): Promise<Published<Stage>> {
    return this.store.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      const stage = (await tx.stages.lock({ apiId, stageName })) ?? unknownStage();
      const nowMs = this.clock.nowMs();
      const changed = patchStage(stage, operations, nowMs, await tx.quotas.read());
      if (changed === stage) return { entity: stage, revision: null };
      await checkDeployments(tx, changed);
      if (changed.clientCertificateId !== stage.clientCertificateId) await holdClientCertificate(tx, changed);
      const logsChanged =
        changed.accessLogSettings !== stage.accessLogSettings || changed.methodSettings !== stage.methodSettings;
      if (logsChanged) checkLoggingRole(changed, (await tx.account.read()).cloudwatchRoleArn);
      await tx.stages.replace(changed);
      if (changed.deploymentId !== stage.deploymentId) {
        const isPromotion = operations.some(({ op, path }) => op === 'copy' && path === '/deploymentId');
        await noteDeployment(tx, changed, isPromotion ? 'PROMOTED' : 'REPOINTED', nowMs);
      }
      const { clientCertificateId: formerClientCertificateId } = stage;
      return { entity: changed, revision: await publish(tx, changed, nowMs, { formerClientCertificateId }) };
    });
  }

  /** What a cache of the nodes has kept of this stage is not used any more, once they serve the revision. */
  flush(tenant: TenantId, apiId: string, stageName: string, cache: keyof CacheEpochs): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      const stage = flushed((await tx.stages.lock({ apiId, stageName })) ?? unknownStage(), cache);
      await tx.stages.replace(stage);
      await publish(tx, stage, this.clock.nowMs());
    });
  }

  /** Usage plans that name the stage lose it. (AWS's behaviour is not documented; a plan may not name what is gone.) */
  remove(tenant: TenantId, apiId: string, stageName: string): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      if ((await tx.stages.lock({ apiId, stageName })) === null) unknownStage();
      await unpublishStage(tx, apiId, stageName);
      await tx.stages.remove({ apiId, stageName });
    });
  }
}

async function checkDeployments(tx: TenantRepositories, stage: Stage): Promise<void> {
  for (const deploymentId of new Set([stage.deploymentId, stage.canarySettings?.deploymentId ?? stage.deploymentId])) {
    const deployment = await tx.deployments.find({ apiId: stage.apiId, deploymentId });
    if (deployment === null) throw badRequest('Deployment id does not exist');
  }
}

/** Until the transaction ends: whoever deletes it waits, and then finds the stage. */
export async function holdClientCertificate(tx: TenantRepositories, { clientCertificateId: id }: Stage): Promise<void> {
  if (id !== null && (await tx.clientCertificates.lock(id)) === null) throw noSuchClientCertificate();
}

export function unknownStage(): never {
  throw notFound('Invalid stage identifier specified');
}
