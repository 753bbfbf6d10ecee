import { publishApiKey } from '@gatehouse/control-publish';
import {
  API_KEY_VALUE_CHARS,
  apiKeyPatchRules,
  applyChanges,
  checkApiKeyDescription,
  checkApiKeyName,
  checkApiKeyValue,
  checkRoom,
  checkTags,
  conflict,
  DuplicateKey,
  notFound,
  readPatch,
  type ApiKey,
  type Page,
  type PageRequest,
  type PatchOperation,
  type Quotas,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
  type TextMap,
} from '@gatehouse/domain';
import { Secret, type Clock, type IdSource } from '@gatehouse/kernel';

export interface NewApiKey {
  readonly name?: string;
  readonly description?: string;
  readonly enabled?: boolean;
  /** Absent or empty: generated. */
  readonly value?: string;
  readonly customerId?: string;
  readonly stageKeys: readonly { readonly restApiId?: string; readonly stageName?: string }[];
  readonly tags?: TextMap;
}

/** API keys of a tenant. Nodes hear of a key as soon as it can open a door (see publishApiKey). */
export class ApiKeys {
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  async create(tenant: TenantId, request: NewApiKey): Promise<ApiKey> {
    const value = request.value === undefined || request.value === '' ? this.ids.secret(API_KEY_VALUE_CHARS) : request.value;
    checkApiKeyValue(value);
    const nowMs = this.clock.nowMs();
    const key = checkApiKey({
      id: this.ids.id(10),
      value: new Secret(value),
      name: request.name ?? null,
      description: request.description ?? null,
      customerId: request.customerId ?? null,
      enabled: request.enabled ?? false,
      createdAtMs: nowMs,
      lastUpdatedAtMs: nowMs,
      stageKeys: request.stageKeys.map(({ restApiId = '', stageName = '' }) => `${restApiId}/${stageName}`),
      tags: checkTags(request.tags ?? {}),
    });
    try {
      await this.store.transact(tenant, async (tx) => {
        checkRoomForKeys(await tx.quotas.read(), await tx.apiKeys.count());
        await checkStageKeys(tx, key.stageKeys);
        await tx.apiKeys.insert(key);
      });
    } catch (error) {
      if (error instanceof DuplicateKey) throw conflict('API Key already exists');
      throw error;
    }
    return key;
  }

  find(tenant: TenantId, apiKeyId: string): Promise<ApiKey> {
    return this.store.transact(tenant, async (tx) => (await tx.apiKeys.find(apiKeyId)) ?? unknownApiKey());
  }

  page(tenant: TenantId, filter: { namePrefix?: string; customerId?: string }, request: PageRequest): Promise<Page<ApiKey>> {
    return this.store.transact(tenant, (tx) => tx.apiKeys.page(filter, request));
  }

  update(tenant: TenantId, apiKeyId: string, operations: readonly PatchOperation[]): Promise<ApiKey> {
    return this.store.transact(tenant, async (tx) => {
      const key = (await tx.apiKeys.lock(apiKeyId)) ?? unknownApiKey();
      const changed = applyChanges(key, readPatch(operations, apiKeyPatchRules));
      if (changed === key) return key;
      if (changed.stageKeys !== key.stageKeys) {
        await checkStageKeys(
          tx,
          changed.stageKeys.filter((stageKey) => !key.stageKeys.includes(stageKey)),
        );
      }
      const updated = checkApiKey({ ...changed, lastUpdatedAtMs: this.clock.nowMs() });
      await tx.apiKeys.replace(updated);
      if (updated.enabled !== key.enabled) await publishApiKey(tx, apiKeyId);
      return updated;
    });
  }

  remove(tenant: TenantId, apiKeyId: string): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      if (!(await tx.apiKeys.remove(apiKeyId))) unknownApiKey();
      await publishApiKey(tx, apiKeyId);
    });
  }
}

function checkApiKey(key: ApiKey): ApiKey {
  checkApiKeyName(key.name ?? '');
  checkApiKeyDescription(key.description ?? '');
  return key;
}

/** Deprecated on AWS and without effect here (plans decide), yet they may only name stages that exist. */
async function checkStageKeys(tx: TenantRepositories, stageKeys: readonly string[]): Promise<void> {
  for (const stageKey of stageKeys) {
    const [apiId = '', stageName = '', ...rest] = stageKey.split('/');
    if (rest.length > 0 || (await tx.stages.find({ apiId, stageName })) === null)
      throw notFound('Invalid stage identifier specified');
  }
}

/** Throws LimitExceeded when the account has as many keys as it may have. */
export function checkRoomForKeys(quotas: Quotas, count: number): void {
  checkRoom(quotas, 'apiKeys', count, 'Maximum number of API Keys for this account has been reached.');
}

export function unknownApiKey(): never {
  throw notFound('Invalid API Key identifier specified');
}
