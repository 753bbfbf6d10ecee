/** Why a request failed, for its API's owner. */
import { FunctionError, InvalidBody, mediaType, type Exchange, type FaultKind } from '@gatehouse/engine-exchange';
import { FAULTS, type FaultName } from '@gatehouse/engine-faults';
import { shownKey } from './shown-key.js';

/** Data-plane reference §3.13 and §4.4; where AWS's text is not known, what the node knows. */
const FAILURES: Partial<Record<FaultName, string>> = {
  INTEGRATION_TIMEOUT: 'a timeout error',
  INTEGRATION_FAILURE: 'a network error communicating with endpoint',
  INVALID_ENDPOINT: 'configuration error: Invalid endpoint address',
  MALFORMED_FUNCTION_RESPONSE: 'configuration error: Malformed Lambda proxy response',
  INTEGRATION_NOT_PERMITTED: 'configuration error: Invalid permissions on Lambda function',
};

const NO_PLAN = 'No Usage Plan found for key and API Stage';

export function failureText(x: Exchange, fault: FaultKind): string {
  const ofKey = keyRefusal(x, fault);
  if (ofKey !== null) return ofKey;
  if (fault === FAULTS.FUNCTION_FAILED)
    return `Lambda execution failed with status 200 due to customer function error: ${reasonOf(x.faultCause)}.`;
  if (fault === FAULTS.BAD_REQUEST_PARAMETERS && x.faultMessage !== null) return x.faultMessage;
  if (x.faultCause instanceof InvalidBody) {
    const type = mediaType(x.requestHeaders) ?? 'application/json';
    return `Request body does not match model schema for content type ${type}: ${x.faultCause.message}`;
  }
  const known = FAILURES[fault.name as FaultName];
  if (known !== undefined) return `Execution failed due to ${known}`;
  // What the node was doing stands before what is wrong, and before an address its place, which AWS does not name.
  const reason = x.faultDoing
    .replace(/^(?:linking the (?:route|stage)|mapping the request): /, '')
    .replace(/^uri: (?=Invalid endpoint address)/, '');
  if (fault.source === 'owner') return `Execution failed due to configuration error: ${reason}`;
  return `Execution failed due to ${x.faultMessage ?? fault.name}: ${reason}`;
}

/** Data-plane reference §7.4; the one without a plan was recorded. */
function keyRefusal(x: Exchange, fault: FaultKind): string | null {
  const { stage, route, usagePlan, faultDoing } = x;
  if (stage === null || route === null) return null;
  const { apiId, stage: name } = stage.snapshot;
  const { httpMethod, path, resourceId } = route.settings;
  const [key, apiStage] = [`API Key ${shownKey(x)}`, `API Stage ${apiId}/${name}`];
  if (fault === FAULTS.INVALID_API_KEY) {
    const why = x.apiKey === null && faultDoing.startsWith('looking for a plan') ? NO_PLAN : faultDoing;
    const refusal = `${key} not authorized because method '${httpMethod} ${path}' requires API Key`;
    return `${refusal} and API Key is not associated with a Usage Plan for ${apiStage}: ${why}`;
  }
  if (usagePlan === null) return null;
  const { usagePlanId, quota, throttle } = usagePlan.settings;
  if (fault === FAULTS.QUOTA_EXCEEDED && quota !== null) {
    const limit = `Limit: ${quota.limit} Period: ${quota.period}`;
    return `${key} exceeded quota limit for ${apiStage}: Key quota exhausted for Usage Plan ID ${usagePlanId}. ${limit}`;
  }
  if (fault !== FAULTS.THROTTLED || !faultDoing.includes(' by plan ')) return null;
  const ofMethod = usagePlan.methodThrottles(apiId, name)?.get(`${path}/${httpMethod}`) ?? null;
  const { ratePerSecond, burst } = (faultDoing.includes('the method') ? ofMethod : throttle)!;
  const where = `Usage Plan ID ${usagePlanId}, RestApi ${apiId}, Stage ${name}, Resource ${resourceId}, HttpMethod ${x.httpMethod}`;
  const limit = `Limit: ${ratePerSecond.toFixed(2)} Burst: ${burst}`;
  return `${key} exceeded throttle limit for ${apiStage}: Key throttle limit exceeded for ${where}. ${limit}`;
}

/** What the function said is its owner's to read, and the owner reads this log. */
function reasonOf(cause: unknown): string {
  const said = cause instanceof FunctionError ? cause.errorMessage : null;
  return said ?? (cause instanceof Error ? cause.message : String(cause));
}
