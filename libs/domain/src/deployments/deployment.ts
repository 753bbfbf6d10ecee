import type { Authorizer } from '../api-parts/authorizer.js';
import type { GatewayResponse } from '../api-parts/gateway-response.js';
import type { Model } from '../api-parts/model.js';
import type { RequestValidator } from '../api-parts/request-validator.js';
import type { Method, Resource, RestApi, TextMap } from '../rest-apis/rest-api.js';

/** The frozen definition of an API: read in one transaction, stored as canonical JSON, never edited. */
export interface RestApiDefinition {
  readonly formatVersion: 1;
  readonly api: RestApi;
  /** Sorted by path. */
  readonly resources: readonly Resource[];
  /** Sorted by resource path, then verb. */
  readonly methods: readonly Method[];
  /** Absent in definitions frozen before APIs had any. */
  readonly parts?: DeployedParts;
}

/** What a deployment takes along beside the tree. Each list is sorted by id. */
export interface DeployedParts {
  readonly models: readonly Model[];
  readonly requestValidators: readonly RequestValidator[];
  readonly authorizers: readonly Authorizer[];
  readonly gatewayResponses: readonly GatewayResponse[];
}

export interface Deployment {
  readonly apiId: string;
  readonly id: string;
  readonly description: string | null;
  readonly createdAtMs: number;
  readonly definition: RestApiDefinition;
  /** SHA-256 of the definition's canonical JSON. */
  readonly digest: string;
}

/** Everything of a deployment but the definition itself; what lists need. */
export interface DeploymentSummary {
  readonly apiId: string;
  readonly id: string;
  readonly description: string | null;
  readonly createdAtMs: number;
}

export interface Stage {
  readonly apiId: string;
  readonly stageName: string;
  readonly deploymentId: string;
  readonly description: string | null;
  readonly cacheClusterEnabled: boolean;
  readonly cacheClusterSize: string | null;
  readonly clientCertificateId: string | null;
  /** `null` until a variable was given; `{}` after all were removed. */
  readonly variables: TextMap | null;
  readonly documentationVersion: string | null;
  readonly accessLogSettings: { readonly format: string | null; readonly destinationArn: string | null } | null;
  /** By `{resource path without leading slash}/{verb}`, e.g. "pets/GET"; the wildcard pair for all methods without an entry. */
  readonly methodSettings: Readonly<Record<string, MethodSetting>>;
  readonly canarySettings: CanarySettings | null;
  readonly tracingEnabled: boolean;
  readonly webAclArn: string | null;
  readonly tags: TextMap;
  readonly createdAtMs: number;
  readonly lastUpdatedAtMs: number;
  /** Absent until a cache was flushed. */
  readonly cacheEpochs?: CacheEpochs;
}

/** How often each cache of a stage was flushed. */
export interface CacheEpochs {
  readonly responses: number;
  readonly authorizers: number;
}

export interface MethodSetting {
  readonly metricsEnabled: boolean;
  readonly loggingLevel: string | null;
  readonly dataTraceEnabled: boolean;
  /** -1: no limit at this level. */
  readonly throttlingBurstLimit: number;
  readonly throttlingRateLimit: number;
  readonly cachingEnabled: boolean;
  readonly cacheTtlInSeconds: number;
  readonly cacheDataEncrypted: boolean;
  readonly requireAuthorizationForCacheControl: boolean;
  readonly unauthorizedCacheControlHeaderStrategy: string;
}

export interface CanarySettings {
  readonly percentTraffic: number;
  readonly deploymentId: string;
  readonly stageVariableOverrides: TextMap | null;
  readonly useStageCache: boolean;
}
