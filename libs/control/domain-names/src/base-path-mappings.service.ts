import { publishDomainName } from '@gatehouse/control-publish';
import {
  applyChanges,
  badRequest,
  basePathMappingPatchRules,
  checkBasePath,
  conflict,
  DuplicateKey,
  checkRoom,
  readBasePath,
  readPatch,
  readStage,
  servedCertificateId,
  unknownDomainName,
  unknownMapping,
  type BasePathMapping,
  type DomainName,
  type Page,
  type PageRequest,
  type PatchOperation,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';

export interface NewMapping {
  readonly basePath: string;
  readonly restApiId: string;
  readonly stage: string;
}

/** Base path mappings. Locks: the API, then the domain name, which stands for all of its mappings, then the certificate it shows. */
export class BasePathMappings {
  constructor(private readonly store: TenantStore) {}

  create(tenant: TenantId, domainName: string, request: NewMapping): Promise<BasePathMapping> {
    return this.store.transact(tenant, async (tx) => {
      const mapping: BasePathMapping = {
        domainName,
        basePath: checkBasePath(request.basePath),
        restApiId: request.restApiId,
        stage: readStage(request.stage),
      };
      const target = await lockTarget(tx, mapping);
      const domain = await lockDomain(tx, domainName);
      if (target !== null) throw target;
      checkRoom(
        await tx.quotas.read(),
        'basePathMappings',
        (await tx.basePathMappings.ofDomain(domainName)).length,
        'Maximum number of base path mappings for this domain name has been reached.',
      );
      await insert(tx, mapping);
      await publishDomainName(tx, domain);
      return mapping;
    });
  }

  find(tenant: TenantId, domainName: string, basePath: string): Promise<BasePathMapping> {
    return this.store.transact(tenant, async (tx) => {
      if ((await tx.domainNames.find(domainName)) === null) throw unknownDomainName();
      return (await tx.basePathMappings.find({ domainName, basePath: readBasePath(basePath) })) ?? refuse();
    });
  }

  /** A position is a path with its slash: the one of the empty base path is not empty. */
  page(tenant: TenantId, domainName: string, { after, limit }: PageRequest): Promise<Page<BasePathMapping>> {
    return this.store.transact(tenant, async (tx) => {
      if ((await tx.domainNames.find(domainName)) === null) throw unknownDomainName();
      const inPaths = after?.startsWith('/') === true ? after.slice(1) : null;
      const { items, next } = await tx.basePathMappings.page(domainName, { after: inPaths, limit });
      return { items, next: next === null ? null : `/${next}` };
    });
  }

  update(
    tenant: TenantId,
    domainName: string,
    basePath: string,
    operations: readonly PatchOperation[] | undefined,
  ): Promise<BasePathMapping> {
    const key = { domainName, basePath: readBasePath(basePath) };
    return this.store.transact(tenant, async (tx) => {
      // A first look says which API is to be locked before the domain name.
      const changes = readPatch(operations, basePathMappingPatchRules);
      const seen = await tx.basePathMappings.find(key);
      const target = seen === null ? null : await lockTarget(tx, applyChanges(seen, changes));
      const domain = await lockDomain(tx, domainName);
      const mapping = (await tx.basePathMappings.lock(key)) ?? refuse();
      const changed = applyChanges(mapping, changes);
      const isElsewhere = changed.restApiId !== mapping.restApiId || changed.stage !== mapping.stage;
      if (isElsewhere && target !== null) throw target;
      if (changed.basePath === mapping.basePath) await tx.basePathMappings.replace(changed);
      else {
        await insert(tx, changed);
        await tx.basePathMappings.remove(key);
      }
      await publishDomainName(tx, domain);
      return changed;
    });
  }

  remove(tenant: TenantId, domainName: string, basePath: string): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      const domain = await lockDomain(tx, domainName);
      if (!(await tx.basePathMappings.remove({ domainName, basePath: readBasePath(basePath) }))) refuse();
      await publishDomainName(tx, domain);
    });
  }
}

/** Keeps the API while it is mapped. What is wrong with the target is thrown later: an unknown domain name is told first. */
async function lockTarget(tx: TenantRepositories, { restApiId, stage }: BasePathMapping): Promise<Error | null> {
  if ((await tx.restApis.lock(restApiId)) === null) return badRequest('Invalid REST API identifier specified');
  if (stage === null || (await tx.stages.find({ apiId: restApiId, stageName: stage })) !== null) return null;
  return badRequest('Invalid stage identifier specified');
}

async function lockDomain(tx: TenantRepositories, domainName: string): Promise<DomainName> {
  const domain = await tx.domainNames.lock(domainName);
  if (domain === null) throw unknownDomainName();
  await tx.certificates.lock(servedCertificateId(domain));
  return domain;
}

async function insert(tx: TenantRepositories, mapping: BasePathMapping): Promise<void> {
  try {
    await tx.basePathMappings.insert(mapping);
  } catch (error) {
    if (error instanceof DuplicateKey) throw conflict('Base path already exists for this domain name');
    throw error;
  }
}

function refuse(): never {
  throw unknownMapping();
}
