/** Stages in the admin API: what is not deployed, what was, and the ways back. */
import { badRequest, type DefinitionChange, type RolloutWaiter, type TenantId, type TenantStore } from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';
import { Diffs, type DefinitionDiff, type StageReport } from './diffs.service.js';
import { StageHistories, type PreviewRequest, type StagePeriod } from './stage-history.service.js';
import { readWait, waitUntilLive } from './wait-live.js';

type Headers = Readonly<Record<string, string>>;

export interface DiffView extends DefinitionDiff {
  readonly count: number;
}

export interface StageView {
  readonly stageName: string;
  readonly deploymentId: string;
  readonly canaryDeploymentId: string | null;
  readonly undeployed: {
    readonly count: number;
    readonly concerns: readonly string[];
    readonly changes?: readonly DefinitionChange[];
  };
}

export interface PeriodView {
  readonly deploymentId: string;
  readonly description: string | null;
  readonly cause: StagePeriod['cause'];
  /** ISO 8601. */
  readonly since: string;
  /** `null`: until now. */
  readonly until: string | null;
  readonly isDeleted: boolean;
}

export interface HistoryView {
  readonly stageName: string;
  readonly items: readonly PeriodView[];
  /** Of the next page. */
  readonly position: string | null;
}

export interface RepointedView {
  readonly stageName: string;
  readonly deploymentId: string;
  /** That carries the change to the nodes; `null` when nothing had to change. */
  readonly revision: number | null;
}

const PAGE_DEFAULT = 25;
const PAGE_MAX = 500;

export class StageAdmin {
  private readonly diffs: Diffs;
  private readonly histories: StageHistories;

  constructor(
    store: TenantStore,
    clock: Clock,
    private readonly waiter: RolloutWaiter,
  ) {
    this.diffs = new Diffs(store);
    this.histories = new StageHistories(store, clock);
  }

  async diff(tenant: TenantId, apiId: string, from: string, to: string): Promise<DiffView> {
    const { changes, ...sides } = await this.diffs.between(tenant, apiId, from, to);
    return { ...sides, count: changes.length, changes };
  }

  async stages(tenant: TenantId, apiId: string): Promise<StageView[]> {
    return (await this.diffs.stages(tenant, apiId)).map((report) => stageView(report, false));
  }

  async stage(tenant: TenantId, apiId: string, stageName: string): Promise<StageView> {
    return stageView(await this.diffs.stage(tenant, apiId, stageName), true);
  }

  async history(
    tenant: TenantId,
    apiId: string,
    stageName: string,
    query: { readonly position?: string | undefined; readonly limit?: number | undefined },
  ): Promise<HistoryView> {
    const limit = Math.min(query.limit ?? PAGE_DEFAULT, PAGE_MAX);
    const { items, next } = await this.histories.page(tenant, apiId, stageName, { upTo: readPosition(query.position), limit });
    return { stageName, items: items.map(periodView), position: next === null ? null : String(next) };
  }

  async rollBack(
    tenant: TenantId,
    apiId: string,
    stageName: string,
    deploymentId: string | null,
    headers: Headers,
  ): Promise<RepointedView> {
    const timeoutMs = readWait(headers);
    const { entity, revision } = await this.histories.rollBack(tenant, apiId, stageName, deploymentId);
    await waitUntilLive(this.waiter, timeoutMs, revision, `Stage ${stageName}`);
    return { stageName, deploymentId: entity.deploymentId, revision };
  }

  async preview(
    tenant: TenantId,
    apiId: string,
    deploymentId: string,
    request: PreviewRequest,
    headers: Headers,
  ): Promise<RepointedView> {
    const timeoutMs = readWait(headers);
    const { entity, revision } = await this.histories.preview(tenant, apiId, deploymentId, request);
    await waitUntilLive(this.waiter, timeoutMs, revision, `Stage ${entity.stageName}`);
    return { stageName: entity.stageName, deploymentId, revision };
  }
}

function stageView({ stage, undeployed }: StageReport, isWhole: boolean): StageView {
  return {
    stageName: stage.stageName,
    deploymentId: stage.deploymentId,
    canaryDeploymentId: stage.canarySettings?.deploymentId ?? null,
    undeployed: {
      count: undeployed.length,
      concerns: [...new Set(undeployed.flatMap(({ concerns }) => concerns))].sort(),
      ...(isWhole && { changes: undeployed }),
    },
  };
}

const periodView = ({ deploymentId, description, cause, sinceMs, untilMs, isDeleted }: StagePeriod): PeriodView => ({
  deploymentId,
  description,
  cause,
  since: new Date(sinceMs).toISOString(),
  until: untilMs === null ? null : new Date(untilMs).toISOString(),
  isDeleted,
});

function readPosition(position: string | undefined): number | undefined {
  if (position === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(position)) return Number(position);
  throw badRequest('Invalid position parameter');
}
