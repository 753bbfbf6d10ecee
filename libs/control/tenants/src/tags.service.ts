import { placeTenant, publishStage, publishUsagePlan } from '@gatehouse/control-publish';
import {
  badRequest,
  checkTags,
  isPublishedChange,
  notFound,
  POOL_TAG,
  readLimitSettings,
  readStageTags,
  unknownClientCertificate,
  unknownDomainName,
  unknownVpcLink,
  type Repository,
  type Stage,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
  type TextMap,
} from '@gatehouse/domain';

/** Tags of whatever an ARN names. They live on the resource itself; those that say how a usage plan's limits hold, and what a stage's
 * callers are told and whom it turns away, reach the nodes. */
export class Tags {
  constructor(private readonly store: TenantStore) {}

  read(tenant: TenantId, arn: string): Promise<TextMap> {
    return this.store.transact(tenant, async (tx) => (await open(tx, arn)).tags);
  }

  /** Adds and overwrites. */
  add(tenant: TenantId, arn: string, tags: TextMap): Promise<void> {
    return this.#change(tenant, arn, (present) => checkTags({ ...present, ...tags }));
  }

  /** Keys without a tag are fine. */
  remove(tenant: TenantId, arn: string, keys: readonly string[]): Promise<void> {
    return this.#change(tenant, arn, (present) =>
      Object.fromEntries(Object.entries(present).filter(([key]) => !keys.includes(key))),
    );
  }

  #change(tenant: TenantId, arn: string, change: (tags: TextMap) => TextMap): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      const tagged = await open(tx, arn);
      await tagged.write(change(tagged.tags));
    });
  }
}

interface Tagged {
  readonly tags: TextMap;
  write(tags: TextMap): Promise<void>;
}

/** `arn:{partition}:apigateway:{region}::{resource}`: no account id; the caller's tenant decides whose resource it is. */
function resourceOf(arn: string): readonly string[] {
  const match = /^arn:aws[a-z-]*:apigateway:[a-z0-9-]+::\/(.+)$/.exec(arn);
  if (match === null) throw badRequest('Invalid ARN specified in the request');
  return match[1]!.split('/');
}

async function open(tx: TenantRepositories, arn: string): Promise<Tagged> {
  const [kind, id = '', childKind, childId, ...rest] = resourceOf(arn);
  if (rest.length > 0) throw badRequest('Invalid ARN specified in the request');
  if (kind === 'restapis' && childKind === 'stages' && childId !== undefined) return openStage(tx, id, childId);
  if (childKind !== undefined) throw badRequest('Invalid ARN specified in the request');
  switch (kind) {
    case 'restapis':
      return openRestApi(tx, id);
    case 'apikeys':
      return openSimple(tx.apiKeys, id, () => notFound('Invalid API Key identifier specified'));
    case 'usageplans':
      return openUsagePlan(tx, id);
    case 'domainnames':
      return openDomainName(tx, id);
    case 'vpclinks':
      return openSimple(tx.vpcLinks, id, unknownVpcLink);
    case 'clientcertificates':
      return openSimple(tx.clientCertificates, id, unknownClientCertificate);
    // Taggable on AWS; Gatehouse has none of these yet, so every id is unknown.
    case 'apis':
      throw notFound(`Invalid API identifier specified ${tx.tenant}:${id}`);
    default:
      throw badRequest('Invalid ARN specified in the request');
  }
}

/** What no node hears of, and nothing stands above. */
async function openSimple<E extends { readonly tags: TextMap }>(
  repository: Repository<string, E>,
  id: string,
  unknown: () => Error,
): Promise<Tagged> {
  const entity = await repository.lock(id);
  if (entity === null) throw unknown();
  return { tags: entity.tags, write: (tags) => repository.replace({ ...entity, tags }) };
}

async function openRestApi(tx: TenantRepositories, apiId: string): Promise<Tagged> {
  const api = await tx.restApis.lock(apiId);
  if (api === null) throw notFound(`Invalid API identifier specified ${tx.tenant}:${apiId}`);
  return {
    tags: api.tags,
    write: async (tags) => {
      const isMoving = tags[POOL_TAG] !== api.tags[POOL_TAG];
      if (isMoving) await tx.placement.lock();
      await tx.restApis.replace({ ...api, tags });
      if (isMoving) await placeTenant(tx);
    },
  };
}

async function openStage(tx: TenantRepositories, apiId: string, stageName: string): Promise<Tagged> {
  await openRestApi(tx, apiId);
  const stage = await tx.stages.lock({ apiId, stageName });
  if (stage === null) throw notFound('Invalid stage identifier specified');
  return {
    tags: stage.tags,
    write: async (tags) => {
      const changed: Stage = { ...stage, tags };
      readStageTags(tags);
      await tx.stages.replace(changed);
      if (isPublishedChange(stage.tags, tags)) await publishStage(tx, changed);
    },
  };
}

async function openDomainName(tx: TenantRepositories, name: string): Promise<Tagged> {
  const domain = await tx.domainNames.lock(name);
  if (domain === null) throw unknownDomainName();
  return {
    tags: domain.tags,
    write: async (tags) => {
      const isMoving = tags[POOL_TAG] !== domain.tags[POOL_TAG];
      if (isMoving) await tx.placement.lock();
      await tx.domainNames.replace({ ...domain, tags });
      if (isMoving) await placeTenant(tx);
    },
  };
}

async function openUsagePlan(tx: TenantRepositories, usagePlanId: string): Promise<Tagged> {
  const plan = await tx.usagePlans.lock(usagePlanId);
  if (plan === null) throw notFound('Invalid Usage Plan ID specified');
  return {
    tags: plan.tags,
    write: async (tags) => {
      readLimitSettings(tags);
      await tx.usagePlans.replace({ ...plan, tags });
      await publishUsagePlan(tx, { ...plan, tags });
    },
  };
}
