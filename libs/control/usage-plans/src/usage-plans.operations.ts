import type { ApiGateway } from '@gatehouse/aws-api';
import type { Handlers } from '@gatehouse/control-wire';
import { applyChanges, badRequest, pageRequest, readPatch, usagePatchRules, type TenantStore } from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';
import { readApiKeyFile } from './api-key-file.js';
import { ApiKeyImport } from './api-key-import.service.js';
import { ApiKeys } from './api-keys.service.js';
import { UsagePlans } from './usage-plans.service.js';
import { apiKeyToWire, usagePlanFromWire, usagePlanKeyToWire, usagePlanToWire, usageToWire } from './usage-plans.wire.js';
import { Usages } from './usage.service.js';

export interface UsagePlanDependencies {
  readonly store: TenantStore;
  readonly clock: Clock;
  readonly ids: IdSource;
}

export type UsagePlanOperations = Handlers<
  ApiGateway.Operations,
  | 'CreateApiKey'
  | 'GetApiKey'
  | 'GetApiKeys'
  | 'UpdateApiKey'
  | 'DeleteApiKey'
  | 'ImportApiKeys'
  | 'CreateUsagePlan'
  | 'GetUsagePlan'
  | 'GetUsagePlans'
  | 'UpdateUsagePlan'
  | 'DeleteUsagePlan'
  | 'CreateUsagePlanKey'
  | 'GetUsagePlanKey'
  | 'GetUsagePlanKeys'
  | 'DeleteUsagePlanKey'
  | 'GetUsage'
  | 'UpdateUsage'
>;

export function usagePlanOperations({ store, clock, ids }: UsagePlanDependencies): UsagePlanOperations {
  const keys = new ApiKeys(store, clock, ids);
  const plans = new UsagePlans(store, clock, ids);
  const usages = new Usages(store, clock);
  const imported = new ApiKeyImport(store, clock, ids);
  return {
    // generateDistinctId is deprecated and has no effect: an id is never the value.
    CreateApiKey: async ({ caller }, input) =>
      apiKeyToWire(await keys.create(caller.tenant, { ...input, stageKeys: input.stageKeys ?? [] }), { value: true }),
    GetApiKey: async ({ caller }, input) =>
      apiKeyToWire(await keys.find(caller.tenant, input.apiKey), { value: input.includeValue === true }),
    GetApiKeys: async ({ caller }, input) => {
      const filter = { namePrefix: input.nameQuery, customerId: input.customerId };
      const { items, next } = await keys.page(caller.tenant, filter, pageRequest(input));
      return {
        items: items.map((key) => apiKeyToWire(key, { value: input.includeValues === true })),
        position: next ?? undefined,
      };
    },
    UpdateApiKey: async ({ caller }, input) =>
      apiKeyToWire(await keys.update(caller.tenant, input.apiKey, input.patchOperations ?? []), {
        value: false,
        emptyTags: true,
      }),
    DeleteApiKey: ({ caller }, input) => keys.remove(caller.tenant, input.apiKey),
    ImportApiKeys: async ({ caller }, input) => {
      if (input.format !== 'csv') throw badRequest('Invalid format specified. Must be csv');
      return imported.all(caller.tenant, readApiKeyFile(input.body), input.failOnWarnings === true);
    },

    CreateUsagePlan: async ({ caller }, input) =>
      usagePlanToWire(await plans.create(caller.tenant, usagePlanFromWire(input)), { emptyTags: false }),
    GetUsagePlan: async ({ caller }, input) =>
      usagePlanToWire(await plans.find(caller.tenant, input.usagePlanId), { emptyTags: true }),
    GetUsagePlans: async ({ caller }, input) => {
      const { items, next } = await plans.page(caller.tenant, { apiKeyId: input.keyId }, pageRequest(input));
      return { items: items.map((plan) => usagePlanToWire(plan, { emptyTags: false })), position: next ?? undefined };
    },
    UpdateUsagePlan: async ({ caller }, input) =>
      usagePlanToWire(await plans.update(caller.tenant, input.usagePlanId, input.patchOperations ?? []), { emptyTags: true }),
    DeleteUsagePlan: ({ caller }, input) => plans.remove(caller.tenant, input.usagePlanId),

    CreateUsagePlanKey: async ({ caller }, input) => {
      if (input.keyType !== 'API_KEY') throw badRequest('Invalid key type specified. Must be API_KEY');
      return usagePlanKeyToWire(await plans.addKey(caller.tenant, input.usagePlanId, input.keyId));
    },
    GetUsagePlanKey: async ({ caller }, input) =>
      usagePlanKeyToWire(await plans.findKey(caller.tenant, input.usagePlanId, input.keyId)),
    GetUsagePlanKeys: async ({ caller }, input) => {
      const { items, next } = await plans.pageKeys(
        caller.tenant,
        input.usagePlanId,
        { namePrefix: input.nameQuery },
        pageRequest(input),
      );
      return { items: items.map(({ key }) => usagePlanKeyToWire(key)), position: next ?? undefined };
    },
    DeleteUsagePlanKey: ({ caller }, input) => plans.removeKey(caller.tenant, input.usagePlanId, input.keyId),

    GetUsage: async ({ caller }, input) =>
      usageToWire(
        await usages.between(caller.tenant, input.usagePlanId, input.startDate, input.endDate, input.keyId, pageRequest(input)),
      ),
    UpdateUsage: async ({ caller }, input) => {
      const { remaining } = applyChanges({ remaining: null }, readPatch(input.patchOperations, usagePatchRules));
      return usageToWire(
        remaining === null
          ? await usages.current(caller.tenant, input.usagePlanId, input.keyId)
          : await usages.setRemaining(caller.tenant, input.usagePlanId, input.keyId, remaining),
      );
    },
  };
}
