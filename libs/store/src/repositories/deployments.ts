import type {
  Deployment,
  DeploymentRepository,
  DeploymentSummary,
  PageRequest,
  RestApiDefinition,
  Stage,
  StageCause,
  StageHistoryEntry,
  StageHistoryRepository,
  StageRepository,
} from '@gatehouse/domain';
import { canonicalJson } from '@gatehouse/kernel';
import { columnText } from '../column-text.js';
import { compress, decompress } from '../compression.js';
import { statement } from '../statement-batch.js';
import type * as rows from '../gen/client.js';
import { ageText, document, fromDocument, PrismaRepository, type TransactionScope } from './prisma-repository.js';

interface DeploymentKey {
  readonly apiId: string;
  readonly deploymentId: string;
}

export class PrismaDeployments
  extends PrismaRepository<DeploymentKey, Deployment, rows.Deployment>
  implements DeploymentRepository
{
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'deployment',
      rows: (tx) => tx.deployment,
      table: 'deployments',
      keyColumns: ['api_id', 'id'],
      keyOf: (deployment) => ({ apiId: deployment.apiId, deploymentId: deployment.id }),
      where: (key) => ({ apiId: columnText(key.apiId), id: columnText(key.deploymentId) }),
      toRow: async ({ definition, ...rest }) => ({
        position: ageText(rest.createdAtMs, rest.id),
        document: document(rest),
        definition: await compress(canonicalJson(definition)),
      }),
      toEntity: async (row) => ({
        ...fromDocument<Omit<Deployment, 'definition'>>(row),
        definition: JSON.parse((await decompress(row.definition)).toString()) as RestApiDefinition,
      }),
    });
  }

  async page(apiId: string, request: PageRequest) {
    const { items, next } = await this.slice({ apiId: columnText(apiId) }, 'position', 'desc', request, {
      omit: { definition: true },
    });
    return { items: items.map(toSummary), next };
  }

  async summaries(apiId: string, deploymentIds: readonly string[]) {
    const where = this.owned({ apiId: columnText(apiId), id: { in: deploymentIds.map(columnText) } });
    const rows = await this.rows();
    const found = await rows.findMany({ where, orderBy: { id: 'asc' }, omit: { definition: true } });
    return found.map(toSummary);
  }
}

function toSummary(row: rows.Deployment): DeploymentSummary {
  const { apiId, id, description, createdAtMs } = fromDocument<DeploymentSummary>(row);
  return { apiId, id, description, createdAtMs };
}

interface StageKey {
  readonly apiId: string;
  readonly stageName: string;
}

export class PrismaStages extends PrismaRepository<StageKey, Stage, rows.Stage> implements StageRepository {
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'stage',
      rows: (tx) => tx.stage,
      table: 'stages',
      keyColumns: ['api_id', 'stage_name'],
      keyOf: (stage) => stage,
      where: (key) => ({ apiId: columnText(key.apiId), stageName: columnText(key.stageName) }),
      toRow: (stage) => ({
        document: document(stage),
        clientCertificateId: stage.clientCertificateId === null ? null : columnText(stage.clientCertificateId),
      }),
      toEntity: fromDocument,
    });
  }
  ofApi(apiId: string) {
    return this.list({ apiId: columnText(apiId) }, { stageName: 'asc' });
  }
  usingClientCertificate(clientCertificateId: string) {
    return this.list({ clientCertificateId: columnText(clientCertificateId) }, [{ apiId: 'asc' }, { stageName: 'asc' }]);
  }
}

const APPEND_HISTORY = statement(
  `INSERT INTO "stage_history" ("tenant_id", "api_id", "stage_name", "number", "deployment_id", "cause", "since_ms")
   SELECT $1, $2, $3, COALESCE(MAX("number"), 0) + 1, $4, $5, $6::BIGINT
   FROM "stage_history" WHERE "tenant_id" = $1 AND "api_id" = $2 AND "stage_name" = $3`,
);
const NEWEST_HISTORY = statement(
  `SELECT "number", "deployment_id", "cause", "since_ms" FROM "stage_history"
   WHERE "tenant_id" = $1 AND "api_id" = $2 AND "stage_name" = $3 AND "number" <= $4 ORDER BY "number" DESC LIMIT $5`,
);

export class PrismaStageHistory implements StageHistoryRepository {
  constructor(private readonly scope: TransactionScope) {}

  async append({ apiId, stageName, deploymentId, cause, sinceMs }: Omit<StageHistoryEntry, 'number'>): Promise<void> {
    const { tx, tenant } = this.scope;
    await tx.run(APPEND_HISTORY, [tenant, apiId, stageName, deploymentId, cause, String(sinceMs)]);
  }

  async newest(apiId: string, stageName: string, upTo: number, limit: number): Promise<StageHistoryEntry[]> {
    const { tx, tenant } = this.scope;
    const place = [tenant, columnText(apiId), columnText(stageName)];
    const { rows: found } = await tx.run(NEWEST_HISTORY, [...place, String(upTo), String(limit)]);
    return found.map(([number, deploymentId, cause, sinceMs]) => ({
      apiId,
      stageName,
      number: Number(number),
      deploymentId: deploymentId!,
      cause: cause as StageCause,
      sinceMs: Number(sinceMs),
    }));
  }
}
