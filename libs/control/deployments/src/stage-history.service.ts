import {
  badRequest,
  checkTags,
  conflict,
  newStage,
  previousDeployment,
  type Stage,
  type StageHistoryEntry,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';
import {
  checkRoomForStage,
  findApi,
  lockApi,
  noteDeployment,
  publish,
  unknownDeployment,
  type Published,
} from './deployments.service.js';
import { holdClientCertificate, unknownStage } from './stages.service.js';

/** Only a stage that has it is repointed by a preview: the name of another one is a slip. */
export const PREVIEW_TAG = 'gatehouse:preview';

/** A deployment that a stage had, or has. */
export interface StagePeriod {
  readonly deploymentId: string;
  readonly cause: StageHistoryEntry['cause'];
  readonly sinceMs: number;
  /** `null`: until now. */
  readonly untilMs: number | null;
  readonly description: string | null;
  /** It was deleted, and nobody can return to it. */
  readonly isDeleted: boolean;
}

export interface PreviewRequest {
  readonly stageName: string;
  /** A stage whose settings and variables the preview has, too. */
  readonly like?: string | undefined;
}

const HISTORY_MAX = 2 ** 31 - 1;

/** The deployments a stage had, and the ways back to them. */
export class StageHistories {
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
  ) {}

  /** Newest first; `next` is the `upTo` of the next page. */
  page(
    tenant: TenantId,
    apiId: string,
    stageName: string,
    { upTo = HISTORY_MAX, limit }: { readonly upTo?: number | undefined; readonly limit: number },
  ): Promise<{ items: StagePeriod[]; next: number | null }> {
    return this.store.transact(tenant, async (tx) => {
      await findApi(tx, apiId);
      if ((await tx.stages.find({ apiId, stageName })) === null) unknownStage();
      // One more at either end: the newer says until when, the older that there is another page.
      const newer = upTo === HISTORY_MAX ? 0 : 1;
      const entries = await tx.stageHistory.newest(apiId, stageName, upTo + newer, limit + newer + 1);
      const shown = entries.slice(newer, newer + limit);
      const ids = [...new Set(shown.map(({ deploymentId }) => deploymentId))];
      const deployments = new Map((await tx.deployments.summaries(apiId, ids)).map((summary) => [summary.id, summary]));
      const items = shown.map(({ deploymentId, cause, sinceMs }, index): StagePeriod => ({
        deploymentId,
        cause,
        sinceMs,
        untilMs: entries[index + newer - 1]?.sinceMs ?? null,
        description: deployments.get(deploymentId)?.description ?? null,
        isDeleted: !deployments.has(deploymentId),
      }));
      return { items, next: entries[newer + limit]?.number ?? null };
    });
  }

  /**
   * Back to a deployment, or to the one before the present. A canary ends with it: whoever rolls back wants all callers on what he
   * names. Stage variables and settings stay, as with UpdateStage.
   */
  rollBack(tenant: TenantId, apiId: string, stageName: string, deploymentId: string | null): Promise<Published<Stage>> {
    return this.store.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      const stage = (await tx.stages.lock({ apiId, stageName })) ?? unknownStage();
      const target = deploymentId ?? (await this.#previous(tx, stage));
      const deployment = await tx.deployments.find({ apiId, deploymentId: target });
      if (deployment === null) throw badRequest(`Deployment id does not exist: ${target}`);
      if (stage.deploymentId === target && stage.canarySettings === null) return { entity: stage, revision: null };
      const nowMs = this.clock.nowMs();
      const changed: Stage = { ...stage, deploymentId: target, canarySettings: null, lastUpdatedAtMs: nowMs };
      await tx.stages.replace(changed);
      if (stage.deploymentId !== target) await noteDeployment(tx, changed, 'ROLLED_BACK', nowMs);
      return { entity: changed, revision: await publish(tx, changed, nowMs, { deployment }) };
    });
  }

  /** A stage of its own on which a deployment can be called; another preview of that name is pointed at it. */
  preview(tenant: TenantId, apiId: string, deploymentId: string, request: PreviewRequest): Promise<Published<Stage>> {
    return this.store.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      const deployment = (await tx.deployments.find({ apiId, deploymentId })) ?? unknownDeployment();
      const { stageName, like } = request;
      const present = await tx.stages.lock({ apiId, stageName });
      if (present !== null && !Object.hasOwn(present.tags, PREVIEW_TAG))
        throw conflict(`Stage ${stageName} exists and is no preview: it has no tag ${PREVIEW_TAG}`);
      const nowMs = this.clock.nowMs();
      const base = present ?? newStage(apiId, stageName, deploymentId, {}, nowMs);
      const settings = like === undefined ? {} : settingsOf((await tx.stages.find({ apiId, stageName: like })) ?? unknownStage());
      const stage: Stage = {
        ...base,
        ...settings,
        deploymentId,
        tags: checkTags({ ...base.tags, [PREVIEW_TAG]: deploymentId }),
        lastUpdatedAtMs: nowMs,
      };
      if (present === null) await checkRoomForStage(tx, apiId);
      await holdClientCertificate(tx, stage);
      await (present === null ? tx.stages.insert(stage) : tx.stages.replace(stage));
      if (present?.deploymentId !== deploymentId) await noteDeployment(tx, stage, 'PREVIEWED', nowMs);
      const formerClientCertificateId = present?.clientCertificateId ?? null;
      return { entity: stage, revision: await publish(tx, stage, nowMs, { deployment, formerClientCertificateId }) };
    });
  }

  async #previous(tx: TenantRepositories, { apiId, stageName, deploymentId }: Stage): Promise<string> {
    // The last entry is the present one; before it stands another deployment, unless the stage never had one.
    return previousDeployment(await tx.stageHistory.newest(apiId, stageName, HISTORY_MAX, 2), deploymentId);
  }
}

/** What callers notice of a stage, but for its deployment, its canary and what stands before it. */
function settingsOf(stage: Stage): Partial<Stage> {
  const { variables, methodSettings, cacheClusterEnabled, cacheClusterSize, tracingEnabled, accessLogSettings } = stage;
  const { clientCertificateId } = stage;
  return {
    variables,
    methodSettings,
    cacheClusterEnabled,
    cacheClusterSize,
    tracingEnabled,
    accessLogSettings,
    clientCertificateId,
  };
}
