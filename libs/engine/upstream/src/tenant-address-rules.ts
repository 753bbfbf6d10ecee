import { AddressRules, type AddressRulesOptions, type AllowedRange } from './address-rules.js';

export interface TenantAddressRulesOptions extends AddressRulesOptions {
  /** Tenants with ranges of their own, instead of `allow`. What is refused to all stays refused to them. */
  readonly tenants?: ReadonlyMap<string, readonly AllowedRange[]>;
}

/** The operator's word on what each tenant may reach; fixed for the life of the process. */
export class TenantAddressRules {
  private readonly standard: AddressRules;
  /** Of addresses that the operator chose himself: private networks and this machine, but for the ports that are closed to all. */
  readonly operatorsRules: AddressRules;
  private readonly own = new Map<string, AddressRules>();

  constructor(options: TenantAddressRulesOptions) {
    this.standard = new AddressRules(options);
    this.operatorsRules = new AddressRules({ ...options, allow: [...options.allow, 'loopback', 'private'] });
    for (const [tenant, allow] of options.tenants ?? []) this.own.set(tenant, new AddressRules({ ...options, allow }));
  }

  rulesFor(tenant: string): AddressRules {
    return this.own.get(tenant) ?? this.standard;
  }
}
