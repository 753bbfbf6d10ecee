/**
 * UpdateStage, applied to a stage that nobody else sees until every operation succeeded.
 * Stages answer bad paths unlike every other resource (control-plane reference 3.2, 3.3, 4.4), so their rules are here
 * and not in a table of patch rules.
 */
import { badRequest } from '../errors.js';
import { boundedOperations, type PatchOperation } from '../patch/patch.js';
import type { CanarySettings, Stage } from './deployment.js';
import { changeMethodSetting, methodSettingKey, readMethodSettingPath } from './method-settings.js';
import { AWS_QUOTAS } from '../tenancy/quotas.js';
import { cacheSize, checkAccessLogFormat, checkStage } from './stage.js';

// Word for word what AWS answers, missing commas included: public reports of UpdateStage errors quote it so.
const PATHS =
  '/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, ' +
  '/accessLogSettings/destinationArn, /accessLogSettings/format, ' +
  '/{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, ' +
  '/{resourcePath}/{httpMethod}/logging/loglevel, /{resourcePath}/{httpMethod}/throttling/burstLimit' +
  '/{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, ' +
  '/{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, ' +
  '/{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, ' +
  '/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, ' +
  '/*/*/metrics/enabled, /*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit ' +
  '/*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, /*/*/caching/requireAuthorizationForCacheControl, ' +
  '/*/*/caching/unauthorizedCacheControlHeaderStrategy, /variables/{variable_name}, /tracingEnabled';

/**
 * The stage after all operations; throws BadRequest for the first that is wrong. Whether the deployments and the client
 * certificate it names exist is the caller's question.
 */
export function patchStage(stage: Stage, operations: readonly PatchOperation[], nowMs: number, quotas = AWS_QUOTAS): Stage {
  if (operations.length === 0) return stage;
  const changed = checkStage({ ...boundedOperations(operations).reduce(apply, stage), lastUpdatedAtMs: nowMs }, quotas);
  const format = changed.accessLogSettings?.format ?? null;
  if (format !== null && format !== stage.accessLogSettings?.format) checkAccessLogFormat(format);
  return changed;
}

function apply(stage: Stage, operation: PatchOperation): Stage {
  const path = operation.path ?? 'null';
  if (operation.op === 'copy') return copy(stage, path, operation.from ?? 'null');
  if (path === '/canarySettings' || path.startsWith('/canarySettings/'))
    return patchCanary(stage, operation.op, path, operation.value);
  if (path === '/accessLogSettings' || path.startsWith('/accessLogSettings/')) {
    return patchAccessLog(stage, operation.op, path, operation.value);
  }
  if (path.startsWith('/variables/')) return patchVariable(stage, operation.op, path, operation.value);
  if (path === '/variables' && operation.op === 'remove') return { ...stage, variables: {} };
  if (PROPERTIES.has(path)) {
    if (operation.op !== 'replace') throw noMethodSetting(operation.op, path);
    return patchProperty(stage, path, operation.value ?? '');
  }
  return patchMethodSetting(stage, operation.op, path, operation.value);
}

const PROPERTIES = new Set([
  '/deploymentId',
  '/description',
  '/cacheClusterEnabled',
  '/cacheClusterSize',
  '/clientCertificateId',
  '/documentationVersion', // absent from AWS's list of paths, accepted by AWS (Terraform sends it)
  '/tracingEnabled',
]);

function patchProperty(stage: Stage, path: string, value: string): Stage {
  switch (path) {
    case '/deploymentId':
      return { ...stage, deploymentId: value };
    case '/description':
      return { ...stage, description: value === '' ? null : value };
    case '/cacheClusterEnabled': {
      const enabled = value === 'true';
      return { ...stage, cacheClusterEnabled: enabled, cacheClusterSize: cacheSize(enabled, stage.cacheClusterSize) };
    }
    case '/cacheClusterSize':
      return { ...stage, cacheClusterSize: value === '' ? null : value };
    case '/clientCertificateId':
      return { ...stage, clientCertificateId: value === '' ? null : value };
    case '/documentationVersion':
      return { ...stage, documentationVersion: value === '' ? null : value };
    default:
      return { ...stage, tracingEnabled: value === 'true' };
  }
}

/** Promotion of a canary: its deployment and its variables go to the stage. */
function copy(stage: Stage, path: string, from: string): Stage {
  const known =
    (path === '/deploymentId' && from === '/canarySettings/deploymentId') ||
    (path === '/variables' && from === '/canarySettings/stageVariableOverrides');
  if (!known) {
    throw badRequest(
      `Invalid copy operation with path: ${path} and from ${from}. Valid copy:path are [/deploymentId, /variables] and ` +
        'valid copy:from are [/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]',
    );
  }
  const canary = stage.canarySettings;
  if (canary === null) throw badRequest('Promotion not available. Canary does not exist.');
  if (path === '/deploymentId') return { ...stage, deploymentId: canary.deploymentId };
  return { ...stage, variables: { ...stage.variables, ...canary.stageVariableOverrides } };
}

const OVERRIDE = '/canarySettings/stageVariableOverrides/';

function patchCanary(stage: Stage, op: string | undefined, path: string, value = ''): Stage {
  if (path === '/canarySettings') {
    if (op === 'remove') return { ...stage, canarySettings: null };
    throw op === 'replace' ? invalidPath(path) : noMethodSetting(op, path);
  }
  // The first replace creates the canary.
  const canary: CanarySettings = stage.canarySettings ?? {
    percentTraffic: 0,
    deploymentId: stage.deploymentId,
    stageVariableOverrides: null,
    useStageCache: false,
  };
  const changed = (change: Partial<CanarySettings>): Stage => ({ ...stage, canarySettings: { ...canary, ...change } });
  if (path.startsWith(OVERRIDE) && path.length > OVERRIDE.length) {
    const name = path.slice(OVERRIDE.length);
    if (op === 'replace') return changed({ stageVariableOverrides: { ...canary.stageVariableOverrides, [name]: value } });
    if (op === 'remove' && stage.canarySettings !== null) {
      return changed({ stageVariableOverrides: without(canary.stageVariableOverrides ?? {}, name) });
    }
    throw badRequest(`Invalid ${op} operation with path: ${path}`);
  }
  const known = ['/canarySettings/percentTraffic', '/canarySettings/deploymentId', '/canarySettings/useStageCache'].includes(
    path,
  );
  if (!known) throw op === 'replace' ? invalidPath(path) : noMethodSetting(op, path);
  if (op !== 'replace') throw badRequest(`Invalid ${op} operation with path: ${path}`);
  if (path === '/canarySettings/deploymentId') return changed({ deploymentId: value });
  if (path === '/canarySettings/useStageCache') return changed({ useStageCache: value === 'true' });
  const percentTraffic = value.trim() === '' ? NaN : Number(value);
  if (Number.isNaN(percentTraffic))
    throw badRequest(`Invalid value for ${path}: expected a number from 0.0 to 100.0, got "${value}"`);
  return changed({ percentTraffic });
}

function patchAccessLog(stage: Stage, op: string | undefined, path: string, value = ''): Stage {
  const present = stage.accessLogSettings ?? { format: null, destinationArn: null };
  if (path === '/accessLogSettings') {
    if (op === 'remove') return { ...stage, accessLogSettings: null };
  } else if (path === '/accessLogSettings/destinationArn' || path === '/accessLogSettings/format') {
    if (op !== 'add' && op !== 'replace') throw noMethodSetting(op, path);
    if (value === '') throw badRequest('Access Log value must not be empty');
    if (path.endsWith('/format')) return { ...stage, accessLogSettings: { ...present, format: value } };
    // Terraform trims the log group's trailing `:*` from its own configuration and compares.
    return { ...stage, accessLogSettings: { ...present, destinationArn: value.replace(/:\*$/, '') } };
  }
  throw badRequest(
    'Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]',
  );
}

function patchVariable(stage: Stage, op: string | undefined, path: string, value = ''): Stage {
  const name = path.slice('/variables/'.length);
  switch (op) {
    case 'add':
    case 'replace':
      return { ...stage, variables: { ...stage.variables, [name]: value } };
    case 'remove':
      return { ...stage, variables: without(stage.variables ?? {}, name) };
    default:
      throw noMethodSetting(op, path);
  }
}

function patchMethodSetting(stage: Stage, op: string | undefined, path: string, value = ''): Stage {
  const target = readMethodSettingPath(path);
  if (op === 'replace' && target !== null) {
    return { ...stage, methodSettings: changeMethodSetting(stage.methodSettings, target, value, path) };
  }
  const key = methodSettingKey(path);
  if (op === 'remove' && key !== null) {
    if (!Object.hasOwn(stage.methodSettings, key)) throw noMethodSetting(op, path);
    return { ...stage, methodSettings: without(stage.methodSettings, key) };
  }
  throw target === null ? invalidPath(path) : noMethodSetting(op, path);
}

function without<V>(map: Readonly<Record<string, V>>, name: string): Readonly<Record<string, V>> {
  return Object.fromEntries(Object.entries(map).filter(([key]) => key !== name));
}

const invalidPath = (path: string): Error => badRequest(`Invalid method setting path: ${path}. Must be one of: [${PATHS}]`);

// The trailing space is AWS's; Terraform looks for "no method setting for this method".
const noMethodSetting = (op: string | undefined, path: string): Error =>
  badRequest(`Cannot ${op} method setting ${path.replace(/^\//, '')} because there is no method setting for this method `);
