/**
 * Calls HTTP backends: one pool of keep-alive connections per origin, with undici underneath.
 *
 *   retry     a GET, HEAD, OPTIONS, PUT or DELETE without a body, once, on a connection of its own, when a pooled connection
 *             broke before the head of the answer came: its server may have closed it while the request was on its way
 *             (RFC 9110 §9.2.2). Nothing else is ever sent twice.
 *   time      `timeoutMs` covers everything from connecting to the last byte of the body.
 *   bounds    connections per origin, origins, size of the head. Bodies are streams: what is not read is not received.
 */
import {
  lastHeader,
  removeHeader,
  type CallerPresence,
  type Connector,
  type FailureReason,
  type RawHeaders,
  type UpstreamAnswer,
  type UpstreamFailure,
  type UpstreamRequest,
} from '@gatehouse/engine-exchange';
import { ForbiddenAddress, type AddressRules } from '@gatehouse/engine-upstream';
import { Client, errors, Pool, type Dispatcher } from 'undici';
import { Deadline } from './deadline.js';

export interface HttpConnectorOptions {
  readonly addressRules: AddressRules;
  /** Further calls to the same origin wait, within their own timeout. */
  readonly connectionsPerOriginMax?: number;
  /** Pools kept; the least recently used one is closed for a new one. */
  readonly originsMax?: number;
  /** Unused connections are closed after this. */
  readonly idleConnectionMs?: number;
  readonly connectTimeoutMs?: number;
  /** Do not check certificates: the integration's `insecureSkipVerification`. */
  readonly skipsVerification?: boolean;
}

const HEAD_BYTES_MAX = 64 * 1024;
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

export class HttpConnector implements Connector {
  /** By origin; the order of insertion is the order of last use. */
  private readonly pools = new Map<string, Pool>();
  private readonly options: Required<HttpConnectorOptions>;

  constructor(options: HttpConnectorOptions) {
    this.options = {
      connectionsPerOriginMax: 512,
      originsMax: 1_000,
      idleConnectionMs: 10_000,
      connectTimeoutMs: 10_000,
      skipsVerification: false,
      ...options,
    };
  }

  async call(request: UpstreamRequest, caller: CallerPresence): Promise<UpstreamAnswer | UpstreamFailure> {
    const split = splitUrl(request.url);
    // The reference knows one way to a URL.
    const pool = split === null || (request.way ?? null) !== null ? 'ADDRESS' : this.pool(split.origin);
    if (split === null || typeof pool === 'string') {
      return failed(request, pool as FailureReason, new Error(`no usable address: ${split?.origin ?? 'not a URL'}`));
    }
    const deadline = new Deadline(caller.signal, request.timeoutMs);
    const headers = [...(request.block?.fields ?? []), ...request.headers, 'X-Amzn-Trace-Id', request.traceId];
    removeHeader(headers, 'te'); // trailers end here
    const options: Dispatcher.RequestOptions = {
      path: split.path,
      method: request.httpMethod as Dispatcher.HttpMethod,
      headers,
      body: request.body,
      signal: deadline.signal,
      responseHeaders: 'raw',
    };
    try {
      return answerOf(request, await pool.request(options), deadline);
    } catch (cause) {
      if (deadline.signal.aborted || !mayRetry(request, cause)) return this.over(request, cause, deadline);
    }
    // A client of its own: another pooled connection may be as stale as the first.
    const fresh = new Client(split.origin, { ...this.clientOptions(new URL(split.origin)), pipelining: 0 });
    try {
      return answerOf(request, await fresh.request(options), deadline);
    } catch (cause) {
      return this.over(request, cause, deadline);
    } finally {
      void fresh.close(); // after the answer's last byte
    }
  }

  /** Lets running calls end, then closes all connections. */
  async close(): Promise<void> {
    const pools = [...this.pools.values()];
    this.pools.clear();
    await Promise.all(pools.map((pool) => pool.close()));
  }

  private over(request: UpstreamRequest, cause: unknown, deadline: Deadline): UpstreamFailure {
    deadline.clear();
    return failed(request, reasonOf(cause, deadline), cause);
  }

  private pool(origin: string): Pool | FailureReason {
    const present = this.pools.get(origin);
    if (present !== undefined) {
      this.pools.delete(origin);
      this.pools.set(origin, present);
      return present;
    }
    const url = parseOrigin(origin);
    if (url === null) return 'ADDRESS';
    if (!this.options.addressRules.allowsHost(url.hostname, portOf(url))) return 'FORBIDDEN_ADDRESS';
    const pool = new Pool(url, { ...this.clientOptions(url), connections: this.options.connectionsPerOriginMax });
    if (this.pools.size >= this.options.originsMax) {
      const [oldest, unused] = this.pools.entries().next().value!;
      this.pools.delete(oldest);
      void unused.close();
    }
    this.pools.set(origin, pool);
    return pool;
  }

  private clientOptions(url: URL): Client.Options {
    return {
      connect: {
        timeout: this.options.connectTimeoutMs,
        lookup: this.options.addressRules.lookupFor(portOf(url)),
        rejectUnauthorized: !this.options.skipsVerification,
      },
      keepAliveTimeout: this.options.idleConnectionMs,
      headersTimeout: 0, // the deadline covers both
      bodyTimeout: 0,
      maxHeaderSize: HEAD_BYTES_MAX,
      allowH2: false,
    };
  }
}

/**
 * Split by hand, so that the path goes out as it was built: a URL object would resolve and re-encode it.
 * A fragment never reaches a backend.
 */
function splitUrl(url: string): { readonly origin: string; readonly path: string } | null {
  const start = url.indexOf('://');
  if (start === -1) return null;
  const hash = url.indexOf('#');
  const text = hash === -1 ? url : url.slice(0, hash);
  const rest = text.slice(start + 3).search(/[/?]/);
  if (rest === -1) return { origin: text, path: '/' };
  const pathStart = start + 3 + rest;
  const path = text.slice(pathStart);
  return { origin: text.slice(0, pathStart), path: path.startsWith('/') ? path : `/${path}` };
}

/** Ports 80, 443 and 1024 to 65535, as on AWS (data-plane reference §3.2, `uri`). */
function parseOrigin(origin: string): URL | null {
  if (!URL.canParse(origin)) return null;
  const url = new URL(origin);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null;
  if (url.username !== '' || url.password !== '' || url.hostname === '') return null;
  const port = portOf(url);
  return port === 80 || port === 443 || port >= 1024 ? url : null;
}

function portOf(url: URL): number {
  return url.port !== '' ? Number(url.port) : url.protocol === 'https:' ? 443 : 80;
}

function answerOf(request: UpstreamRequest, data: Dispatcher.ResponseData, deadline: Deadline): UpstreamAnswer {
  const { statusCode: status, body } = data;
  const headers = data.headers as unknown as RawHeaders; // responseHeaders: 'raw'
  body.on('close', () => deadline.clear());
  // The reader hears of it through its own listener; without any, a broken answer would end the process.
  body.on('error', () => undefined);
  if (request.httpMethod === 'HEAD' || status === 204 || status === 304 || lastHeader(headers, 'content-length') === '0') {
    body.resume();
    return { status, headers, body: null };
  }
  return { status, headers, body };
}

function mayRetry(request: UpstreamRequest, cause: unknown): boolean {
  if (request.body !== null || !IDEMPOTENT.has(request.httpMethod)) return false;
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'UND_ERR_SOCKET') {
    // Nothing was ever read from it: the connection was new, so this is no keep-alive race.
    const socket = (cause as errors.SocketError & { socket?: { bytesRead?: number } }).socket;
    return (socket?.bytesRead ?? 0) > 0;
  }
  return code === 'ECONNRESET' || code === 'EPIPE';
}

function reasonOf(cause: unknown, deadline: Deadline): FailureReason {
  if (deadline.isTimeUp) return 'TIMEOUT';
  if (deadline.signal.aborted) return 'ABORTED';
  if (cause instanceof ForbiddenAddress) return 'FORBIDDEN_ADDRESS';
  switch ((cause as NodeJS.ErrnoException).code) {
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return 'TIMEOUT';
    case 'UND_ERR_INVALID_ARG':
      return 'ADDRESS';
    default:
      return 'NETWORK';
  }
}

/** A body nobody reads any more is let go. */
function failed(request: UpstreamRequest, failure: FailureReason, cause: unknown): UpstreamFailure {
  if (request.body !== null && !Buffer.isBuffer(request.body)) request.body.on('error', () => undefined).destroy();
  return { failure, cause };
}
