import { CONTINUE, lastHeader, type StepFactory } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { KnownKeys } from './known-keys.js';

/** Of all routes of this process. */
const knownKeys = new KnownKeys();

/**
 * The key has to exist, be enabled, and be in a plan that covers the stage; every other case is one and the same 403
 * (data-plane reference §7.1). A key is asked for by the digest of its value: what is published never holds the value.
 */
export const identifyKey: StepFactory = ({ stage, route }) => {
  if (!route.apiKeyRequired) return null;
  const { tenant, apiId, stage: stageName } = stage;
  const isInHeader = stage.apiKeySource === 'HEADER';
  return (x) => {
    const value = isInHeader ? lastHeader(x.requestHeaders, 'x-api-key') : (x.authorizer?.usageIdentifierKey ?? null);
    if (value === null || value === '')
      return x.fail(FAULTS.INVALID_API_KEY, null, isInHeader ? 'looking for x-api-key' : 'waiting for a key from an authorizer');
    const world = x.world!;
    const key = knownKeys.find(world, tenant, value, x.receivedAtMs);
    if (key === null || !key.enabled)
      return x.fail(FAULTS.INVALID_API_KEY, null, key === null ? 'looking up the key' : 'checking that the key is enabled');
    for (const usagePlanId of key.usagePlanIds) {
      const plan = world.usagePlan(tenant, usagePlanId);
      if (plan === null || plan.methodThrottles(apiId, stageName) === null) continue;
      x.apiKey = key;
      x.apiKeyValue = value;
      x.usagePlan = plan;
      x.journal?.note({ type: 'KEY_IDENTIFIED', apiKeyId: key.apiKeyId, usagePlanId });
      return CONTINUE;
    }
    return x.fail(FAULTS.INVALID_API_KEY, null, "looking for a plan of the key's that covers the stage");
  };
};
