export { ApiError, badRequest, conflict, limitExceeded, notFound, validationError } from './errors.js';
export {
  applyChanges,
  readPatch,
  unescapePointer,
  type Change,
  type Operand,
  type PatchOp,
  type PatchOperation,
  type PatchRule,
  type PatchRules,
  type PatchStyle,
  type ReadChange,
} from './patch/patch.js';
export { flag, keyList, mapEntry, optionalProperty, property, textOrNull, valueList } from './patch/rules.js';
export { DEFAULT_ACCOUNT_SETTINGS, type AccountSettings } from './tenancy/account.js';
export { accountPatchRules } from './tenancy/account-patch.js';
export { changeLogDestinations } from './tenancy/log-destinations.js';
export { checkTags } from './tenancy/tags.js';
export { ADMINISTRATOR_DOCUMENT, type IdentityPolicy } from './tenancy/identity-policy.js';
export {
  tenantId,
  type Caller,
  type Credential,
  type Session,
  type SessionTerms,
  type Tenant,
  type TenantId,
} from './tenancy/tenant.js';
export {
  checkPool,
  DEFAULT_POOL,
  entryForPool,
  formerPoolsAfter,
  formerPoolsField,
  POOL_TAG,
  poolsField,
  poolsOf,
} from './publish/placement.js';
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
export {
  integrationOf,
  integrationPatchRules,
  integrationResponse,
  integrationResponsePatchRules,
  putIntegration,
  putIntegrationResponse,
  unknownIntegration,
  withIntegration,
  withIntegrationResponse,
  withoutIntegrationResponse,
  type IntegrationRequest,
  type IntegrationResponseRequest,
} from './rest-apis/integration-rules.js';
export { readServiceArn, type ServiceArn } from './rest-apis/integration-uri.js';
export {
  addMethodResponse,
  checkMethod,
  methodPatchRules,
  methodResponse,
  methodResponsePatchRules,
  newMethod,
  unknownMethod,
  withMethodResponse,
  withoutMethodResponse,
  type MethodRequest,
  type MethodResponseRequest,
} from './rest-apis/method-rules.js';
export { API_PART_KINDS, type ApiPart, type ApiPartKind } from './api-parts/api-part.js';
export {
  authorizerPatchRules,
  checkAuthorizer,
  checkAuthorizerCount,
  checkAuthorizerName,
  checkAuthorizerUnused,
  newAuthorizer,
  unknownAuthorizer,
  type Authorizer,
  type AuthorizerRequest,
} from './api-parts/authorizer.js';
export {
  checkDocumentationPart,
  checkNewPart,
  documentationPartPatchRules,
  documentationVersionExists,
  documentationVersionPatchRules,
  isSameLocation,
  newDocumentationPart,
  newDocumentationVersion,
  unknownDocumentationPart,
  unknownDocumentationVersion,
  type DocumentationLocation,
  type DocumentationPart,
  type DocumentationPartType,
  type DocumentationVersion,
  type LocationRequest,
} from './api-parts/documentation.js';
export {
  checkGatewayResponse,
  checkResponseType,
  customisable,
  GATEWAY_RESPONSE_TYPES,
  gatewayResponsePatchRules,
  newGatewayResponse,
  shownGatewayResponse,
  uncustomisedGatewayResponse,
  type GatewayResponse,
  type GatewayResponseRequest,
  type ShownGatewayResponse,
} from './api-parts/gateway-response.js';
export {
  checkModel,
  checkModelSchema,
  checkModelUnused,
  defaultModels,
  flattenedSchema,
  isEmptyModel,
  modelPatchRules,
  reachableModels,
  refersToModels,
  modelTemplate,
  newModel,
  unknownModel,
  type Model,
  type ModelRequest,
} from './api-parts/model.js';
export { checkReferences, hasReferences, type KnownParts } from './api-parts/references.js';
export {
  checkRequestValidatorUnused,
  newRequestValidator,
  requestValidatorPatchRules,
  unknownRequestValidator,
  type RequestValidator,
  type RequestValidatorRequest,
} from './api-parts/request-validator.js';
export {
  AWS_QUOTAS,
  changeQuotas,
  checkRoom,
  checkRoomAsAws,
  ownQuotaNote,
  quotaNote,
  withDefaults,
  type OwnQuotas,
  type QuotaName,
  type Quotas,
} from './tenancy/quotas.js';
export {
  NO_SERVICE_ACCESS,
  withRole,
  withService,
  withUser,
  type RoleCredentials,
  type RoleText,
  type ServiceAccess,
  type ServiceEndpoint,
} from './service-access/service-access.js';
export { checkRestApi, newRestApi, restApiPatchRules, unknownApi, type RestApiRequest } from './rest-apis/rest-api-rules.js';
export { checkPathPart, isGreedy, isVariable } from './routing/path-part.js';
export { resourcePatchRules } from './routing/resource-patch.js';
export { checkResourceCount, ResourceTree, unknownResource, type Place } from './routing/resource-tree.js';
export type {
  CacheEpochs,
  CanarySettings,
  DeployedParts,
  Deployment,
  DeploymentSummary,
  MethodSetting,
  RestApiDefinition,
  Stage,
} from './deployments/deployment.js';
export { definitionDigest, draftDefinition, freezeDefinition } from './deployments/definition.js';
export { DEFAULT_METHOD_SETTING } from './deployments/method-settings.js';
export {
  checkLoggingRole,
  flushed,
  newStage,
  withCanary,
  withSettings,
  type CanaryRequest,
  type StageSettings,
} from './deployments/stage.js';
export { isPublishedChange, readStageTags, type StageTags } from './deployments/stage-tags.js';
export { deploymentPatchRules } from './deployments/deployment-patch.js';
export { diffDefinitions, unitsOf, type Concern, type DefinitionChange } from './deployments/diff.js';
export { previousDeployment, type StageCause, type StageHistoryEntry } from './deployments/stage-history.js';
export { patchStage } from './deployments/stage-patch.js';
export type { ApiKey, PlannedStage, QuotaPeriod, ThrottleLimits, UsagePlan, UsagePlanKey } from './usage-plans/usage-plan.js';
export { API_KEY_VALUE_CHARS, checkApiKeyDescription, checkApiKeyName, checkApiKeyValue } from './usage-plans/api-key.js';
export { LIMIT_FALLBACK_TAG, LIMIT_MODE_TAG, readLimitSettings, type LimitSettings } from './usage-plans/limit-settings.js';
export { apiKeyPatchRules } from './usage-plans/api-key-patch.js';
export { daysBetween, dayStartMs, periodEnd, periodStart, utcDay } from './usage-plans/quota.js';
export { usagePatchRules } from './usage-plans/usage-patch.js';
export { patchUsagePlan } from './usage-plans/usage-plan-patch.js';
export {
  checkDeletable,
  checkMethodThrottles,
  checkOnePlanPerStage,
  isSameStage,
  readMethodThrottles,
  readQuota,
  readThrottle,
  unknownPlannedStage,
  withoutStage,
  type QuotaRequest,
} from './usage-plans/usage-plan-rules.js';
export {
  basePathMappingPatchRules,
  checkBasePath,
  readBasePath,
  readStage,
  showBasePath,
  unknownMapping,
} from './domain-names/base-path.js';
export {
  certificateArn,
  checkCertificateId,
  covers,
  readCertificate,
  readCertificateArn,
  type CertificateText,
} from './domain-names/certificate-rules.js';
export {
  certificateIdsOf,
  servedCertificateId,
  type BasePathMapping,
  type Certificate,
  type DomainName,
} from './domain-names/domain-name.js';
export {
  clientCertificatePatchRules,
  noSuchClientCertificate,
  unknownClientCertificate,
  type ClientCertificate,
} from './backend-access/client-certificate.js';
export {
  newVpcLink,
  noSuchVpcLink,
  readPrivateTargets,
  unknownVpcLink,
  vpcLinkIdOf,
  vpcLinkInUse,
  vpcLinkPatchRules,
  type PrivateTargets,
  type VpcLink,
  type VpcLinkRequest,
} from './backend-access/vpc-link.js';
export { domainNamePatchRules } from './domain-names/domain-name-patch.js';
export { checkDomainName, newDomainName, unknownDomainName, type DomainNameRequest } from './domain-names/domain-name-rules.js';
export { functionArn, isVersionNumber, readFunctionReference, type FunctionReference } from './functions/function-name.js';
export {
  checkAliasName,
  checkAliasRouting,
  checkArchitectures,
  checkFunctionSettings,
  checkFunctionTags,
  checkPermissionAction,
  checkPermissionSource,
  checkReservedConcurrency,
  checkStatementId,
  type FunctionSettings,
} from './functions/function-rules.js';
export {
  codeSha256,
  type FunctionAlias,
  type FunctionDefinition,
  type FunctionStatement,
  type FunctionVersion,
} from './functions/function.js';
export { exportOpenApi, exportVersion, type ExportSource } from './openapi/export-document.js';
export { type Json, type JsonObject } from './openapi/export-json.js';
export { readExportExtensions, readExportType, type ExportExtensions, type ExportType } from './openapi/export-options.js';
export { documentText, exportFileName, readExportFormat, type ExportFormat } from './openapi/export-text.js';
export type { RolloutWaiter } from './publish/rollout-waiter.js';
export type { RequestExplainer, RequestMemory, SilenceReason } from './publish/request-explainer.js';
export type { NoTestOutcome, TestInvocation, TestInvoker, TestOutcome } from './publish/test-invoker.js';
export type { EntryContent, EntryKind, ManifestEntry, NodeRecord, NodeRefusal, Rollout } from './publish/publish.js';
export type {
  HistogramData,
  MetricKey,
  MetricPeriod,
  MetricSample,
  NodeReport,
  QuotaExtension,
  UsageCount,
  UsageKey,
} from './metering/usage.js';
export { pageRequest } from './ports/page-request.js';
export * from './ports/store.js';
export { PLANE_MESSAGE_BYTES_MAX, type PlaneChannel } from './ports/plane-channel.js';
export {
  entitledTo,
  mergeClaim,
  RATE_SHARE_MS,
  rateShare,
  sameEpoch,
  type EpochName,
  type LeaseBook,
  type LeaseClaim,
  type LeaseLine,
  type QuotaPage,
  type QuotaPageState,
  type RateDemand,
  type TokenTake,
} from './ports/lease-book.js';
export { InMemoryLeaseBook } from './ports/in-memory/lease-book.js';
export { InMemoryStore } from './ports/in-memory/in-memory-store.js';
export type {
  ApiDocument,
  BasePathMode,
  DocumentationEntry,
  MethodEntry,
  PathEntry,
  ReadOptions,
  ValidatorEntry,
} from './openapi/api-document.js';
export { BASE_PATH_MODES } from './openapi/api-document.js';
export { checkBounds, invalidDocument, openApiText } from './openapi/json.js';
export { readDocumentation, readOpenApi } from './openapi/read-document.js';
export {
  assemble,
  assembleDocumentation,
  NO_API_STATE,
  Refusals,
  type ApiState,
  type AssembleOptions,
  type Assembled,
  type ImportMode,
} from './openapi/assemble.js';
export { withImportedSettings, type ImportedSettingsOptions } from './openapi/settings.js';
