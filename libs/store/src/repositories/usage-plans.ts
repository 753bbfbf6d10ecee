import type {
  ApiKey,
  ApiKeyRepository,
  PageRequest,
  UsagePlan,
  UsagePlanKey,
  UsagePlanKeyRepository,
  UsagePlanRepository,
} from '@gatehouse/domain';
import { columnText } from '../column-text.js';
import type * as rows from '../gen/client.js';
import { ageText, document, fromDocument, PrismaRepository, startingWith, type TransactionScope } from './prisma-repository.js';

const sealedPlace = (scope: TransactionScope, keyId: string) => `API key ${scope.tenant}/${keyId}`;

function toApiKey(row: rows.ApiKey, scope: TransactionScope): ApiKey {
  return { ...fromDocument<Omit<ApiKey, 'value'>>(row), value: scope.sealer.open(row.sealedValue, sealedPlace(scope, row.id)) };
}

export class PrismaApiKeys extends PrismaRepository<string, ApiKey, rows.ApiKey> implements ApiKeyRepository {
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'API key',
      rows: (tx) => tx.apiKey,
      table: 'api_keys',
      keyColumns: ['id'],
      keyOf: (key) => key.id,
      where: (id) => ({ id: columnText(id) }),
      toRow: ({ value, ...rest }) => ({
        position: ageText(rest.createdAtMs, rest.id),
        valueDigest: scope.sealer.digest(value.reveal(), scope.tenant),
        sealedValue: scope.sealer.seal(value, sealedPlace(scope, rest.id)),
        name: columnText(rest.name ?? ''),
        customerId: columnText(rest.customerId ?? ''),
        document: document(rest),
      }),
      toEntity: toApiKey,
    });
  }
  page(filter: { namePrefix?: string; customerId?: string }, request: PageRequest) {
    const where = {
      ...(filter.namePrefix === undefined ? {} : { name: startingWith(filter.namePrefix) }),
      ...(filter.customerId === undefined ? {} : { customerId: columnText(filter.customerId) }),
    };
    return this.pageBy(where, 'position', 'desc', request);
  }
  async count() {
    return (await this.rows()).count({ where: this.owned({}) });
  }
  async findByValue(value: string) {
    const valueDigest = this.scope.sealer.digest(value, this.scope.tenant);
    const row = await (await this.rows()).findFirst({ where: this.owned({ valueDigest }) });
    return row === null ? null : toApiKey(row, this.scope);
  }
}

export class PrismaUsagePlans extends PrismaRepository<string, UsagePlan, rows.UsagePlan> implements UsagePlanRepository {
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'usage plan',
      rows: (tx) => tx.usagePlan,
      table: 'usage_plans',
      keyColumns: ['id'],
      keyOf: (plan) => plan.id,
      where: (id) => ({ id: columnText(id) }),
      toRow: (plan) => ({
        position: ageText(plan.createdAtMs, plan.id),
        apiIds: plan.apiStages.map(({ apiId }) => columnText(apiId)),
        stageKeys: plan.apiStages.map(({ apiId, stage }) => columnText(`${apiId}/${stage}`)),
        document: document(plan),
      }),
      toEntity: fromDocument,
    });
  }
  page(filter: { apiKeyId?: string }, request: PageRequest) {
    const where = filter.apiKeyId === undefined ? {} : { keys: { some: { apiKeyId: columnText(filter.apiKeyId) } } };
    return this.pageBy(where, 'position', 'asc', request);
  }
  async count() {
    return (await this.rows()).count({ where: this.owned({}) });
  }
  usingStage(apiId: string, stageName: string) {
    return this.list({ stageKeys: { has: columnText(`${apiId}/${stageName}`) } }, { position: 'asc' });
  }
  usingApi(apiId: string) {
    return this.list({ apiIds: { has: columnText(apiId) } }, { position: 'asc' });
  }
}

interface MembershipKey {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
}

export class PrismaUsagePlanKeys
  extends PrismaRepository<MembershipKey, UsagePlanKey, rows.UsagePlanKey>
  implements UsagePlanKeyRepository
{
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'usage plan key',
      rows: (tx) => tx.usagePlanKey,
      table: 'usage_plan_keys',
      keyColumns: ['usage_plan_id', 'api_key_id'],
      keyOf: (membership) => membership,
      where: (key) => ({ usagePlanId: columnText(key.usagePlanId), apiKeyId: columnText(key.apiKeyId) }),
      toRow: (membership) => ({
        position: ageText(membership.createdAtMs, membership.apiKeyId),
        document: document(membership),
      }),
      toEntity: fromDocument,
    });
  }
  async page(usagePlanId: string, filter: { namePrefix?: string }, request: PageRequest) {
    const where = {
      usagePlanId: columnText(usagePlanId),
      ...(filter.namePrefix === undefined ? {} : { key: { name: startingWith(filter.namePrefix) } }),
    };
    const { items, next } = await this.slice(where, 'position', 'desc', request, { include: { key: true } });
    const joined = (items as (rows.UsagePlanKey & { key: rows.ApiKey })[]).map((row) => ({
      membership: fromDocument<UsagePlanKey>(row),
      key: toApiKey(row.key, this.scope),
    }));
    return { items: joined, next };
  }
  async plansOfKey(apiKeyId: string) {
    const memberships = await this.list({ apiKeyId: columnText(apiKeyId) }, { usagePlanId: 'asc' });
    return memberships.map(({ usagePlanId }) => usagePlanId);
  }
  async keysOfPlan(usagePlanId: string) {
    const memberships = await this.list({ usagePlanId: columnText(usagePlanId) }, { apiKeyId: 'asc' });
    return memberships.map(({ apiKeyId }) => apiKeyId);
  }
}
