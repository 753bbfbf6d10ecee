/**
 * The caller's request becomes the backend's: one compiled form for each integration type; `VELOCITY` is one with templates that are rendered,
 * `CONVERT` one with payloads that are converted.
 *
 *   HTTP_PROXY   the caller's headers, query and body, plus mappings
 *   HTTP         mapped headers and query only; body from a template or passed through
 *   AWS_PROXY    a proxy event; mappings are ignored, as on AWS
 *   FUNCTION     the template's text is the event (map-function-call.ts)
 *   SERVICE      a signed request to an AWS service (services/map-service-call.ts)
 *   MOCK         no request: the template says what was answered
 */
import {
  type ConnectedIntegrationSnapshot,
  type FunctionProxyIntegrationSnapshot,
  type HttpIntegrationSnapshot,
  type HttpProxyIntegrationSnapshot,
  type IntegrationSnapshot,
  type MockIntegrationSnapshot,
  type StageSnapshot,
  type StreamedFunctionIntegrationSnapshot,
} from '@gatehouse/contracts';
import {
  bytesOfText,
  CONTINUE,
  FAULT,
  headerText,
  isHeaderToken,
  STREAM_BODY,
  TemplateFailure,
  type BodyMode,
  type Exchange,
  type HeaderBlock,
  type RawHeaders,
  type RouteSettings,
  type Step,
  type UpstreamAnswer,
  type UpstreamWay,
  type Verdict,
} from '@gatehouse/engine-exchange';
import { mockAnswer } from '@gatehouse/engine-connectors';
import { FAULTS } from '@gatehouse/engine-faults';
import { systemClock, unreachable, type Clock } from '@gatehouse/kernel';
import { isLiteralTemplate, type Overrides } from '@gatehouse/lang';
import { RequestSigner } from '@gatehouse/sigv4';
import { compileRequestConversion, convertBody, CONVERTED_BODY, failedToRead, holdsBytes, KEEP } from './content-handling.js';
import { DROPPED_TARGETS, FORBIDDEN_TARGETS, ownBlock, passedBlock, putMapped } from './forwarded-headers.js';
import { compileFunctionEvent } from './function-event.js';
import { callerOf } from './function-caller.js';
import { mapFunctionCall } from './map-function-call.js';
import { BROKEN_JSON, parseBody, type ParsedBody } from './json-body.js';
import {
  compileMappings,
  compileUri,
  fillUri,
  readSource,
  UNMAPPED,
  UNSAFE,
  type ParameterMappings,
  type UriTemplate,
} from './parameter-mapping.js';
import type { Surroundings } from './request-payload.js';
import { mapServiceCall } from './services/map-service-call.js';
import { compileRequestTemplates, PASSTHROUGH, UNSUPPORTED } from './templates.js';
import { anyReadsBody, bodyTemplates, VelocityTemplate } from './velocity.js';

export interface RequestMapping {
  readonly step: Step;
  readonly body: BodyMode;
}

/** Throws LinkRefusal. */
export function mapRequest(settings: RouteSettings, clock: Clock = systemClock): RequestMapping {
  return mapRequestOf(settings, settings.route.integration, { isVelocity: false, contentHandling: null, way: null }, clock);
}

function mapRequestOf(
  settings: RouteSettings,
  integration: IntegrationSnapshot,
  around: Surroundings,
  clock: Clock,
): RequestMapping {
  switch (integration.type) {
    case 'HTTP_PROXY':
      return mapProxyRequest(settings, integration, around);
    case 'HTTP':
      return mapHttpRequest(settings, integration, around);
    case 'AWS_PROXY':
    case 'AWS_PROXY_STREAM':
      return mapFunctionRequest(settings, integration, null);
    case 'AS_ROLE':
      return mapFunctionRequest(settings, integration.integration, integration.account);
    case 'FUNCTION':
      return mapFunctionCall(settings, integration, around);
    case 'SERVICE':
      return mapServiceCall(settings, integration, around, new RequestSigner(clock));
    case 'MOCK':
      return mapMockRequest(settings, integration, around);
    case 'VELOCITY':
      return mapRequestOf(settings, integration.integration, { ...around, isVelocity: true }, clock);
    case 'CONNECT':
      return mapRequestOf(settings, integration.integration, { ...around, way: wayOf(integration) }, clock);
    case 'CONVERT':
      return mapRequestOf(settings, integration.integration, { ...around, contentHandling: integration.contentHandling }, clock);
    case 'REFUSE': {
      const doing = `mapping the request: ${integration.reason}`;
      return { step: (x) => x.fail(FAULTS.API_CONFIGURATION_ERROR, null, doing), body: STREAM_BODY };
    }
    default:
      return unreachable(integration);
  }
}

function mapProxyRequest(
  settings: RouteSettings,
  integration: HttpProxyIntegrationSnapshot,
  { contentHandling, way }: Surroundings,
): RequestMapping {
  const { stage } = settings;
  const call = compileCall(integration, stage, way);
  // Without a template, only what is converted is to be told apart.
  const conversionOf = contentHandling === null ? null : compileRequestConversion(settings, contentHandling);
  return {
    body: conversionOf === null ? bodyMode(call.mappings) : CONVERTED_BODY,
    step: (x) => {
      if (conversionOf !== null && convertBody(x, conversionOf(x)) !== CONTINUE) return FAULT;
      const body = call.mappings.usesBody ? parseBody(x.bufferedBody) : null;
      if (body === BROKEN_JSON) return x.fail(FAULTS.INVALID_JSON_BODY, null, 'mapping the body');
      const block = passedBlock(x, stage.apiId);
      const headers: RawHeaders = x.takesTrailers ? ['TE', 'trailers'] : [];
      return finishCall(call, x, block, headers, x.rawQuery, body, requestBody(x, headers));
    },
  };
}

function mapHttpRequest(
  settings: RouteSettings,
  integration: HttpIntegrationSnapshot,
  { isVelocity, contentHandling, way }: Surroundings,
): RequestMapping {
  const { stage } = settings;
  const conversionOf = compileRequestConversion(settings, contentHandling);
  const templateBody = isVelocity && anyReadsBody(integration.requestTemplates);
  const call = compileCall(integration, stage, way);
  const blockOf = ownBlock(stage.apiId);
  const choose = compileRequestTemplates(
    integration.requestTemplates,
    integration.passthroughBehavior,
    bodyTemplates(isVelocity),
  );
  return {
    body: contentHandling !== null ? CONVERTED_BODY : templateBody ? TEMPLATE_BODY : bodyMode(call.mappings),
    step: (x) => {
      const conversion = conversionOf === null ? KEEP : conversionOf(x);
      if (convertBody(x, conversion) !== CONTINUE) return FAULT;
      const body = call.mappings.usesBody ? parseBody(x.bufferedBody) : null;
      if (body === BROKEN_JSON) return x.fail(FAULTS.INVALID_JSON_BODY, null, 'mapping the body');
      const template = choose(x);
      if (template === UNSUPPORTED) return x.fail(FAULTS.UNSUPPORTED_MEDIA_TYPE, null, 'choosing a request template');
      if (template !== PASSTHROUGH && holdsBytes(x, conversion)) return failedToRead(x);
      const block = blockOf(x);
      const headers: RawHeaders = [];
      if (template === PASSTHROUGH) return finishCall(call, x, block, headers, '', body, requestBody(x, headers));
      if (!(template instanceof VelocityTemplate)) return finishCall(call, x, block, headers, '', body, () => sentText(template));
      const rendered = template.render(x, x.bufferedBody, 'request');
      if (rendered instanceof TemplateFailure)
        return x.fail(FAULTS.API_CONFIGURATION_ERROR, rendered, 'rendering the request template');
      x.responseOverrides = rendered.overrides;
      const text = bytesOfText(rendered.text);
      return finishCall(call, x, block, headers, '', body, () => sentText(text), rendered.overrides);
    },
  };
}

const sentText = (text: Buffer): Buffer | null => (text.length === 0 ? null : text);

const TEMPLATE_BODY: BodyMode = { type: 'buffer', reason: 'a request template reads the body' };

interface CompiledCall {
  readonly tenant: string;
  readonly uri: UriTemplate;
  readonly mappings: ParameterMappings;
  readonly hasForbiddenTarget: boolean;
  /** `null`: the caller's. */
  readonly httpMethod: string | null;
  readonly timeoutMs: number;
  readonly way: UpstreamWay | null;
}

function compileCall(
  integration: HttpIntegrationSnapshot | HttpProxyIntegrationSnapshot,
  { tenant, stageVariables }: StageSnapshot,
  way: UpstreamWay | null,
): CompiledCall {
  const mappings = compileMappings(integration.requestParameters, stageVariables);
  return {
    tenant,
    uri: compileUri(integration.uri),
    mappings: { ...mappings, headers: mappings.headers.filter(({ lowerName }) => !DROPPED_TARGETS.has(lowerName)) },
    hasForbiddenTarget: mappings.headers.some(({ lowerName }) => FORBIDDEN_TARGETS.has(lowerName)),
    httpMethod: integration.httpMethod === 'ANY' ? null : integration.httpMethod,
    timeoutMs: integration.timeoutMs,
    way,
  };
}

/** Connections are shared by routes that say the same. */
function wayOf({ clientCertificateId, privateTargets }: ConnectedIntegrationSnapshot): UpstreamWay {
  return {
    key: JSON.stringify([clientCertificateId, privateTargets]),
    clientCertificateId,
    targets: privateTargets === null ? null : privateTargets.targets,
    tlsName: privateTargets === null ? null : privateTargets.tlsName,
    isOperators: privateTargets !== null && privateTargets.isOperators,
  };
}

function bodyMode(mappings: ParameterMappings): BodyMode {
  return mappings.usesBody ? { type: 'buffer', reason: 'a parameter mapping reads the body' } : STREAM_BODY;
}

type SentBody = () => ReturnType<Exchange['openBody']>;

/** The caller's body as it is, with its length. Opened last: before that, a fault must leave it unread. */
function requestBody(x: Exchange, headers: RawHeaders): SentBody {
  if (x.bufferedBody !== null) return () => (x.bufferedBody!.length === 0 ? null : x.bufferedBody);
  const declaredBytes = x.requestBody?.declaredBytes ?? null;
  if (declaredBytes !== null) headers.push('Content-Length', String(declaredBytes));
  return () => x.openBody();
}

function finishCall(
  call: CompiledCall,
  x: Exchange,
  shared: HeaderBlock,
  own: RawHeaders,
  callerQuery: string,
  body: ParsedBody | null,
  sent: SentBody,
  overrides: Overrides | null = null,
): Verdict {
  if (call.hasForbiddenTarget)
    return x.fail(FAULTS.FORBIDDEN_HEADER_MAPPING, null, 'mapping a header that the gateway writes itself');
  let url = fillUri(call.uri, call.mappings, x, body, overrides?.requestPath ?? null);
  if (url === UNMAPPED) return x.fail(FAULTS.INVALID_ENDPOINT, null, 'filling the path of the integration URI');
  if (url === UNSAFE) return x.fail(FAULTS.MALFORMED_PATH_VALUE, null, 'filling the path of the integration URI');
  const headerOverrides = overrides?.requestHeaders ?? null;
  const isMapped = call.mappings.headers.length > 0 || headerOverrides !== null;
  const headers = isMapped ? [...shared.fields, ...own] : own;
  for (const { name, lowerName, source } of call.mappings.headers) {
    const value = readSource(source, x, body).at(-1);
    const text = value === undefined ? null : headerText(value);
    if (text !== null) putMapped(headers, name, lowerName, text);
  }
  if (headerOverrides !== null && !putOverrides(headers, headerOverrides))
    return x.fail(FAULTS.FORBIDDEN_HEADER_MAPPING, null, 'overriding a header that the gateway writes itself');
  if (x.trace !== null) putMapped(headers, 'traceparent', 'traceparent', x.trace.traceparent);
  let separator = url.includes('?') ? '&' : '?';
  if (callerQuery !== '') {
    url += separator + callerQuery;
    separator = '&';
  }
  const queryOverrides = overrides?.requestQuerystring ?? null;
  for (const { prefix, source } of call.mappings.query) {
    if (queryOverrides !== null && isOverridden(prefix, queryOverrides)) continue;
    for (const value of readSource(source, x, body)) {
      url += separator + prefix + encodeURIComponent(value.toWellFormed());
      separator = '&';
    }
  }
  for (const [name, value] of queryOverrides ?? []) {
    url += `${separator}${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(value.toWellFormed())}`;
    separator = '&';
  }
  x.upstreamRequest = {
    httpMethod: call.httpMethod ?? x.httpMethod,
    url,
    tenant: call.tenant,
    way: call.way,
    traceId: x.traceId,
    block: isMapped ? null : shared,
    headers,
    body: sent(),
    timeoutMs: call.timeoutMs,
  };
  return CONTINUE;
}

function isOverridden(prefix: string, overrides: ReadonlyMap<string, string>): boolean {
  return overrides.has(decodeURIComponent(prefix.slice(0, -1)));
}

/** False for a header that a mapping may not set either. */
function putOverrides(headers: RawHeaders, overrides: ReadonlyMap<string, string>): boolean {
  for (const [name, value] of overrides) {
    const lowerName = name.toLowerCase();
    if (FORBIDDEN_TARGETS.has(lowerName)) return false;
    const text = isHeaderToken(name) && !DROPPED_TARGETS.has(lowerName) ? headerText(value) : null;
    if (text !== null) putMapped(headers, name, lowerName, text);
  }
  return true;
}

const FUNCTION_BODY: BodyMode = { type: 'buffer', reason: 'a proxy event holds the whole body' };

function mapFunctionRequest(
  settings: RouteSettings,
  integration: FunctionProxyIntegrationSnapshot | StreamedFunctionIntegrationSnapshot,
  account: string | null,
): RequestMapping {
  const { stage, route } = settings;
  if (integration.httpMethod !== 'POST') {
    return {
      step: (x) => x.fail(FAULTS.INVALID_ENDPOINT, null, 'invoking a function by a verb other than POST'),
      body: STREAM_BODY,
    };
  }
  const event = compileFunctionEvent(stage, route);
  const callerHeaders = callerOf(settings, account);
  const isStreamed = integration.type === 'AWS_PROXY_STREAM';
  return {
    body: FUNCTION_BODY,
    step: (x) => {
      x.upstreamRequest = {
        httpMethod: 'POST',
        url: integration.functionArn,
        tenant: stage.tenant,
        traceId: x.traceId,
        block: null,
        headers: x.trace === null ? callerHeaders : [...callerHeaders, 'traceparent', x.trace.traceparent],
        body: Buffer.from(event(x), 'utf8'),
        isStreamed,
        timeoutMs: integration.timeoutMs,
      };
      return CONTINUE;
    },
  };
}

const MOCK_BODY: BodyMode = { type: 'buffer', reason: 'without a template a mock takes its status from the body' };

function mapMockRequest(
  settings: RouteSettings,
  integration: MockIntegrationSnapshot,
  { isVelocity, contentHandling }: Surroundings,
): RequestMapping {
  const conversionOf = compileRequestConversion(settings, contentHandling);
  const prepare = (text: string, type: string): UpstreamAnswer | VelocityTemplate | null =>
    isVelocity && !isLiteralTemplate(text) ? new VelocityTemplate(text, type) : mockAnswer(text);
  const choose = compileRequestTemplates(integration.requestTemplates, integration.passthroughBehavior, prepare);
  return {
    body: MOCK_BODY,
    step: (x) => {
      const conversion = conversionOf === null ? KEEP : conversionOf(x);
      if (convertBody(x, conversion) !== CONTINUE) return FAULT;
      const template = choose(x);
      if (template === UNSUPPORTED) return x.fail(FAULTS.UNSUPPORTED_MEDIA_TYPE, null, 'choosing a request template');
      if (template !== PASSTHROUGH && holdsBytes(x, conversion)) return failedToRead(x);
      if (template instanceof VelocityTemplate) {
        const rendered = template.render(x, x.bufferedBody, 'request');
        if (rendered instanceof TemplateFailure)
          return x.fail(FAULTS.API_CONFIGURATION_ERROR, rendered, 'rendering the request template');
        x.responseOverrides = rendered.overrides;
        x.upstreamAnswer = mockAnswer(rendered.text);
      } else x.upstreamAnswer = template === PASSTHROUGH ? mockAnswer(x.bufferedBody!.toString('utf8')) : template;
      if (x.upstreamAnswer === null)
        return x.fail(FAULTS.API_CONFIGURATION_ERROR, null, 'reading the statusCode of a mock template');
      return CONTINUE;
    },
  };
}
