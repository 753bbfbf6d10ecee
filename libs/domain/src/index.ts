export { ApiError, badRequest, conflict, limitExceeded, notFound, validationError } from './errors.js';
export { DEFAULT_ACCOUNT_SETTINGS, type AccountSettings } from './tenancy/account.js';
export { tenantId, type Caller, type Credential, type Tenant, type TenantId } from './tenancy/tenant.js';
export type {
  FlagMap,
  Integration,
  IntegrationResponse,
  IntegrationType,
  Method,
  MethodResponse,
  Resource,
  RestApi,
  TextMap,
} from './rest-apis/rest-api.js';
export type {
  CanarySettings,
  Deployment,
  DeploymentSummary,
  MethodSetting,
  RestApiDefinition,
  Stage,
} from './deployments/deployment.js';
export type { ApiKey, PlannedStage, QuotaPeriod, ThrottleLimits, UsagePlan, UsagePlanKey } from './usage-plans/usage-plan.js';
export type { FunctionAlias, FunctionDefinition, FunctionStatement, FunctionVersion } from './functions/function.js';
export type { EntryContent, EntryKind, ManifestEntry, NodeRecord, NodeRefusal, Rollout } from './publish/publish.js';
export type {
  HistogramData,
  MetricKey,
  MetricPeriod,
  MetricSample,
  NodeReport,
  QuotaExtension,
  UsageCount,
} from './metering/usage.js';
export * from './ports/store.js';
