import type {
  ApiKeyEntry,
  CertificateEntry,
  DomainNameEntry,
  FunctionEntry,
  ThrottleSettings,
  UsagePlanEntry,
} from '@gatehouse/contracts';
import {
  codeSha256,
  readLimitSettings,
  servedCertificateId,
  type ApiKey,
  type BasePathMapping,
  type Certificate,
  type DomainName,
  type FunctionAlias,
  type FunctionDefinition,
  type FunctionStatement,
  type FunctionVersion,
  type TenantId,
  type ThrottleLimits,
  type UsagePlan,
} from '@gatehouse/domain';
import { sha256Hex } from '@gatehouse/kernel';

export function usagePlanEntry(tenant: TenantId, plan: UsagePlan): UsagePlanEntry {
  const limits = readLimitSettings(plan.tags);
  return {
    usagePlanId: plan.id,
    tenant,
    throttle: throttleSettings(plan.throttle),
    quota: plan.quota,
    apiStages: plan.apiStages.map(({ apiId, stage, throttle }) => ({
      apiId,
      stage,
      methodThrottles: Object.fromEntries(
        Object.entries(throttle ?? {}).flatMap(([method, limits]) => {
          const settings = throttleSettings(limits);
          return settings === null ? [] : [[method, settings] as const];
        }),
      ),
    })),
    // Absent for what nearly all plans are: an entry that says the same has the same bytes as ever.
    ...(limits.mode === 'FAST' && limits.fallback === 'OPEN' ? {} : { limits }),
  };
}

/** The value itself stays here: nodes compare digests. */
export function apiKeyEntry(tenant: TenantId, key: ApiKey, usagePlanIds: readonly string[]): ApiKeyEntry {
  return {
    apiKeyId: key.id,
    tenant,
    valueDigest: sha256Hex(key.value.reveal()),
    enabled: key.enabled,
    usagePlanIds: [...usagePlanIds].sort(),
  };
}

/**
 * A bucket needs a rate: without one there is no limit at this level, whatever the burst. Without a burst it holds one
 * second's worth, and at least one request unless the rate is 0. (What AWS does with half a throttle is not documented.)
 */
function throttleSettings(limits: ThrottleLimits | null): ThrottleSettings | null {
  if (limits === null || limits.rateLimit === null) return null;
  return { ratePerSecond: limits.rateLimit, burst: limits.burstLimit ?? Math.ceil(limits.rateLimit) };
}

export function domainNameEntry(tenant: TenantId, domain: DomainName, mappings: readonly BasePathMapping[]): DomainNameEntry {
  return {
    domainName: domain.name,
    tenant,
    certificateId: servedCertificateId(domain),
    securityPolicy: domain.securityPolicy,
    mappings: mappings.map(({ basePath, restApiId, stage }) => ({ basePath, apiId: restApiId, stage })),
  };
}

export function certificateEntry(tenant: TenantId, certificate: Certificate): CertificateEntry {
  return {
    certificateId: certificate.id,
    tenant,
    chainPem: certificate.chainPem,
    privateKeyPem: certificate.privateKeyPem.reveal(),
    hostNames: certificate.hostNames,
    expiresAtMs: certificate.expiresAtMs,
  };
}

/** One version as runners know it, with the policy statements of every name it can be called by. */
export function functionEntry(
  tenant: TenantId,
  definition: FunctionDefinition,
  version: FunctionVersion,
  aliases: readonly FunctionAlias[],
  statements: readonly FunctionStatement[],
): FunctionEntry {
  const number = version.version;
  const pointing = aliases.filter(({ functionVersion }) => functionVersion === number).map(({ name }) => name);
  const weights = aliases.flatMap(({ name, routing }) =>
    routing[number] === undefined ? [] : [[name, routing[number]] as const],
  );
  const reachedAs = new Set([...pointing, ...weights.map(([name]) => name), number === '$LATEST' ? '' : number]);
  return {
    tenant,
    region: definition.region,
    functionName: definition.name,
    version: number,
    runtime: version.runtime,
    handler: version.handler,
    timeoutMs: version.timeoutSeconds * 1_000,
    memoryMb: version.memoryMb,
    environment: Object.fromEntries(Object.entries(version.environment).map(([name, value]) => [name, value.reveal()])),
    aliases: pointing,
    weightedAliases: Object.fromEntries(weights),
    reservedConcurrency: definition.reservedConcurrency,
    permissions: statements
      .filter(({ qualifier }) => reachedAs.has(qualifier))
      .map(({ functionName: _, ...permission }) => permission),
    codeSha256: codeSha256(version),
  };
}
