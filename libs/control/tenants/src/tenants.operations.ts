import type { ApiGateway } from '@gatehouse/aws-api';
import type { Handlers } from '@gatehouse/control-wire';
import { accountPatchRules, applyChanges, readPatch, type AccountSettings, type TenantStore } from '@gatehouse/domain';
import { Tags } from './tags.service.js';

export interface TenantDependencies {
  readonly store: TenantStore;
}

export type TenantOperations = Handlers<
  ApiGateway.Operations,
  'GetAccount' | 'UpdateAccount' | 'TagResource' | 'UntagResource' | 'GetTags'
>;

export function tenantOperations({ store }: TenantDependencies): TenantOperations {
  const tags = new Tags(store);
  return {
    GetAccount: async ({ caller }) => accountToWire(await store.transact(caller.tenant, (tx) => tx.account.read())),
    // The role is only checked when a stage wants to log, and the throttle has no path, so no stage is published again.
    UpdateAccount: async ({ caller }, input) =>
      accountToWire(
        await store.transact(caller.tenant, async (tx) => {
          const settings = applyChanges(await tx.account.read(), readPatch(input.patchOperations, accountPatchRules));
          await tx.account.write(settings);
          return settings;
        }),
      ),
    TagResource: ({ caller }, input) => tags.add(caller.tenant, input.resourceArn, input.tags),
    UntagResource: ({ caller }, input) => tags.remove(caller.tenant, input.resourceArn, input.tagKeys),
    // Paging members exist in the model, AWS does not page tags.
    GetTags: async ({ caller }, input) => ({ tags: await tags.read(caller.tenant, input.resourceArn) }),
  };
}

function accountToWire(settings: AccountSettings): ApiGateway.Account {
  return {
    cloudwatchRoleArn: settings.cloudwatchRoleArn ?? undefined,
    throttleSettings: { rateLimit: settings.throttle.ratePerSecond, burstLimit: settings.throttle.burst },
    features: settings.features,
    apiKeyVersion: '1', // what emulators answer; AWS's value is not documented
  };
}
