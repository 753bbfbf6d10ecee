import {
  badRequest,
  diffDefinitions,
  draftDefinition,
  type DefinitionChange,
  type RestApiDefinition,
  type Stage,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import { findApi, unknownDeployment } from './deployments.service.js';
import { unknownStage } from './stages.service.js';

/** The working copy: what the next deployment would freeze. */
export const DRAFT = 'draft';
const OF_STAGE = 'stage:';

/** One side of a comparison. */
export interface DiffSide {
  /** `null`: the working copy. */
  readonly deploymentId: string | null;
}

export interface DefinitionDiff {
  readonly from: DiffSide;
  readonly to: DiffSide;
  readonly changes: readonly DefinitionChange[];
}

/** A stage, and what was saved since its deployment was made. */
export interface StageReport {
  readonly stage: Stage;
  readonly undeployed: readonly DefinitionChange[];
}

/** What differs between the working copy, stages and deployments of an API. */
export class Diffs {
  constructor(private readonly store: TenantStore) {}

  /** `from`, `to`: `draft`, `stage:{name}` or the id of a deployment. */
  between(tenant: TenantId, apiId: string, from: string, to: string): Promise<DefinitionDiff> {
    return this.store.transact(tenant, async (tx) => {
      const [before, after] = [await sideOf(tx, apiId, from), await sideOf(tx, apiId, to)];
      return {
        from: { deploymentId: before.deploymentId },
        to: { deploymentId: after.deploymentId },
        changes: diffDefinitions(before.definition, after.definition),
      };
    });
  }

  stage(tenant: TenantId, apiId: string, stageName: string): Promise<StageReport> {
    return this.store.transact(tenant, async (tx) => {
      const draft = await draftOf(tx, apiId);
      const stage = (await tx.stages.find({ apiId, stageName })) ?? unknownStage();
      return { stage, undeployed: diffDefinitions(await definitionOf(tx, apiId, stage.deploymentId), draft) };
    });
  }

  /** By name. */
  stages(tenant: TenantId, apiId: string): Promise<StageReport[]> {
    return this.store.transact(tenant, async (tx) => {
      const draft = await draftOf(tx, apiId);
      const reports: StageReport[] = [];
      // One after the other: a definition may be large.
      for (const stage of await tx.stages.ofApi(apiId)) {
        reports.push({ stage, undeployed: diffDefinitions(await definitionOf(tx, apiId, stage.deploymentId), draft) });
      }
      return reports;
    });
  }
}

async function sideOf(
  tx: TenantRepositories,
  apiId: string,
  name: string,
): Promise<{ readonly deploymentId: string | null; readonly definition: RestApiDefinition }> {
  if (name === '') throw badRequest('Invalid value: expected draft, stage:{name} or the id of a deployment, got ""');
  if (name === DRAFT) return { deploymentId: null, definition: await draftOf(tx, apiId) };
  await findApi(tx, apiId);
  const deploymentId = name.startsWith(OF_STAGE) ? await deploymentOf(tx, apiId, name.slice(OF_STAGE.length)) : name;
  return { deploymentId, definition: await definitionOf(tx, apiId, deploymentId) };
}

async function draftOf(tx: TenantRepositories, apiId: string): Promise<RestApiDefinition> {
  const api = await findApi(tx, apiId);
  const { resources, methods, parts } = await tx.restApis.contents(apiId);
  return draftDefinition(api, resources, methods, parts);
}

async function deploymentOf(tx: TenantRepositories, apiId: string, stageName: string): Promise<string> {
  return ((await tx.stages.find({ apiId, stageName })) ?? unknownStage()).deploymentId;
}

async function definitionOf(tx: TenantRepositories, apiId: string, deploymentId: string): Promise<RestApiDefinition> {
  return ((await tx.deployments.find({ apiId, deploymentId })) ?? unknownDeployment()).definition;
}
