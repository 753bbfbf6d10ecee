export * from './gen/gatehouse/node/v1/node_link_pb.js';
export { grpcService } from './grpc-service.js';
export { RATE_SHARE_MS, strictRateLease } from './leases.js';
export { agreedProtocol, PROTOCOL, type ProtocolRange } from './protocol.js';
export { INVOKE_HEADERS, INVOKE_PAYLOAD_BYTES_MAX } from './invoke.js';
export {
  DEFAULT_POOL,
  entryDigestName,
  entryDigestText,
  poolOfLabels,
  sealText,
  type DigestedEntry,
  type SealStatement,
} from './manifest-digest.js';
export {
  LINKED_SNAPSHOT_FORMATS,
  SNAPSHOT_FORMAT,
  type ApiKeyEntry,
  type AuthorizerSnapshot,
  type BasePathMappingEntry,
  type CanarySnapshot,
  type CertificateEntry,
  type DomainNameEntry,
  type FunctionAuthorization,
  type FunctionAuthorizerSnapshot,
  type FunctionEntry,
  type FunctionPermission,
  type FunctionProxyIntegrationSnapshot,
  type GatewayResponseSnapshot,
  type HttpIntegrationSnapshot,
  type HttpProxyIntegrationSnapshot,
  type IntegrationResponseSnapshot,
  type IntegrationSnapshot,
  type MockIntegrationSnapshot,
  type PassthroughBehavior,
  type PlanLimits,
  type RequestValidation,
  type RouteAuthorization,
  type RouteSnapshot,
  type StageSnapshot,
  type StaticTemplates,
  type VelocityIntegrationSnapshot,
  type ThrottleSettings,
  type UsagePlanEntry,
  type UserPoolAuthorization,
  type UserPoolAuthorizerSnapshot,
  type ValidatedAuthorization,
} from './snapshot.js';
