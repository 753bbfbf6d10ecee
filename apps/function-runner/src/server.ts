/** The runner's HTTP face: Lambda's Invoke for control planes and nodes (contracts/invoke.ts), and health for operators. */
import { INVOKE_HEADERS, INVOKE_PAYLOAD_BYTES_MAX } from '@gatehouse/contracts';
import type { Secret } from '@gatehouse/kernel';
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import http from 'node:http';
import type { Source } from './access.js';
import { parseFunctionReference } from './function-name.js';
import type { FunctionInvoker, InvocationType, InvokeAnswer, InvokeRequest } from './invoke.js';
import { ResponseSink } from './response-sink.js';
import { functionNotFound, invalidContent, Refusal, requestTooLarge } from './refusal.js';

export interface ServerParts {
  readonly invoker: FunctionInvoker;
  readonly nodeToken: Secret;
  /** True when published functions can be called. */
  readonly isReady: () => boolean;
  /** Of python and provided functions; for operators. */
  readonly confinement: 'own-user' | 'own-files' | 'none';
  readonly onBug: (cause: unknown) => void;
}

const INVOCATIONS = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;
const STREAMED_INVOCATIONS = /^\/2021-11-15\/functions\/([^/]+)\/response-streaming-invocations$/;
const REQUEST_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function createRunnerServer(parts: ServerParts): http.Server {
  const tokenDigest = digest(`Bearer ${parts.nodeToken.reveal()}`);
  return http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    serve(request, response, parts, tokenDigest).catch((cause: unknown) => {
      if (cause instanceof Refusal) return refuse(response, cause);
      if (request.destroyed && !request.complete) return; // the caller left while it was still sending
      parts.onBug(cause);
      refuse(response, new Refusal('ServiceException', 500, 'The runner failed to run the function.', { Type: 'Service' }));
    });
  });
}

async function serve(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  parts: ServerParts,
  tokenDigest: Buffer,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://runner');
  if (url.pathname === '/healthz') return health(response, parts);
  if (url.pathname === '/readyz')
    return parts.isReady() ? plain(response, 200, 'ready') : plain(response, 503, 'no manifest yet');
  // Digests have one length, so the comparison takes the same time for every wrong token.
  if (!timingSafeEqual(digest(request.headers.authorization ?? ''), tokenDigest)) {
    throw new Refusal('UnrecognizedClientException', 401, 'The node token is missing or wrong.');
  }
  const streamed = STREAMED_INVOCATIONS.exec(url.pathname)?.[1];
  const name = streamed ?? INVOCATIONS.exec(url.pathname)?.[1];
  if (name === undefined || request.method !== 'POST') throw new Refusal('UnknownOperationException', 404, 'No such operation.');
  const invoke = await readInvoke(request, response, name, url.searchParams.get('Qualifier'));
  const sink = streamed === undefined ? null : new ResponseSink(response);
  const answer = await parts.invoker.invoke({ ...invoke, sink });
  if (sink === null || !sink.hasStarted) send(request, response, answer);
  else if (answer.outcome!.isError) response.destroy();
  else response.end();
}

async function readInvoke(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  name: string,
  qualifierParameter: string | null,
): Promise<InvokeRequest> {
  const reference = parseFunctionReference(decodeURIComponent(name));
  if (reference === null) throw functionNotFound(decodeURIComponent(name));
  const qualifier = reference.qualifier ?? qualifierParameter;
  if (qualifierParameter !== null && qualifier !== qualifierParameter) {
    throw new Refusal(
      'InvalidParameterValueException',
      400,
      'The derived qualifier from the function name does not match the specified qualifier.',
    );
  }
  const asked = header(request, INVOKE_HEADERS.requestId);
  const requestId = asked !== null && REQUEST_ID.test(asked) ? asked : randomUUID();
  response.setHeader(INVOKE_HEADERS.requestId, requestId);
  return {
    requestId,
    reference: { ...reference, qualifier },
    type: invocationType(request),
    source: sourceOf(request),
    event: await readBody(request),
    clientContext: clientContextOf(request),
    traceId: header(request, INVOKE_HEADERS.traceId),
    minRevision: revisionOf(request),
    left: leftOf(response),
  };
}

function send(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { executedVersion, outcome, logTail }: InvokeAnswer,
): void {
  response.setHeader(INVOKE_HEADERS.executedVersion, executedVersion);
  if (outcome === null) {
    response.writeHead(invocationType(request) === 'DryRun' ? 204 : 202).end();
    return;
  }
  if (outcome.isError) response.setHeader(INVOKE_HEADERS.functionError, 'Unhandled');
  if (header(request, INVOKE_HEADERS.logType) === 'Tail')
    response.setHeader(INVOKE_HEADERS.logResult, logTail.toString('base64'));
  response.writeHead(200, {
    'content-type': outcome.isError ? 'application/json' : headerSafe(outcome.contentType),
    'content-length': outcome.payload.length,
  });
  response.end(outcome.payload);
}

function refuse(response: http.ServerResponse, { type, status, message, members }: Refusal): void {
  if (response.headersSent) return void response.destroy();
  // The rest of a body that is refused is not worth reading.
  if (status === 413 || status === 401) response.setHeader('connection', 'close');
  const body = Buffer.from(JSON.stringify({ ...members, message, Message: message }));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, 'x-amzn-errortype': type });
  response.end(body);
}

function health(response: http.ServerResponse, { confinement }: ServerParts): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ status: 'ok', confinement }));
}

function plain(response: http.ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(`${text}\n`);
}

async function readBody(request: http.IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > INVOKE_PAYLOAD_BYTES_MAX) throw requestTooLarge(INVOKE_PAYLOAD_BYTES_MAX);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > INVOKE_PAYLOAD_BYTES_MAX) throw requestTooLarge(INVOKE_PAYLOAD_BYTES_MAX);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function invocationType(request: http.IncomingMessage): InvocationType {
  const type = header(request, INVOKE_HEADERS.invocationType) ?? 'RequestResponse';
  if (type === 'RequestResponse' || type === 'Event' || type === 'DryRun') return type;
  throw new Refusal('InvalidParameterValueException', 400, `Unsupported invocation type ${JSON.stringify(type)}`);
}

function sourceOf(request: http.IncomingMessage): Source | null {
  const principal = header(request, INVOKE_HEADERS.sourcePrincipal);
  if (principal === null) return null;
  return { principal, arn: header(request, INVOKE_HEADERS.sourceArn), account: header(request, INVOKE_HEADERS.sourceAccount) };
}

function clientContextOf(request: http.IncomingMessage): string | null {
  const encoded = header(request, INVOKE_HEADERS.clientContext);
  if (encoded === null) return null;
  const text = Buffer.from(encoded, 'base64').toString();
  try {
    JSON.parse(text);
    return text;
  } catch {
    throw invalidContent('Client context must be a valid Base64-encoded JSON object.');
  }
}

function leftOf(response: http.ServerResponse): AbortSignal {
  const left = new AbortController();
  response.once('close', () => left.abort()); // also after the answer, when nobody listens any more
  return left.signal;
}

function revisionOf(request: http.IncomingMessage): number | null {
  const revision = Number(header(request, INVOKE_HEADERS.minRevision) ?? Number.NaN);
  return Number.isSafeInteger(revision) ? revision : null;
}

function header(request: http.IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}

/** A content type the function chose; a character that no header may hold would fail the whole answer. */
const headerSafe = (value: string): string => (/^[\x20-\x7e]{1,256}$/.test(value) ? value : 'application/octet-stream');

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
