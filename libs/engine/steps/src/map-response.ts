/**
 * HTTP and MOCK: the chosen integration response decides status, headers and body (data-plane reference §3.7, §3.11). Of the
 * backend's headers only mapped ones go out.
 */
import type { IntegrationResponseSnapshot } from '@gatehouse/contracts';
import {
  bytesOfText,
  compileSource,
  CONTINUE,
  allHeaders,
  exactHeaders,
  HeaderBlock,
  headerText,
  isHeaderToken,
  lastHeader,
  LinkRefusal,
  mappedResponseHeaderName,
  removeHeader,
  setHeader,
  STREAM_BODY,
  TemplateFailure,
  type BodyMode,
  type Exchange,
  type RawHeaders,
  type ResponseOverrides,
  type RouteSettings,
  type Step,
  type UpstreamAnswer,
  type Verdict,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import {
  compileAnswerConversion,
  converted,
  DECODE,
  ENCODE,
  failedToDecode,
  KEEP,
  KEEP_BYTES,
  type AnswerConversion,
  type Conversion,
} from './content-handling.js';
import { BROKEN_JSON, compileBodySource, parseBody, type ParsedBody } from './json-body.js';
import { declaredBytes } from './map-proxy-response.js';
import { readAnswer } from './read-answer.js';
import { compileResponseTemplates, type ResponseTemplate } from './templates.js';
import { anyReadsBody, bodyTemplates, VelocityTemplate, type BodyTemplate } from './velocity.js';

export interface ResponseMapping {
  readonly step: Step;
  readonly body: BodyMode;
}

type ResponseSource = (x: Exchange, answer: UpstreamAnswer, body: ParsedBody | null) => string | null;

interface LinkedResponse {
  readonly status: number;
  readonly headers: readonly { readonly name: string; readonly source: ResponseSource }[];
  /** A header mapping reads the backend's body, which must be JSON then. */
  readonly usesBody: boolean;
  /** A mapping or a template does. */
  readonly buffersBody: boolean;
  readonly conversionOf: AnswerConversion | null;
  readonly template: (x: Exchange) => ResponseTemplate | null;
}

/** What mappings read of an answer and its whole body. */
export type BodyOf = (answer: UpstreamAnswer, payload: Buffer) => ReturnType<typeof parseBody>;

/** Throws LinkRefusal. `hasBackend` is false for a mock. */
export function mapResponse(
  responses: readonly IntegrationResponseSnapshot[],
  { stage }: RouteSettings,
  hasBackend: boolean,
  isVelocity = false,
  bodyOf: BodyOf = (_, payload) => parseBody(payload),
): ResponseMapping {
  // A mock's answer has no kind, so the media types of the API say nothing of it.
  const binaryMediaTypes = hasBackend ? stage.binaryMediaTypes : [];
  const linked = responses.map((response) => linkResponse(response, stage.stageVariables, binaryMediaTypes, isVelocity));
  return {
    body: linked.some(({ buffersBody }) => buffersBody)
      ? { type: 'buffer', reason: "a mapping or a template reads the backend's body" }
      : STREAM_BODY,
    step: (x) => {
      const response = linked[x.integrationResponseIndex]!;
      const conversion = response.conversionOf === null ? KEEP : response.conversionOf(x, x.upstreamAnswer!);
      const isWhole = response.buffersBody || conversion === ENCODE || conversion === DECODE;
      if (!isWhole) return respond(x, response, conversion, null, hasBackend);
      const { body } = x.upstreamAnswer!;
      return Buffer.isBuffer(body)
        ? respondToWhole(x, response, conversion, body, hasBackend, bodyOf)
        : readAndRespond(x, response, conversion, hasBackend, bodyOf);
    },
  };
}

async function readAndRespond(
  x: Exchange,
  response: LinkedResponse,
  conversion: Conversion,
  hasBackend: boolean,
  bodyOf: BodyOf,
): Promise<Verdict> {
  const payload = await readAnswer(x);
  if (payload === null) return x.fail(FAULTS.INTEGRATION_FAILURE);
  return respondToWhole(x, response, conversion, payload, hasBackend, bodyOf);
}

/** Without a promise where the body came with its head, as most do. */
function respondToWhole(
  x: Exchange,
  response: LinkedResponse,
  conversion: Conversion,
  payload: Buffer,
  hasBackend: boolean,
  bodyOf: BodyOf,
): Verdict {
  const body = conversion === ENCODE ? converted(payload, ENCODE)! : payload;
  if (x.upstreamAnswer!.body !== body) x.upstreamAnswer = { ...x.upstreamAnswer!, body };
  if (!response.usesBody) return respond(x, response, conversion, null, hasBackend);
  const parsed = bodyOf(x.upstreamAnswer!, payload);
  // AWS answers 500 when a mapping reads a body that is not JSON, whichever way it is not.
  if (parsed === BROKEN_JSON || 'text' in parsed) return x.fail(FAULTS.RESPONSE_NOT_JSON, null, "mapping the backend's body");
  return respond(x, response, conversion, parsed, hasBackend);
}

function respond(
  x: Exchange,
  response: LinkedResponse,
  conversion: Conversion,
  parsed: ParsedBody | null,
  hasBackend: boolean,
): Verdict {
  const answer = x.upstreamAnswer!;
  const template = response.template(x);
  if (conversion === KEEP_BYTES && template !== null && hasPayload(answer))
    return x.fail(FAULTS.API_CONFIGURATION_ERROR, null, 'choosing a template for a binary answer that stays binary');
  const rendered = template === null ? null : render(x, template.content);
  if (rendered instanceof TemplateFailure)
    return x.fail(FAULTS.API_CONFIGURATION_ERROR, rendered, 'rendering the response template');
  const type = template?.mediaType ?? 'application/json';
  x.status = response.status;
  if (response.headers.length > 0 || x.responseOverrides !== null) {
    x.responseHeaders = mappedHeaders(x, response, type, parsed);
    if (hasBackend) setHeader(x.responseHeaders, 'X-Amzn-Trace-Id', x.traceId);
  } else {
    x.responseBlock = contentTypeBlock(type);
    x.responseHeaders = hasBackend ? ['X-Amzn-Trace-Id', x.traceId] : [];
  }
  if (conversion === DECODE) {
    x.responseBody = converted(rendered ?? (answer.body as Buffer), DECODE);
    return x.responseBody === null ? failedToDecode(x) : CONTINUE;
  }
  if (rendered === null) {
    x.responseBody = answer.body;
    if (conversion !== ENCODE && !Buffer.isBuffer(answer.body)) x.responseBodyBytes = declaredBytes(answer);
  } else {
    if (answer.body !== null && !Buffer.isBuffer(answer.body)) answer.body.destroy();
    x.responseBody = rendered;
  }
  return CONTINUE;
}

function mappedHeaders(x: Exchange, response: LinkedResponse, mediaType: string, parsed: ParsedBody | null): RawHeaders {
  const headers: RawHeaders = ['Content-Type', mediaType];
  for (const { name, source } of response.headers) {
    const value = source(x, x.upstreamAnswer!, parsed);
    const text = value === null ? null : headerText(value);
    if (text === null) continue;
    if (name.toLowerCase() === 'content-type') removeHeader(headers, 'content-type');
    headers.push(name, text);
  }
  if (x.responseOverrides !== null) override(x, headers, x.responseOverrides);
  return headers;
}

/** Media types of templates are few; beyond so many all are forgotten. */
const KNOWN_TYPES_MAX = 256;
const knownTypes = new Map<string, HeaderBlock>();

/** The same block for the same type: its line is written once. */
function contentTypeBlock(mediaType: string): HeaderBlock {
  let block = knownTypes.get(mediaType);
  if (block === undefined) {
    if (knownTypes.size >= KNOWN_TYPES_MAX) knownTypes.clear();
    knownTypes.set(mediaType, (block = new HeaderBlock(['Content-Type', mediaType])));
  }
  return block;
}

function hasPayload({ body, headers }: UpstreamAnswer): boolean {
  return body !== null && (Buffer.isBuffer(body) ? body.length > 0 : lastHeader(headers, 'content-length') !== '0');
}

/** What a template prints; what it overrides goes to the exchange, in place of what the request template said. */
function render(x: Exchange, template: BodyTemplate): Buffer | TemplateFailure {
  if (!(template instanceof VelocityTemplate)) return template;
  const { body } = x.upstreamAnswer!;
  const rendered = template.render(x, Buffer.isBuffer(body) ? body : null, 'response');
  if (rendered instanceof TemplateFailure) return rendered;
  if (rendered.overrides !== null) x.responseOverrides = joined(x.responseOverrides, rendered.overrides);
  return bytesOfText(rendered.text);
}

function joined(first: ResponseOverrides | null, second: ResponseOverrides): ResponseOverrides {
  return {
    responseHeaders: new Map([...(first?.responseHeaders ?? []), ...(second.responseHeaders ?? [])]),
    responseStatus: second.responseStatus ?? first?.responseStatus ?? null,
  };
}

/** Below 200 a status would not end the response. */
function override(x: Exchange, headers: RawHeaders, { responseHeaders, responseStatus }: ResponseOverrides): void {
  if (responseStatus !== null && responseStatus >= 200) x.status = responseStatus;
  for (const [name, value] of responseHeaders ?? []) {
    const target = isHeaderToken(name) ? mappedResponseHeaderName(name) : null;
    const text = target === null ? null : headerText(value);
    if (target !== null && text !== null) setHeader(headers, target, text);
  }
}

const DESTINATION = 'method.response.header.';

function linkResponse(
  response: IntegrationResponseSnapshot,
  stageVariables: Readonly<Record<string, string>>,
  binaryMediaTypes: readonly string[],
  isVelocity: boolean,
): LinkedResponse {
  if (!Number.isInteger(response.statusCode) || response.statusCode < 200 || response.statusCode > 599) {
    throw new LinkRefusal(`integration response status ${response.statusCode} is not one of 200 to 599`);
  }
  const headers: LinkedResponse['headers'][number][] = [];
  let usesBody = false;
  for (const [destination, expression] of Object.entries(response.responseParameters)) {
    const name = destination.startsWith(DESTINATION) ? destination.slice(DESTINATION.length) : '';
    if (!isHeaderToken(name)) throw new LinkRefusal(`mapping destination ${destination} is not supported`);
    const { source, isBody } = compileResponseSource(destination, expression, stageVariables);
    usesBody ||= isBody;
    const target = mappedResponseHeaderName(name);
    if (target !== null) headers.push({ name: target, source });
  }
  return {
    status: response.statusCode,
    headers: headers.slice(),
    usesBody,
    conversionOf: compileAnswerConversion(binaryMediaTypes, response.contentHandling ?? null),
    buffersBody: usesBody || (isVelocity && anyReadsBody(response.responseTemplates)),
    template: compileResponseTemplates(response.responseTemplates, bodyTemplates(isVelocity)),
  };
}

function compileResponseSource(
  destination: string,
  expression: string,
  stageVariables: Readonly<Record<string, string>>,
): { source: ResponseSource; isBody: boolean } {
  const header = /^integration\.response\.(multivalue)?header\.(.+)$/.exec(expression);
  if (header !== null) {
    const name = header[2]!;
    const lowerName = name.toLowerCase();
    // HTTP/2 has no case to go by: see `headerReader` in engine/exchange.
    const read = ({ headers, isHttp2 }: UpstreamAnswer): string[] =>
      isHttp2 === true ? allHeaders(headers, lowerName) : exactHeaders(headers, name);
    if (header[1] === undefined) return { source: (_x, answer) => read(answer).at(-1) ?? null, isBody: false };
    const joined = (answer: UpstreamAnswer): string | null => {
      const values = read(answer);
      return values.length === 0 ? null : values.join(',');
    };
    return { source: (_x, answer) => joined(answer), isBody: false };
  }
  const body = compileBodySource(expression, 'integration.response.body');
  if (body !== null) return { source: (_x, _answer, parsed) => body(parsed!), isBody: true };
  const source = expression.startsWith('method.') ? null : compileSource(expression, stageVariables);
  if (source === null) throw new LinkRefusal(`mapping ${destination}: source ${expression} is not supported`);
  return { source: (x) => source(x).at(-1) ?? null, isBody: false };
}
