import type { ApiGateway } from '@gatehouse/aws-api';
import type { Handlers } from '@gatehouse/control-wire';
import { pageRequest, unknownDomainName, type TenantStore } from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';
import { BasePathMappings } from './base-path-mappings.service.js';
import { DomainNames } from './domain-names.service.js';
import { basePathMappingToWire, domainNameToWire, inlineCertificateFromWire } from './domain-names.wire.js';

export interface DomainNameDependencies {
  readonly store: TenantStore;
  readonly clock: Clock;
  readonly ids: IdSource;
}

export type DomainNameOperations = Handlers<
  ApiGateway.Operations,
  | 'CreateDomainName'
  | 'GetDomainName'
  | 'GetDomainNames'
  | 'UpdateDomainName'
  | 'DeleteDomainName'
  | 'CreateBasePathMapping'
  | 'GetBasePathMapping'
  | 'GetBasePathMappings'
  | 'UpdateBasePathMapping'
  | 'DeleteBasePathMapping'
>;

export function domainNameOperations({ store, clock, ids }: DomainNameDependencies): DomainNameOperations {
  const domains = new DomainNames(store, clock, ids);
  const mappings = new BasePathMappings(store);
  return {
    CreateDomainName: async ({ caller }, input) =>
      domainNameToWire(await domains.create(caller.tenant, caller.region, input, inlineCertificateFromWire(input))),
    GetDomainName: async ({ caller }, input) => domainNameToWire(await domains.find(caller.tenant, named(input))),
    GetDomainNames: async ({ caller }, input) => {
      // Domain names of others are shared through access associations, of which there are none.
      if (input.resourceOwner === 'OTHER_ACCOUNTS') return { items: [] };
      const { items, next } = await domains.page(caller.tenant, pageRequest(input));
      return { items: items.map(domainNameToWire), position: next ?? undefined };
    },
    UpdateDomainName: async ({ caller }, input) =>
      domainNameToWire(await domains.update(caller.tenant, named(input), input.patchOperations)),
    DeleteDomainName: ({ caller }, input) => domains.remove(caller.tenant, named(input)),

    CreateBasePathMapping: async ({ caller }, input) => {
      const { basePath = '', restApiId, stage = '' } = input;
      return basePathMappingToWire(await mappings.create(caller.tenant, named(input), { basePath, restApiId, stage }));
    },
    GetBasePathMapping: async ({ caller }, input) =>
      basePathMappingToWire(await mappings.find(caller.tenant, named(input), input.basePath)),
    GetBasePathMappings: async ({ caller }, input) => {
      const { items, next } = await mappings.page(caller.tenant, named(input), pageRequest(input));
      return { items: items.map(basePathMappingToWire), position: next ?? undefined };
    },
    UpdateBasePathMapping: async ({ caller }, input) =>
      basePathMappingToWire(await mappings.update(caller.tenant, named(input), input.basePath, input.patchOperations)),
    DeleteBasePathMapping: ({ caller }, input) => mappings.remove(caller.tenant, named(input), input.basePath),
  };
}

/** Only private domain names have an id beside their name, and there are none. */
function named({
  domainName,
  domainNameId,
}: {
  readonly domainName: string;
  readonly domainNameId?: string | undefined;
}): string {
  if (domainNameId !== undefined && domainNameId !== '') throw unknownDomainName();
  return domainName;
}
