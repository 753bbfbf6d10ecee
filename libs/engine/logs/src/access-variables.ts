/**
 * `$context` variables of access logs (data-plane reference §10.4): those that only logs have (L) are here, the others are
 * engine/exchange's. What a node cannot know is known by name and reads as `null`, which is printed as `-`.
 */
import { contextVariable, lastHeader, type Exchange } from '@gatehouse/engine-exchange';
import { masked } from './masked.js';

/** `latencyMs`: to the end of the answer. */
export type LogVariable = (x: Exchange, latencyMs: number) => string | null;

const whole = (ms: number): string => String(Math.round(ms));

/** What the backend was asked for, and what went wrong there. */
const backendStatus: LogVariable = ({ upstreamAnswer, integrationLatencyMs }) =>
  upstreamAnswer === null || integrationLatencyMs < 0 ? null : String(upstreamAnswer.status);
const integrationLatency: LogVariable = ({ integrationLatencyMs }) =>
  integrationLatencyMs < 0 ? null : whole(integrationLatencyMs);
const integrationError: LogVariable = ({ fault, faultMessage, integrationLatencyMs }) =>
  fault === null || integrationLatencyMs < 0 ? null : (faultMessage ?? fault.name);
const backendRequestId: LogVariable = ({ upstreamAnswer }) => {
  if (upstreamAnswer === null) return null;
  const { headers } = upstreamAnswer;
  return lastHeader(headers, 'x-amzn-requestid') ?? lastHeader(headers, 'x-amz-request-id');
};
const isFunction = ({ route }: Exchange): boolean => {
  const type = route?.settings.integration.type;
  return type === 'AWS_PROXY' || type === 'AWS_PROXY_STREAM' || type === 'AS_ROLE';
};

/** Whatever stands around the integration. */
function isStreamed({ route }: Exchange): boolean {
  let integration = route?.settings.integration;
  while (integration !== undefined && 'integration' in integration) integration = integration.integration;
  return integration !== undefined && 'streamIdleMs' in integration;
}

/** A request ends in at most one phase; those before it went well, those behind it did not take place. */
type Phase = 'waf' | 'authenticate' | 'authorizer' | 'authorize';
const PHASE_OF: Readonly<Record<string, Phase>> = {
  WAF_FILTERED: 'waf',
  INVALID_SIGNATURE: 'authenticate',
  EXPIRED_TOKEN: 'authenticate',
  MISSING_AUTHENTICATION_TOKEN: 'authenticate',
  UNAUTHORIZED: 'authorizer',
  AUTHORIZER_FAILURE: 'authorizer',
  AUTHORIZER_CONFIGURATION_ERROR: 'authorizer',
  ACCESS_DENIED: 'authorize',
};
const failedPhase = ({ fault }: Exchange): Phase | null => (fault === null ? null : (PHASE_OF[fault.responseType] ?? null));

const phaseError =
  (phase: Phase): LogVariable =>
  (x) =>
    failedPhase(x) === phase ? (x.faultMessage ?? x.fault!.responseType) : null;

const phaseStatus =
  (phase: Phase, isPast: (x: Exchange) => boolean): LogVariable =>
  (x) =>
    failedPhase(x) === phase ? String(x.fault!.status) : isPast(x) ? '200' : null;

const hasAuthorizer = (x: Exchange): boolean => x.authorizer !== null;

const LOG_VARIABLES: ReadonlyMap<string, LogVariable> = new Map<string, LogVariable>([
  ['identity.apiKey', (x) => (x.apiKeyValue === null ? null : masked(x.apiKeyValue))],
  ['error.messageString', (x) => (x.faultMessage === null ? null : JSON.stringify(x.faultMessage))],
  ['responseLatency', (_x, latencyMs) => whole(latencyMs)],
  ['responseLength', (x) => String(x.deliveredBytes)],
  ['awsEndpointRequestId', backendRequestId],
  ['integration.requestId', backendRequestId],
  ['integrationLatency', integrationLatency],
  ['integration.latency', integrationLatency],
  ['integrationStatus', backendStatus],
  ['integration.integrationStatus', backendStatus],
  // Of a function: what its code said. Lambda's own status is integrationStatus.
  ['integration.status', (x, latencyMs) => (isFunction(x) && x.fault === null ? String(x.status) : backendStatus(x, latencyMs))],
  ['integrationErrorMessage', integrationError],
  ['integration.error', integrationError],
  ['integration.responseTransferMode', (x) => (x.integrationLatencyMs < 0 ? null : isStreamed(x) ? 'STREAM' : 'BUFFERED')],
  ['integration.timeToAllHeaders', (x, latencyMs) => (isStreamed(x) ? integrationLatency(x, latencyMs) : null)],
  ['waf.error', phaseError('waf')],
  ['waf.status', phaseStatus('waf', (x) => x.stage?.isBlocked != null)],
  ['authenticate.error', phaseError('authenticate')],
  ['authenticate.status', phaseStatus('authenticate', (x) => x.accessKey !== null)],
  ['authorizer.error', phaseError('authorizer')],
  ['authorizer.status', phaseStatus('authorizer', hasAuthorizer)],
  ['authorizer.integrationStatus', (x) => (x.authorizer !== null && x.authorizer.claims === null ? '200' : null)],
  ['authorizer.latency', (x) => (x.authorizer === null ? null : String(x.authorizerLatencyMs))],
  ['authorize.error', phaseError('authorize')],
  ['authorize.status', phaseStatus('authorize', (x) => hasAuthorizer(x) && failedPhase(x) === null)],
  ...[
    'authenticate.latency',
    'authorize.latency',
    'authorizer.requestId',
    'waf.latency',
    'integration.timeToFirstContent',
    'customDomain.routingRuleIdMatched',
    'endpointType',
    'tlsVersion',
    'cipherSuite',
  ].map((name): [string, LogVariable] => [name, () => null]),
]);

/** Their text is escaped by whoever made it. */
export const ESCAPED_ALREADY: ReadonlySet<string> = new Set(['error.messageString', 'error.validationErrorString']);

/** `null` for a name that API Gateway does not know. */
export function logVariable(name: string): LogVariable | null {
  return LOG_VARIABLES.get(name) ?? contextVariable(name);
}
