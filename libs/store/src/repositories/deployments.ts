import type {
  Deployment,
  DeploymentRepository,
  DeploymentSummary,
  PageRequest,
  RestApiDefinition,
  Stage,
  StageRepository,
} from '@gatehouse/domain';
import { canonicalJson } from '@gatehouse/kernel';
import { columnText } from '../column-text.js';
import { compress, decompress } from '../compression.js';
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
    const summaries = items.map((row): DeploymentSummary => {
      const { id, description, createdAtMs } = fromDocument<DeploymentSummary>(row);
      return { apiId, id, description, createdAtMs };
    });
    return { items: summaries, next };
  }
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
