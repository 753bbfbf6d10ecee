/**
 * What a Lambda proxy function returned becomes the response (data-plane reference §4.4). Anything that is not exactly of that
 * form is the owner's mistake: 502, and nothing of it reaches the caller.
 */
import {
  CONTINUE,
  headerText,
  isHeaderToken,
  lastHeader,
  setHeader,
  type RawHeaders,
  type RouteSettings,
  type Step,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { decodeBase64 } from './base64.js';
import { compileBinaryTest, firstAccepted } from './media-types.js';
import { addProxyHeader } from './response-headers.js';

export function mapFunctionResponse({ stage }: RouteSettings): Step {
  const isBinary = compileBinaryTest(stage.binaryMediaTypes);
  return (x) => {
    const reply = parseReply(x.upstreamAnswer!.body as Buffer);
    if (typeof reply === 'string')
      return x.fail(FAULTS.MALFORMED_FUNCTION_RESPONSE, null, `reading the function's reply: ${reply}`);
    let body: Buffer;
    if (reply.isBase64Encoded && isBinary(firstAccepted(x.requestHeaders))) {
      const bytes = decodeBase64(reply.body);
      if (bytes === null) return x.fail(FAULTS.API_CONFIGURATION_ERROR, null, "decoding the function's base64 body");
      body = bytes;
    } else body = Buffer.from(reply.body, 'utf8');
    if (lastHeader(reply.headers, 'content-type') === null) reply.headers.push('Content-Type', 'application/json');
    setHeader(reply.headers, 'X-Amzn-Trace-Id', x.traceId);
    x.status = reply.status;
    x.responseHeaders = reply.headers;
    x.responseBody = body;
    return CONTINUE;
  };
}

interface FunctionReply {
  readonly status: number;
  readonly headers: RawHeaders;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

const MEMBERS = new Set(['statusCode', 'headers', 'multiValueHeaders', 'body', 'isBase64Encoded']);

/** The reply, or what is wrong with it. */
function parseReply(payload: Buffer): FunctionReply | string {
  const reply = parseObject(payload);
  if (typeof reply === 'string') return reply;
  const stranger = Object.keys(reply).find((key) => !MEMBERS.has(key));
  if (stranger !== undefined) return `unknown member "${stranger.slice(0, 100)}"`;
  const status = parseStatus(reply.statusCode);
  if (status === null) return 'statusCode is not an integer from 200 to 599';
  const headers = mergeHeaders(reply.headers ?? {}, reply.multiValueHeaders ?? {});
  if (typeof headers === 'string') return headers;
  const body = reply.body ?? '';
  if (typeof body !== 'string') return 'body is not a string';
  const isBase64Encoded = reply.isBase64Encoded ?? false;
  if (typeof isBase64Encoded !== 'boolean') return 'isBase64Encoded is not a boolean';
  return { status, headers, body, isBase64Encoded };
}

function parseObject(payload: Buffer): Record<string, unknown> | string {
  let value: unknown;
  try {
    value = JSON.parse(payload.toString('utf8'));
  } catch {
    return 'not JSON';
  }
  return isRecord(value) ? value : 'not an object';
}

const PRELUDE_MEMBERS = new Set(['statusCode', 'headers', 'multiValueHeaders', 'cookies']);

/** What stands before the body of a streamed reply (data-plane reference §3.5), or what is wrong with it. */
export function parsePrelude(bytes: Buffer): Pick<FunctionReply, 'status' | 'headers'> | string {
  const prelude = parseObject(bytes);
  if (typeof prelude === 'string') return prelude;
  const stranger = Object.keys(prelude).find((key) => !PRELUDE_MEMBERS.has(key));
  if (stranger !== undefined) return `unknown member "${stranger.slice(0, 100)}"`;
  const status = parseStatus(prelude.statusCode);
  if (status === null) return 'statusCode is not an integer from 200 to 599';
  const headers = mergeHeaders(prelude.headers ?? {}, prelude.multiValueHeaders ?? {});
  if (typeof headers === 'string') return headers;
  const cookies = prelude.cookies ?? [];
  if (!Array.isArray(cookies)) return 'cookies is not a list';
  for (const cookie of cookies) {
    const text = typeof cookie === 'string' ? headerText(cookie) : null;
    if (text === null) return 'a cookie cannot be sent';
    headers.push('Set-Cookie', text);
  }
  return { status, headers };
}

function parseStatus(value: unknown): number | null {
  if (value === undefined) return 200;
  const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value;
  return typeof status === 'number' && Number.isInteger(status) && status >= 200 && status <= 599 ? status : null;
}

/**
 * Of one name: first the values of `multiValueHeaders` with their spelling, then the single one unless it is among them.
 * Each value is a line of its own.
 */
function mergeHeaders(single: unknown, multiple: unknown): RawHeaders | string {
  if (!isRecord(single)) return 'headers is not an object';
  if (!isRecord(multiple)) return 'multiValueHeaders is not an object';
  const merged = new Map<string, { readonly name: string; readonly values: string[] }>();
  for (const [name, values] of Object.entries(multiple)) {
    if (!Array.isArray(values)) return `multiValueHeaders.${name.slice(0, 100)} is not a list`;
    const texts = values.map(headerValue);
    if (!isHeaderToken(name) || texts.includes(null)) return `header ${name.slice(0, 100)} cannot be sent`;
    const entry = merged.get(name.toLowerCase());
    if (entry === undefined) merged.set(name.toLowerCase(), { name, values: texts as string[] });
    else entry.values.push(...(texts as string[]));
  }
  for (const [name, value] of Object.entries(single)) {
    if (value === null) continue;
    const text = headerValue(value);
    if (!isHeaderToken(name) || text === null) return `header ${name.slice(0, 100)} cannot be sent`;
    const entry = merged.get(name.toLowerCase());
    if (entry === undefined) merged.set(name.toLowerCase(), { name, values: [text] });
    else if (!entry.values.includes(text)) entry.values.push(text);
  }
  const headers: RawHeaders = [];
  for (const { name, values } of merged.values()) for (const value of values) addProxyHeader(headers, name, value);
  return headers;
}

/** `null` for what is no header value: lists, objects, `null`, control characters. */
function headerValue(value: unknown): string | null {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return null;
  return headerText(String(value));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
