/**
 * `AWS` integrations with services (data-plane reference §3.3): a request as HTTP has it, to the endpoint of the service, signed with the
 * credentials of the integration's role. What it holds is decided here and nothing is added behind the signature but `X-Amzn-Trace-Id`.
 */
import type { ServiceIntegrationSnapshot } from '@gatehouse/contracts';
import {
  CONTINUE,
  headerText,
  isHeaderToken,
  lastHeader,
  type Exchange,
  type RawHeaders,
  type RouteSettings,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { strictPath, strictQuery, type RequestSigner } from '@gatehouse/sigv4';
import { DROPPED_TARGETS, FORBIDDEN_SERVICE_TARGETS, putMapped } from '../forwarded-headers.js';
import type { RequestMapping } from '../map-request.js';
import { compileMappings, compileUri, fillUri, readSource, UNMAPPED, UNSAFE } from '../parameter-mapping.js';
import { compilePayload, type Payload, type Surroundings } from '../request-payload.js';
import { isHostName, serviceEndpoint, signingName } from './endpoint.js';
import { actionProtocol } from './protocols.js';

/** Ours to write. Host is the endpoint's; the others are parts of the signature. */
const OWN_TARGETS: ReadonlySet<string> = new Set([
  'host',
  'referer',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-content-sha256',
]);

const WITHOUT_CONTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Throws LinkRefusal. */
export function mapServiceCall(
  settings: RouteSettings,
  integration: ServiceIntegrationSnapshot,
  around: Surroundings,
  signer: RequestSigner,
): RequestMapping {
  const { stage } = settings;
  const { role, service } = integration;
  const mappings = compileMappings(integration.requestParameters, stage.stageVariables);
  const isForbidden = mappings.headers.some(({ lowerName }) => FORBIDDEN_SERVICE_TARGETS.has(lowerName));
  const headerMappings = mappings.headers.filter(({ lowerName }) => isSent(lowerName));
  const payloadOf = compilePayload(settings, integration, around, mappings.usesBody);
  const path = compileUri(integration.path);
  const subdomain = integration.subdomain === null ? null : compileUri(integration.subdomain);
  const action = integration.action === null ? null : compileAction(integration, integration.action);
  const signingService = signingName(service);
  const noRole = `API Gateway does not have permission to assume the provided role: role ${role} of account ${stage.tenant} has no credentials`;

  const headersOf = (x: Exchange, httpMethod: string, payload: Payload): RawHeaders | null => {
    const headers: RawHeaders = ['Accept', 'application/json', 'User-Agent', `AmazonAPIGateway_${stage.apiId}`];
    if (action !== null) headers.push(...action.headers);
    else if (!WITHOUT_CONTENT.has(httpMethod)) {
      headers.push('Content-Type', lastHeader(x.requestHeaders, 'content-type') ?? 'application/json');
    }
    for (const { name, lowerName, source } of headerMappings) {
      const value = readSource(source, x, payload.parsed).at(-1);
      const text = value === undefined ? null : headerText(value);
      if (text !== null) putMapped(headers, name, lowerName, text);
    }
    for (const [name, value] of payload.overrides?.requestHeaders ?? []) {
      const lowerName = name.toLowerCase();
      if (FORBIDDEN_SERVICE_TARGETS.has(lowerName)) return null;
      const text = isHeaderToken(name) && isSent(lowerName) ? headerText(value) : null;
      if (text !== null) putMapped(headers, name, lowerName, text);
    }
    return headers;
  };

  /** In front: what the path and the action say. */
  const queryOf = (x: Exchange, own: string, { parsed, overrides }: Payload): string => {
    const parts = [action?.query ?? '', own];
    const overridden = overrides?.requestQuerystring ?? null;
    for (const { prefix, source } of mappings.query) {
      if (overridden?.has(decodeURIComponent(prefix.slice(0, -1))) === true) continue;
      for (const value of readSource(source, x, parsed)) parts.push(prefix + encodeURIComponent(value.toWellFormed()));
    }
    for (const [name, value] of overridden ?? [])
      parts.push(`${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(value.toWellFormed())}`);
    return strictQuery(parts.filter((part) => part !== '').join('&'));
  };

  return {
    body: { type: 'buffer', reason: "a signature covers the service's whole request" },
    step: (x) => {
      if (isForbidden) return x.fail(FAULTS.FORBIDDEN_HEADER_MAPPING, null, 'mapping a header that the gateway writes itself');
      const payload = payloadOf(x);
      if (typeof payload === 'number') return payload;
      const access = x.world!.serviceAccess(stage.tenant);
      const credentials = access?.role(role) ?? null;
      if (credentials === null) return x.fail(FAULTS.API_CONFIGURATION_ERROR, null, `signing the request: ${noRole}`);
      const overriddenPath = payload.overrides?.requestPath ?? null;
      const filled = fillUri(path, mappings, x, payload.parsed, overriddenPath);
      const before = subdomain === null ? null : fillUri(subdomain, mappings, x, payload.parsed, overriddenPath);
      if (filled === UNMAPPED || before === UNMAPPED)
        return x.fail(FAULTS.INVALID_ENDPOINT, null, 'filling the path of the integration URI');
      if (filled === UNSAFE || before === UNSAFE || (before !== null && !isHostName(before)))
        return x.fail(FAULTS.MALFORMED_PATH_VALUE, null, 'filling the path of the integration URI');
      const httpMethod = integration.httpMethod === 'ANY' ? x.httpMethod : integration.httpMethod;
      const headers = headersOf(x, httpMethod, payload);
      if (headers === null)
        return x.fail(FAULTS.FORBIDDEN_HEADER_MAPPING, null, 'overriding a header that the gateway writes itself');
      const endpoint = serviceEndpoint(integration, before, access);
      const mark = filled.indexOf('?');
      const sentPath = strictPath(`${endpoint.pathPrefix}${mark === -1 ? filled : filled.slice(0, mark)}`);
      const query = queryOf(x, mark === -1 ? '' : filled.slice(mark + 1), payload);
      const body = payload.bytes;
      const request = { httpMethod, host: endpoint.host, path: sentPath, query, headers, body };
      headers.push(...signer.sign(request, credentials, { region: endpoint.region, service: signingService }));
      if (x.trace !== null) putMapped(headers, 'traceparent', 'traceparent', x.trace.traceparent);
      x.upstreamRequest = {
        httpMethod,
        url: `${endpoint.origin}${sentPath}${query === '' ? '' : `?${query}`}`,
        tenant: stage.tenant,
        traceId: x.traceId,
        block: null,
        headers,
        body: body.length === 0 ? null : body,
        timeoutMs: integration.timeoutMs,
      };
      return CONTINUE;
    },
  };
}

function isSent(lowerName: string): boolean {
  return !OWN_TARGETS.has(lowerName) && !DROPPED_TARGETS.has(lowerName);
}

/** How the service is told of the action; a mapped header takes the place of the one that stands here. */
function compileAction(
  { service, subdomain }: ServiceIntegrationSnapshot,
  action: string,
): { readonly headers: RawHeaders; readonly query: string } {
  const protocol = actionProtocol(subdomain === null ? service : `${subdomain}.${service}`);
  if (protocol.type === 'JSON')
    return { headers: ['Content-Type', protocol.contentType, 'X-Amz-Target', `${protocol.targetPrefix}.${action}`], query: '' };
  const version = protocol.version === '' ? '' : `&Version=${protocol.version}`;
  return { headers: ['Content-Type', 'application/x-www-form-urlencoded'], query: `Action=${action}${version}` };
}
