export {
  AddressRules,
  ForbiddenAddress,
  type AddressRange,
  type AddressRulesOptions,
  type AllowedRange,
} from './address-rules.js';
export { TenantAddressRules, type TenantAddressRulesOptions } from './tenant-address-rules.js';
