/**
 * `$context` variables of REST APIs (data-plane reference §10.4), by name without `$context.`.
 * What this node cannot know yet (client certificates, VPC endpoints) is known by name and reads as `null`.
 */
import type { Exchange } from './exchange.js';
import { lastHeader } from './headers.js';
import { InvalidBody } from './invalid-body.js';

export type ContextVariable = (x: Exchange) => string | null;

const absent: ContextVariable = () => null;

/** The id that the backend gave the call, as AWS's services do. */
function backendRequestId({ upstreamAnswer }: Exchange): string | null {
  if (upstreamAnswer === null) return null;
  return lastHeader(upstreamAnswer.headers, 'x-amz-request-id') ?? lastHeader(upstreamAnswer.headers, 'x-amzn-requestid');
}

const VARIABLES: ReadonlyMap<string, ContextVariable> = new Map<string, ContextVariable>([
  ['accountId', (x) => x.stage?.snapshot.tenant ?? null],
  ['apiId', (x) => x.stage?.snapshot.apiId ?? null],
  ['domainName', (x) => x.host],
  ['domainPrefix', (x) => domainPrefix(x.host)],
  ['extendedRequestId', (x) => x.extendedRequestId],
  ['httpMethod', (x) => x.httpMethod],
  ['path', (x) => x.path],
  ['customDomain.basePathMatched', (x) => (x.basePath === null ? null : x.basePath === '' ? '(none)' : x.basePath)],
  ['protocol', (x) => x.protocol],
  ['requestId', (x) => x.requestId],
  ['requestTime', (x) => clfTime(x.receivedAtMs)],
  ['requestTimeEpoch', (x) => String(x.receivedAtMs)],
  ['resourceId', (x) => x.route?.settings.resourceId ?? null],
  ['resourcePath', (x) => x.route?.settings.path ?? null],
  ['operationName', (x) => x.route?.settings.operationName ?? null],
  ['stage', (x) => x.stage?.snapshot.stage ?? null],
  ['deploymentId', (x) => x.stage?.snapshot.deploymentId ?? null],
  ['isCanaryRequest', (x) => (x.stage === null || x.stage.isCanary === null ? null : String(x.stage.isCanary))],
  ['awsEndpointRequestId', backendRequestId],
  ['identity.apiKey', (x) => x.apiKeyValue],
  ['identity.apiKeyId', (x) => x.apiKey?.apiKeyId ?? null],
  ['identity.accessKey', (x) => x.accessKey?.accessKeyId ?? null],
  ['identity.accountId', (x) => x.accessKey?.tenant ?? null],
  ['identity.caller', (x) => x.accessKey?.userId ?? null],
  ['identity.user', (x) => x.accessKey?.userId ?? null],
  ['identity.userArn', (x) => x.accessKey?.principalArn ?? null],
  ['identity.vpcId', (x) => x.vpcEndpoint?.vpcId ?? null],
  ['identity.vpceId', (x) => x.vpcEndpoint?.vpceId ?? null],
  ['identity.sourceIp', (x) => x.sourceIp],
  ['identity.userAgent', (x) => (x.userAgent === '' ? null : x.userAgent)],
  ['xrayTraceId', (x) => x.traceId],
  ['error.message', (x) => x.faultMessage],
  ['error.messageString', (x) => JSON.stringify(x.faultMessage)],
  ['error.responseType', (x) => x.fault?.responseType ?? null],
  ['error.validationErrorString', (x) => (x.faultCause instanceof InvalidBody ? x.faultCause.escapedMessage : null)],
  ['status', (x) => (x.status === 0 ? null : String(x.status))],
  [
    'wafResponseCode',
    (x) => (x.stage?.isBlocked == null ? null : x.fault?.responseType === 'WAF_FILTERED' ? 'WAF_BLOCK' : 'WAF_ALLOW'),
  ],
  ...[
    'webaclArn',
    'identity.cognitoAuthenticationProvider',
    'identity.cognitoAuthenticationType',
    'identity.cognitoIdentityId',
    'identity.cognitoIdentityPoolId',
    'identity.principalOrgId',
  ].map((name): [string, ContextVariable] => [name, absent]),
]);

/** `null` for a name API Gateway does not know. */
export function contextVariable(name: string): ContextVariable | null {
  if (name.startsWith(AUTHORIZER)) return authorizerVariable(name.slice(AUTHORIZER.length));
  return VARIABLES.get(name) ?? (name.startsWith('identity.clientCert.') ? absent : null);
}

const AUTHORIZER = 'authorizer.';
const CLAIMS = 'claims.';

function authorizerVariable(name: string): ContextVariable {
  if (name === 'principalId') return ({ authorizer }) => authorizer?.principalId ?? null;
  if (name === 'integrationLatency') return (x) => (x.authorizer === null ? null : String(x.authorizerLatencyMs));
  if (name.startsWith(CLAIMS)) {
    const claim = name.slice(CLAIMS.length);
    return ({ authorizer }) => authorizer?.claims?.[claim] ?? null;
  }
  return ({ authorizer }) => {
    const value = authorizer?.context.get(name);
    return value === undefined ? null : String(value);
  };
}

export type AuthorizerVariables = Readonly<Record<string, string | number | Readonly<Record<string, string>>>>;

/** All of `$context.authorizer`, as texts; `null` without one. The function's own names do not take the place of the gateway's. */
export function authorizerVariables(x: Exchange): AuthorizerVariables | null {
  if (x.authorizer === null) return null;
  const { principalId, context, claims } = x.authorizer;
  if (claims !== null) return { claims };
  const variables: Record<string, string | number> = Object.create(null);
  for (const [name, value] of context) variables[name] = String(value);
  variables['principalId'] = principalId;
  variables['integrationLatency'] = x.authorizerLatencyMs;
  return variables;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `dd/MMM/yyyy:HH:mm:ss +0000`. */
export function clfTime(epochMs: number): string {
  const time = new Date(epochMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  return (
    `${two(time.getUTCDate())}/${MONTHS[time.getUTCMonth()]!}/${time.getUTCFullYear()}` +
    `:${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())} +0000`
  );
}

/** The text before the first dot. */
export function domainPrefix(host: string): string {
  const dot = host.indexOf('.');
  return dot === -1 ? host : host.slice(0, dot);
}
