import {
  documentText,
  exportFileName,
  exportOpenApi,
  exportVersion,
  notFound,
  readExportExtensions,
  readExportFormat,
  readExportType,
  unknownApi,
  type Deployment,
  type DocumentationVersion,
  type ExportSource,
  type Stage,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';

/** As a caller says it; read here. */
export interface ExportRequest {
  readonly type: string;
  /** A list with commas. */
  readonly extensions?: string | undefined;
  /** The header `Accept`. */
  readonly accept?: string | undefined;
}

export interface Download {
  readonly fileName: string;
  readonly body: Uint8Array;
}

/** A stage and what it serves. */
export interface DeployedStage {
  readonly deployment: Deployment;
  readonly stageName: string;
  readonly documentation: DocumentationVersion | null;
}

/** APIs as documents: what a stage serves, or what any deployment was. Never the working copy. */
export class Exports {
  constructor(private readonly store: TenantStore) {}

  /** What the stage serves; of a stage with a canary, what most callers get. */
  async ofStage(tenant: TenantId, apiId: string, stageName: string, request: ExportRequest): Promise<Download> {
    const { deployment, documentation } = await this.deployedStage(tenant, apiId, stageName);
    return download({ definition: deployment.definition, stageName, documentation }, request);
  }

  /** What a deployment was; with a stage's name, as that stage would serve it today: its base path, its documentation. */
  async ofDeployment(
    tenant: TenantId,
    apiId: string,
    deploymentId: string,
    stageName: string | null,
    request: ExportRequest,
  ): Promise<Download> {
    const source = await this.store.transact(tenant, async (tx) => {
      await findApi(tx, apiId);
      const stage = stageName === null ? null : await findStage(tx, apiId, stageName);
      const deployment = await tx.deployments.find({ apiId, deploymentId });
      if (deployment === null) throw notFound('Invalid Deployment identifier specified');
      const documentation = stage === null ? null : await documentationOf(tx, stage);
      return { definition: deployment.definition, stageName, documentation };
    });
    return download(source, request);
  }

  /** Throws NotFound. */
  deployedStage(tenant: TenantId, apiId: string, stageName: string): Promise<DeployedStage> {
    return this.store.transact(tenant, async (tx) => {
      await findApi(tx, apiId);
      const stage = await findStage(tx, apiId, stageName);
      const { deploymentId } = stage;
      const deployment = await tx.deployments.find({ apiId, deploymentId });
      if (deployment === null) throw new Error(`stage ${apiId}/${stageName} points at deployment ${deploymentId}, which is gone`);
      return { deployment, stageName, documentation: await documentationOf(tx, stage) };
    });
  }
}

async function findStage(tx: TenantRepositories, apiId: string, stageName: string): Promise<Stage> {
  const stage = await tx.stages.find({ apiId, stageName });
  if (stage === null) throw notFound('Invalid stage identifier specified');
  return stage;
}

/** A stage may name a version that is deleted by now. */
async function documentationOf(tx: TenantRepositories, stage: Stage): Promise<DocumentationVersion | null> {
  const { apiId, documentationVersion: id } = stage;
  return id === null ? null : tx.documentationVersions.find({ apiId, id });
}

function download(source: ExportSource, request: ExportRequest): Download {
  const type = readExportType(request.type);
  const format = readExportFormat(request.accept);
  const document = exportOpenApi(source, type, readExportExtensions(request.extensions));
  return {
    fileName: exportFileName(type, exportVersion(source.definition.api), format),
    body: Buffer.from(documentText(document, format)),
  };
}

async function findApi(tx: TenantRepositories, apiId: string): Promise<void> {
  if ((await tx.restApis.find(apiId)) === null) throw unknownApi(tx.tenant, apiId);
}
