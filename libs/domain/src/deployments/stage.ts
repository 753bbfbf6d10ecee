import { badRequest } from '../errors.js';
import { checkTags } from '../tenancy/tags.js';
import type { TextMap } from '../rest-apis/rest-api.js';
import { readStageTags } from './stage-tags.js';
import type { CacheEpochs, CanarySettings, Stage } from './deployment.js';
import { AWS_QUOTAS, quotaNote, type Quotas } from '../tenancy/quotas.js';

/** API Gateway guide, "Amazon API Gateway quotas and important notes". */
const VARIABLE_NAME_CHARS_MAX = 64;
const VARIABLE_VALUE_CHARS_MAX = 512;
const CACHE_CLUSTER_SIZES = ['0.5', '1.6', '6.1', '13.5', '28.4', '58.2', '118', '237'];

/** What CreateStage and CreateDeployment may say about a stage; `undefined` where they say nothing. */
export interface StageSettings {
  readonly description?: string;
  readonly cacheClusterEnabled?: boolean;
  readonly cacheClusterSize?: string;
  readonly variables?: TextMap;
  readonly documentationVersion?: string;
  readonly tracingEnabled?: boolean;
  readonly tags?: TextMap;
}

export interface CanaryRequest {
  readonly percentTraffic?: number;
  readonly deploymentId?: string;
  readonly stageVariableOverrides?: TextMap;
  readonly useStageCache?: boolean;
}

export function newStage(
  apiId: string,
  stageName: string,
  deploymentId: string,
  settings: StageSettings,
  nowMs: number,
  quotas = AWS_QUOTAS,
): Stage {
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(stageName))
    throw badRequest('Stage name only allows a-zA-Z0-9_- and at most 128 characters');
  readStageTags(settings.tags ?? {});
  const stage: Stage = {
    apiId,
    stageName,
    deploymentId,
    description: null,
    cacheClusterEnabled: false,
    cacheClusterSize: null,
    clientCertificateId: null,
    variables: null,
    documentationVersion: null,
    accessLogSettings: null,
    methodSettings: {},
    canarySettings: null,
    tracingEnabled: false,
    webAclArn: null,
    tags: checkTags(settings.tags ?? {}),
    createdAtMs: nowMs,
    lastUpdatedAtMs: nowMs,
  };
  return withSettings(stage, settings, nowMs, quotas);
}

/** Takes over what was said and keeps the rest; variables are merged. */
export function withSettings(stage: Stage, settings: StageSettings, nowMs: number, quotas = AWS_QUOTAS): Stage {
  const cacheClusterEnabled = settings.cacheClusterEnabled ?? stage.cacheClusterEnabled;
  const changed: Stage = {
    ...stage,
    description: settings.description ?? stage.description,
    cacheClusterEnabled,
    cacheClusterSize: cacheSize(cacheClusterEnabled, settings.cacheClusterSize ?? stage.cacheClusterSize),
    variables: settings.variables === undefined ? stage.variables : { ...stage.variables, ...settings.variables },
    documentationVersion: settings.documentationVersion ?? stage.documentationVersion,
    tracingEnabled: settings.tracingEnabled ?? stage.tracingEnabled,
    lastUpdatedAtMs: nowMs,
  };
  return checkStage(changed, quotas);
}

/** The smallest cluster unless another size was asked for; kept while the cluster is switched off. */
export function cacheSize(enabled: boolean, size: string | null): string | null {
  return enabled ? (size ?? '0.5') : size;
}

/** A canary says what it wants; the rest starts as on AWS: no traffic, the stage's own deployment, a cache of its own. */
export function withCanary(stage: Stage, request: CanaryRequest, quotas = AWS_QUOTAS): Stage {
  const canary: CanarySettings = {
    percentTraffic: request.percentTraffic ?? 0,
    deploymentId: request.deploymentId ?? stage.deploymentId,
    stageVariableOverrides: request.stageVariableOverrides ?? null,
    useStageCache: request.useStageCache ?? false,
  };
  return checkStage({ ...stage, canarySettings: canary }, quotas);
}

/** FlushStageCache, FlushStageAuthorizersCache: not an update of the stage, whose dates stay. */
export function flushed(stage: Stage, cache: keyof CacheEpochs): Stage {
  const epochs = stage.cacheEpochs ?? { responses: 0, authorizers: 0 };
  return { ...stage, cacheEpochs: { ...epochs, [cache]: epochs[cache] + 1 } };
}

/** Throws for a stage that breaks a rule of its own; returns it otherwise. */
export function checkStage(stage: Stage, quotas: Quotas): Stage {
  checkVariables(stage.variables, quotas);
  const format = stage.accessLogSettings?.format ?? '';
  if (Buffer.byteLength(format) > quotas.accessLogFormatBytes) {
    throw badRequest(
      `Access Log format exceeds maximum size of ${quotas.accessLogFormatBytes} bytes${quotaNote(quotas, 'accessLogFormatBytes')}`,
    );
  }
  if (stage.cacheClusterSize !== null && !CACHE_CLUSTER_SIZES.includes(stage.cacheClusterSize)) {
    throw badRequest(
      `Invalid cache cluster size "${stage.cacheClusterSize}". Valid options are ${CACHE_CLUSTER_SIZES.join(', ')}`,
    );
  }
  const canary = stage.canarySettings;
  if (canary !== null) {
    if (!(canary.percentTraffic >= 0 && canary.percentTraffic <= 100)) {
      throw badRequest('Canary percentTraffic must be between 0.0 and 100.0');
    }
    checkVariables(canary.stageVariableOverrides, quotas);
  }
  return stage;
}

// API reference, CreateStage, variables: names [A-Za-z0-9_]+, values [A-Za-z0-9-._~:/?#&=,]+. The wording is ours.
function checkVariables(variables: TextMap | null, quotas: Quotas): void {
  const entries = Object.entries(variables ?? {});
  if (entries.length > quotas.stageVariables) {
    throw badRequest(`A stage can have at most ${quotas.stageVariables} stage variables${quotaNote(quotas, 'stageVariables')}`);
  }
  for (const [name, value] of entries) {
    // The store's JSON library drops it without a word.
    if (name === '__proto__') throw badRequest(`Invalid stage variable name "${name}": this name cannot be stored`);
    if (!/^[A-Za-z0-9_]+$/.test(name) || name.length > VARIABLE_NAME_CHARS_MAX) {
      throw badRequest(
        `Invalid stage variable name "${name}". Names can have alphanumeric and underscore characters, at most ${VARIABLE_NAME_CHARS_MAX}`,
      );
    }
    if (!/^[A-Za-z0-9\-._~:/?#&=,]+$/.test(value) || value.length > VARIABLE_VALUE_CHARS_MAX) {
      throw badRequest(
        `Invalid stage variable value for ${name}. Values must match [A-Za-z0-9-._~:/?#&=,]+ and have at most ${VARIABLE_VALUE_CHARS_MAX} characters`,
      );
    }
  }
}

/**
 * Data-plane reference §10.5; of a format that is given, not of one that is there already. AWS's words for what is not a single line, ours
 * for the other.
 */
export function checkAccessLogFormat(format: string): void {
  if (/[\r\n]/.test(format.trimEnd())) {
    throw badRequest('Access Log format must be single line, new line character is allowed only at end of the format');
  }
  if (!/\$context\.(requestId|extendedRequestId)\b/.test(format)) {
    throw badRequest('Access Log format must contain $context.requestId or $context.extendedRequestId');
  }
}

/** AWS refuses to log to CloudWatch before the account says with which role. Firehose destinations need no role. */
export function checkLoggingRole(stage: Stage, cloudwatchRoleArn: string | null): void {
  if (cloudwatchRoleArn !== null) return;
  const toLogGroup = /^arn:[^:]+:logs:/.test(stage.accessLogSettings?.destinationArn ?? '');
  const executionLogs = Object.values(stage.methodSettings).some(
    ({ loggingLevel }) => loggingLevel !== null && loggingLevel !== 'OFF',
  );
  if (toLogGroup || executionLogs) throw badRequest('CloudWatch Logs role ARN must be set in account settings to enable logging');
}
