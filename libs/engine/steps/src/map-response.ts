/**
 * HTTP and MOCK: the chosen integration response decides status, headers and body (data-plane reference §3.7, §3.11). Of the
 * backend's headers only mapped ones go out.
 */
import type { IntegrationResponseSnapshot } from '@gatehouse/contracts';
import {
  BodyTooLarge,
  compileSource,
  CONTINUE,
  allHeaders,
  exactHeaders,
  headerText,
  isHeaderToken,
  LinkRefusal,
  mappedResponseHeaderName,
  readAll,
  removeHeader,
  STREAM_BODY,
  type BodyMode,
  type Exchange,
  type RawHeaders,
  type RouteSettings,
  type Step,
  type UpstreamAnswer,
  type Verdict,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { BODY_BYTES_MAX } from './limit-body.js';
import { BROKEN_JSON, compileBodySource, parseBody, type ParsedBody } from './json-body.js';
import { declaredBytes } from './map-proxy-response.js';
import { compileResponseTemplates, type ResponseTemplate } from './templates.js';

export interface ResponseMapping {
  readonly step: Step;
  readonly body: BodyMode;
}

type ResponseSource = (x: Exchange, answer: UpstreamAnswer, body: ParsedBody | null) => string | null;

interface LinkedResponse {
  readonly status: number;
  readonly headers: readonly { readonly name: string; readonly source: ResponseSource }[];
  readonly usesBody: boolean;
  readonly template: (x: Exchange) => ResponseTemplate | null;
}

/** Throws LinkRefusal. `hasBackend` is false for a mock. */
export function mapResponse(
  responses: readonly IntegrationResponseSnapshot[],
  { stage }: RouteSettings,
  hasBackend: boolean,
): ResponseMapping {
  const linked = responses.map((response) => linkResponse(response, stage.stageVariables));
  return {
    body: linked.some(({ usesBody }) => usesBody)
      ? { type: 'buffer', reason: "a header mapping reads the backend's body" }
      : STREAM_BODY,
    step: (x) => {
      const response = linked[x.integrationResponseIndex]!;
      return response.usesBody ? readAndRespond(x, response, hasBackend) : respond(x, response, null, hasBackend);
    },
  };
}

async function readAndRespond(x: Exchange, response: LinkedResponse, hasBackend: boolean): Promise<Verdict> {
  const answer = x.upstreamAnswer!;
  let bytes: Buffer;
  try {
    bytes =
      answer.body === null
        ? Buffer.alloc(0)
        : Buffer.isBuffer(answer.body)
          ? answer.body
          : await readAll(answer.body, BODY_BYTES_MAX);
  } catch (cause) {
    if (answer.body !== null && !Buffer.isBuffer(answer.body)) answer.body.destroy();
    return x.fail(
      cause instanceof BodyTooLarge ? FAULTS.RESPONSE_TOO_LARGE : FAULTS.INTEGRATION_FAILURE,
      cause,
      "reading the backend's body",
    );
  }
  const parsed = parseBody(bytes);
  // AWS answers 500 when a mapping reads a body that is not JSON, whichever way it is not.
  if (parsed === BROKEN_JSON || 'text' in parsed) return x.fail(FAULTS.RESPONSE_NOT_JSON, null, "mapping the backend's body");
  x.upstreamAnswer = { status: answer.status, headers: answer.headers, body: bytes };
  return respond(x, response, parsed, hasBackend);
}

function respond(x: Exchange, response: LinkedResponse, parsed: ParsedBody | null, hasBackend: boolean): Verdict {
  const answer = x.upstreamAnswer!;
  const template = response.template(x);
  const headers: RawHeaders = ['Content-Type', template?.mediaType ?? 'application/json'];
  for (const { name, source } of response.headers) {
    const value = source(x, answer, parsed);
    const text = value === null ? null : headerText(value);
    if (text === null) continue;
    if (name.toLowerCase() === 'content-type') removeHeader(headers, 'content-type');
    headers.push(name, text);
  }
  if (hasBackend) headers.push('X-Amzn-Trace-Id', x.traceId);
  x.status = response.status;
  x.responseHeaders = headers;
  if (template === null) {
    x.responseBody = answer.body;
    x.responseBodyBytes = declaredBytes(answer);
  } else {
    if (answer.body !== null && !Buffer.isBuffer(answer.body)) answer.body.destroy();
    x.responseBody = template.bytes;
  }
  return CONTINUE;
}

const DESTINATION = 'method.response.header.';

function linkResponse(response: IntegrationResponseSnapshot, stageVariables: Readonly<Record<string, string>>): LinkedResponse {
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
    template: compileResponseTemplates(response.responseTemplates),
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
