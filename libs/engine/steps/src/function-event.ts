/**
 * The event of a Lambda proxy integration (data-plane reference §4.1), as JSON text. Members stand in the order AWS writes them.
 * Paths and path parameters are raw, the query is decoded; maps without an entry are `null`.
 */
import type { RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import {
  authorizerVariables,
  clfTime,
  domainPrefix,
  lastHeader,
  requestMediaType,
  type Exchange,
} from '@gatehouse/engine-exchange';
import { forwardedFor, isSigV4 } from './forwarded-headers.js';
import { compileBinaryTest } from './media-types.js';

type Values = Record<string, string>;
type MultiValues = Record<string, string[]>;

/** Not in events although other integrations see them (data-plane reference §3.6.2, Lambda columns). */
const NOT_IN_EVENTS = new Set([
  'connection',
  'content-length',
  'host',
  'x-amzn-trace-id',
  'x-forwarded-for',
  'x-forwarded-port',
  'x-forwarded-proto',
]);

/** Where a request arrived. */
export type EventRoute = Pick<RouteSnapshot, 'resourceId' | 'path' | 'operationName'>;

export function compileFunctionEvent(stage: StageSnapshot, route: EventRoute): (x: Exchange) => string {
  const isBinary = compileBinaryTest(stage.binaryMediaTypes);
  const describe = compileDescription(stage, route);
  return (x) => {
    const body = x.bufferedBody;
    const isBase64Encoded = body !== null && body.length > 0 && isBinary(requestMediaType(x));
    return JSON.stringify({
      ...describe(x),
      body: body === null || body.length === 0 ? null : body.toString(isBase64Encoded ? 'base64' : 'utf8'),
      isBase64Encoded,
    });
  };
}

/** All of the event but the body: authorizers are told the same of a request. */
export function compileDescription(stage: StageSnapshot, route: EventRoute): (x: Exchange) => object {
  const stageVariables = Object.keys(stage.stageVariables).length === 0 ? null : stage.stageVariables;
  return (x) => {
    const [headers, multiValueHeaders] = headerMaps(x);
    const [queryStringParameters, multiValueQueryStringParameters] = queryMaps(x.query);
    return {
      resource: route.path,
      path: eventPath(x),
      httpMethod: x.httpMethod,
      headers,
      multiValueHeaders,
      queryStringParameters,
      multiValueQueryStringParameters,
      pathParameters: pathParameters(x),
      stageVariables,
      requestContext: {
        resourceId: route.resourceId,
        ...(x.authorizer === null ? null : { authorizer: authorizerVariables(x) }),
        resourcePath: route.path,
        ...(route.operationName === null ? null : { operationName: route.operationName }),
        httpMethod: x.httpMethod,
        extendedRequestId: x.extendedRequestId,
        requestTime: clfTime(x.receivedAtMs),
        path: x.path,
        accountId: stage.tenant,
        protocol: x.protocol,
        stage: stage.stage,
        domainPrefix: domainPrefix(x.host),
        requestTimeEpoch: x.receivedAtMs,
        requestId: x.requestId,
        identity: {
          cognitoIdentityPoolId: null,
          accountId: x.accessKey?.tenant ?? null,
          ...(x.apiKey === null ? null : { apiKey: x.apiKeyValue, apiKeyId: x.apiKey.apiKeyId }),
          cognitoIdentityId: null,
          caller: x.accessKey?.userId ?? null,
          ...(x.vpcEndpoint === null ? null : { vpcId: x.vpcEndpoint.vpcId, vpceId: x.vpcEndpoint.vpceId }),
          sourceIp: x.sourceIp,
          principalOrgId: null,
          accessKey: x.accessKey?.accessKeyId ?? null,
          cognitoAuthenticationType: null,
          cognitoAuthenticationProvider: null,
          userArn: x.accessKey?.principalArn ?? null,
          userAgent: x.userAgent === '' ? null : x.userAgent,
          user: x.accessKey?.userId ?? null,
        },
        domainName: x.host,
        deploymentId: stage.deploymentId,
        apiId: stage.apiId,
      },
    };
  };
}

/** Below the stage; on a custom domain name with the base path, which callers know as a part of the path. */
function eventPath({ basePath, resourcePath, path }: Exchange): string {
  if (basePath === null || basePath === '') return resourcePath.replace(/^\/\/+/, '/');
  // `/` is what a path has at least: nothing behind the base path adds nothing to it.
  return `/${basePath}${resourcePath === '/' && !path.endsWith('/') ? '' : resourcePath}`;
}

/** Objects without a prototype: a caller's `__proto__` is a name like any other. */
function headerMaps(x: Exchange): [Values, MultiValues] {
  const last: Values = Object.create(null);
  const all: MultiValues = Object.create(null);
  const spelling = new Map<string, string>();
  const add = (sent: string, value: string): void => {
    const lowerName = sent.toLowerCase();
    let name = spelling.get(lowerName);
    if (name === undefined) spelling.set(lowerName, (name = eventName(sent, lowerName)));
    last[name] = value;
    (all[name] ??= []).push(value);
  };
  for (let i = 0; i < x.requestHeaders.length; i += 2) {
    const lowerName = x.requestHeaders[i]!.toLowerCase();
    if (NOT_IN_EVENTS.has(lowerName)) continue;
    if (lowerName === 'traceparent' && x.trace !== null) continue;
    if (lowerName === 'authorization' && isSigV4(x.requestHeaders[i + 1]!)) continue;
    add(x.requestHeaders[i]!, x.requestHeaders[i + 1]!);
  }
  add('Host', lastHeader(x.requestHeaders, 'host') ?? x.host);
  add('X-Amzn-Trace-Id', x.traceId);
  if (x.trace !== null) add('traceparent', x.trace.traceparent);
  add('X-Forwarded-For', forwardedFor(x));
  add('X-Forwarded-Port', x.forwardedPort);
  add('X-Forwarded-Proto', x.forwardedProto);
  return [last, all];
}

/** The caller's spelling, but for two names that AWS writes its own way. */
function eventName(sent: string, lowerName: string): string {
  if (lowerName === 'authorization') return 'Authorization';
  return lowerName === 'user-agent' ? 'User-Agent' : sent;
}

function queryMaps(query: readonly string[]): [Values | null, MultiValues | null] {
  if (query.length === 0) return [null, null];
  const last: Values = Object.create(null);
  const all: MultiValues = Object.create(null);
  for (let i = 0; i < query.length; i += 2) {
    last[query[i]!] = query[i + 1]!;
    (all[query[i]!] ??= []).push(query[i + 1]!);
  }
  return [last, all];
}

function pathParameters(x: Exchange): Values | null {
  const names = x.route?.paramNames ?? []; // an authorizer may be tested without one
  if (names.length === 0) return null;
  const values: Values = Object.create(null);
  names.forEach((name, i) => {
    values[name] = x.params[i]!;
  });
  return values;
}
