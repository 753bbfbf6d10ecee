import { holdForPublishing, stageEntryId, publishStage, type KnownOfStage } from '@gatehouse/control-publish';
import {
  applyChanges,
  badRequest,
  checkRoom,
  definitionDigest,
  deploymentPatchRules,
  freezeDefinition,
  newStage,
  notFound,
  readPatch,
  withCanary,
  withSettings,
  type CanaryRequest,
  type Deployment,
  type DeploymentSummary,
  type Page,
  type PageRequest,
  type PatchOperation,
  type Stage,
  type StageCause,
  type StageSettings,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';

export interface NewDeployment {
  readonly description: string | null;
  /** Absent: nothing goes live. */
  readonly stageName?: string;
  readonly stage: StageSettings;
  /** Present: the stage keeps its deployment, and this one becomes its canary. */
  readonly canary?: CanaryRequest;
}

/** A change that nodes will see, and the revision that carries it; `null` when it published nothing. */
export interface Published<T> {
  readonly entity: T;
  readonly revision: number | null;
}

/** Freezes APIs into deployments and points stages at them. */
export class Deployments {
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  /** Freezes what the API is now; with a stage name, makes it live there in the same transaction. */
  create(tenant: TenantId, apiId: string, request: NewDeployment): Promise<Published<Deployment>> {
    return this.store.transact(tenant, async (tx) => {
      const { stageName } = request;
      // Asked for at once, and so in one round trip; the API's lock comes first.
      const [api, { resources, methods, parts }, present] = await Promise.all([
        lockApi(tx, apiId),
        tx.restApis.contents(apiId),
        stageName === undefined || stageName === '' ? NO_STAGE : presentStage(tx, apiId, stageName),
      ]);
      const definition = freezeDefinition(api, resources, methods, parts);
      const deployment: Deployment = {
        apiId,
        id: this.ids.id(6),
        description: request.description,
        createdAtMs: this.clock.nowMs(),
        definition,
        digest: definitionDigest(definition),
      };
      const stage = await this.stageFor(tx, deployment.id, apiId, request, present.stage);
      if (stage === null) {
        await tx.deployments.insert(deployment);
        return { entity: deployment, revision: null };
      }
      // A canary's stage keeps its own deployment.
      const own = stage.entity.deploymentId === deployment.id ? deployment : undefined;
      const known = { api, published: present.published, ...(own && { deployment: own }) };
      // Its history refers to it.
      if (stage.isNew) await tx.stages.insert(stage.entity);
      const [revision] = await Promise.all([
        publish(tx, stage.entity, this.clock.nowMs(), known),
        tx.deployments.insert(deployment),
        stage.isNew ? undefined : tx.stages.replace(stage.entity),
        own && noteDeployment(tx, stage.entity, stage.isNew ? 'CREATED' : 'DEPLOYED', deployment.createdAtMs),
      ]);
      return { entity: deployment, revision };
    });
  }

  private async stageFor(
    tx: TenantRepositories,
    deploymentId: string,
    apiId: string,
    { stageName, stage: settings, canary }: NewDeployment,
    present: Stage | null,
  ): Promise<{ entity: Stage; isNew: boolean } | null> {
    if (stageName === undefined || stageName === '') {
      if (canary === undefined) return null;
      throw badRequest(
        'Invalid deployment content specified.Non null and non empty stageName must be provided for canary deployment. ' +
          `Provided value is ${stageName ?? 'null'}`,
      );
    }
    const nowMs = this.clock.nowMs();
    const quotas = await tx.quotas.read();
    if (canary !== undefined) {
      if (present === null) {
        throw badRequest(
          `Invalid deployment content specified.Stage ${stageName} must already be created before making a canary release deployment`,
        );
      }
      return {
        entity: withCanary(withSettings(present, settings, nowMs, quotas), { ...canary, deploymentId }, quotas),
        isNew: false,
      };
    }
    if (present === null) {
      await checkRoomForStage(tx, apiId);
      return { entity: newStage(apiId, stageName, deploymentId, settings, nowMs, quotas), isNew: true };
    }
    // API Gateway guide, "Set up an API Gateway canary release deployment": not before the canary is promoted or removed.
    if (present.canarySettings !== null) {
      throw badRequest(
        `Stage ${stageName} has a canary. Promote or remove it before deploying to the stage, or deploy with canarySettings`,
      );
    }
    return { entity: { ...withSettings(present, settings, nowMs, quotas), deploymentId }, isNew: false };
  }

  find(tenant: TenantId, apiId: string, deploymentId: string): Promise<Deployment> {
    return this.store.transact(tenant, async (tx) => {
      await findApi(tx, apiId);
      return (await tx.deployments.find({ apiId, deploymentId })) ?? unknownDeployment();
    });
  }

  page(tenant: TenantId, apiId: string, request: PageRequest): Promise<Page<DeploymentSummary>> {
    return this.store.transact(tenant, async (tx) => {
      await findApi(tx, apiId);
      return tx.deployments.page(apiId, request);
    });
  }

  /** The definition is never edited; only what is said about it. */
  update(tenant: TenantId, apiId: string, deploymentId: string, operations: readonly PatchOperation[]): Promise<Deployment> {
    return this.store.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      const deployment = (await tx.deployments.lock({ apiId, deploymentId })) ?? unknownDeployment();
      const changed = applyChanges(deployment, readPatch(operations, deploymentPatchRules));
      if (changed !== deployment) await tx.deployments.replace(changed);
      return changed;
    });
  }

  remove(tenant: TenantId, apiId: string, deploymentId: string): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      if ((await tx.deployments.lock({ apiId, deploymentId })) === null) unknownDeployment();
      const stages = await tx.stages.ofApi(apiId);
      if (stages.some((stage) => stage.deploymentId === deploymentId || stage.canarySettings?.deploymentId === deploymentId)) {
        throw badRequest('Active stages pointing to this deployment must be moved or deleted');
      }
      await tx.deployments.remove({ apiId, deploymentId });
    });
  }
}

const NO_STAGE = { stage: null, published: null };

/** The stage, locked, and its entry; with the quotas it is judged by, which are known from now on, and everything that publishing it takes. */
async function presentStage(tx: TenantRepositories, apiId: string, stageName: string) {
  const [stage, , , published] = await Promise.all([
    tx.stages.lock({ apiId, stageName }),
    tx.quotas.read(),
    holdForPublishing(tx),
    // Last: whoever places the tenant anew, for whom the line before waits, changes it.
    tx.manifest.find('STAGE', stageEntryId(apiId, stageName)),
  ]);
  return { stage, published };
}

/** Into the history of the stage: it has this deployment from now on. In the transaction that stores the stage, under the API's lock. */
export function noteDeployment(tx: TenantRepositories, stage: Stage, cause: StageCause, nowMs: number): Promise<void> {
  const { apiId, stageName, deploymentId } = stage;
  return tx.stageHistory.append({ apiId, stageName, deploymentId, cause, sinceMs: nowMs });
}

/** Publishes a stage; when that makes a new revision, it is noted which deployment it made live. */
export function publish(tx: TenantRepositories, stage: Stage, nowMs: number, known: KnownOfStage = {}): Promise<number> {
  return publishStage(tx, stage, { ...known, publishedAtMs: nowMs });
}

export async function lockApi(tx: TenantRepositories, apiId: string) {
  return (await tx.restApis.lock(apiId)) ?? unknownApi(tx.tenant, apiId);
}

export async function findApi(tx: TenantRepositories, apiId: string) {
  return (await tx.restApis.find(apiId)) ?? unknownApi(tx.tenant, apiId);
}

/** The API is locked by the caller, so the count holds. Wording after that of the resource limit. */
export async function checkRoomForStage(tx: TenantRepositories, apiId: string): Promise<void> {
  checkRoom(
    await tx.quotas.read(),
    'stages',
    (await tx.stages.ofApi(apiId)).length,
    'Maximum number of Stages for this API has been reached.  Please contact AWS if you need additional Stages.',
  );
}

function unknownApi(tenant: TenantId, apiId: string): never {
  throw notFound(`Invalid API identifier specified ${tenant}:${apiId}`);
}

export function unknownDeployment(): never {
  throw notFound('Invalid Deployment identifier specified');
}
