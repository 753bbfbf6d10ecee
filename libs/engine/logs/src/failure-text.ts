/** Why a request failed, for its API's owner. */
import { FunctionError, InvalidBody, mediaType, type Exchange, type FaultKind } from '@gatehouse/engine-exchange';
import { FAULTS, type FaultName } from '@gatehouse/engine-faults';

/** Data-plane reference §3.13 and §4.4; where AWS's text is not known, what the node knows. */
const FAILURES: Partial<Record<FaultName, string>> = {
  INTEGRATION_TIMEOUT: 'a timeout error',
  INTEGRATION_FAILURE: 'a network error communicating with endpoint',
  INVALID_ENDPOINT: 'configuration error: Invalid endpoint address',
  MALFORMED_FUNCTION_RESPONSE: 'configuration error: Malformed Lambda proxy response',
  INTEGRATION_NOT_PERMITTED: 'configuration error: Invalid permissions on Lambda function',
};

export function failureText(x: Exchange, fault: FaultKind): string {
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

/** What the function said is its owner's to read, and the owner reads this log. */
function reasonOf(cause: unknown): string {
  const said = cause instanceof FunctionError ? cause.errorMessage : null;
  return said ?? (cause instanceof Error ? cause.message : String(cause));
}
