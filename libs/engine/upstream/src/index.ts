export {
  AddressRules,
  ForbiddenAddress,
  type AddressRange,
  type AddressRulesOptions,
  type AllowedRange,
} from './address-rules.js';
export { TenantAddressRules, type TenantAddressRulesOptions } from './tenant-address-rules.js';
export type { NameAnswer, NameService, ResolvedAddress } from './name-service.js';
export { NodeNameService, type NodeNameServiceOptions } from './node-name-service.js';
export { ScriptedNameService } from './scripted-name-service.js';
export {
  LookupTimeout,
  NAME_FAILED,
  NAME_READY,
  NAME_RESOLVING,
  ResolvedName,
  Resolver,
  type NameState,
  type ResolverOptions,
} from './resolver.js';
export { UpstreamAddress } from './address-ring.js';
export { CLOSED, HALF_OPEN, OPEN, type BreakerState } from './breaker.js';
export { CONNECT_FAILED, GATEWAY_STATUS, RESET, TIMEOUT, UNREADABLE, type FailureKind } from './failure-kinds.js';
export {
  BREAKER_OPEN,
  Destination,
  FORBIDDEN,
  NO_ADDRESS,
  RESOLVING,
  type AddressSource,
  type DestinationOptions,
  type Refusal,
} from './destination.js';
export { JoinedNames, type Target } from './joined-names.js';
export { Destinations, type DestinationsOptions } from './destinations.js';
export { openDestinations, type OpenDestinationsOptions } from './open-destinations.js';
export {
  upstreamSettings,
  type BreakerSettings,
  type EjectionSettings,
  type ResolverSettings,
  type UpstreamSettings,
  type UpstreamSettingsOverrides,
} from './settings.js';
