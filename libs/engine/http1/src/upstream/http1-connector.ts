/**
 * Calls HTTP backends over plain sockets: one pool of keep-alive connections per origin, or of HTTP/2 sessions where an origin on
 * TLS chooses that (ALPN).
 *
 *   retry     a GET, HEAD, OPTIONS, PUT or DELETE without a body, once, on a connection of its own, when a pooled connection broke
 *             before the first byte of the answer: its server may have closed it while the request was on its way
 *             (RFC 9110 §9.2.2). On HTTP/2 also what the upstream says it has not looked at (RFC 9113 §8.7), if its body is none or
 *             bytes. Nothing else is ever sent twice.
 *   time      `timeoutMs` covers everything from connecting to the last byte of the body.
 *   bounds    connections and waiting calls per origin, origins, size of the head. Bodies are streams: what is not read is not
 *             received; a body that came whole with its head is handed on as bytes.
 */
import { performance } from 'node:perf_hooks';
import type { SecureVersion } from 'node:tls';
import type {
  CallerPresence,
  Connector,
  UpstreamAnswer,
  UpstreamFailure,
  UpstreamRequest,
  UpstreamWay,
} from '@gatehouse/engine-exchange';
import type { Destinations } from '@gatehouse/engine-upstream';
import { DEFAULT_CHUNKED_LIMITS, type ChunkedLimits, type HeadLimits } from '../head-limits.js';
import { ConnectionBudget } from './descriptors.js';
import { Origin, type OriginSettings } from './origin.js';
import { splitOrigin } from './origin-url.js';
import { RunningCalls } from './running-calls.js';
import { letGoOfRequestBody, UpstreamCall } from './upstream-call.js';
import { UpstreamTls, type ClientCertificate } from './upstream-tls.js';

export interface Http1ConnectorOptions {
  /** Where calls go, and which upstreams are left alone for now; may be shared by several connectors. */
  readonly destinations: Destinations;
  /** Further calls to the same origin wait, within their own timeout. */
  readonly connectionsPerOriginMax?: number;
  /** Calls that wait for a connection; further ones are not tried. */
  readonly waitingPerOriginMax?: number;
  /** Pools kept; the least recently used one is closed for a new one. */
  readonly originsMax?: number;
  /** Unused connections are closed after this. */
  readonly idleConnectionMs?: number;
  readonly connectTimeoutMs?: number;
  /** Over several connectors. Absent: as many connections as there are descriptors. */
  readonly budget?: ConnectionBudget;
  /** Do not check certificates: the integration's `insecureSkipVerification`. */
  readonly skipsVerification?: boolean;
  /** Authorities besides those that Node trusts. A function is asked for each new connection: the same array as long as they are the same. */
  readonly trustedCaPem?: readonly string[] | (() => readonly string[]);
  readonly minTlsVersion?: SecureVersion;
  /**
   * What to show an upstream that asks who calls, `null` for nothing. Asked for each new connection: the same object as long as the
   * certificate is the same, for it is prepared once per object.
   */
  readonly clientCertificate?: (tenant: string, host: string) => ClientCertificate | null;
  /** A certificate of the tenant's own, by its id: as `clientCertificate`; `null` while it is not here. Absent: there are none. */
  readonly tenantCertificate?: (tenant: string, certificateId: string) => ClientCertificate | null;
  readonly headLimits?: HeadLimits;
  readonly chunkedLimits?: ChunkedLimits;
}

/** Answers may have larger heads than requests: cookies, policies. */
const UPSTREAM_HEAD_LIMITS: HeadLimits = { startLineBytesMax: 16_384, headBytesMax: 65_536, headerCountMax: 500 };
/** How late a timeout may be noticed. */
const SWEEP_MS = 20;
/** Sweeps without any call, after which the timer sleeps until the next one. */
const QUIET_SWEEPS_MAX = 100;

/** What a URL means to one connector, for a tenant's calls of one way. */
interface Upstream {
  readonly connector: Http1Connector;
  readonly url: string;
  readonly tenant: string;
  readonly way: UpstreamWay | null;
  readonly origin: Origin;
  /** Path and query as they go out. */
  readonly target: string;
}

export class Http1Connector implements Connector {
  /** By tenant and origin (and way, where calls have one of their own): what one tenant may reach, and what it did to an upstream, is nothing to another. */
  private readonly tenants = new Map<string, Map<string, Origin>>();
  private readonly origins = new Set<Origin>();
  private readonly destinations: Destinations;
  private readonly calls = new RunningCalls();
  private readonly settings: OriginSettings;
  private readonly originsMax: number;
  private sweeper: NodeJS.Timeout | null = null;
  private quietSweeps = 0;
  private uses = 0;

  constructor(options: Http1ConnectorOptions) {
    const { trustedCaPem = [] } = options;
    this.destinations = options.destinations;
    this.originsMax = options.originsMax ?? 1_000;
    this.settings = {
      connectionsMax: options.connectionsPerOriginMax ?? 512,
      waitingMax: options.waitingPerOriginMax ?? 4_096,
      idleConnectionMs: options.idleConnectionMs ?? 10_000,
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
      budget: options.budget ?? new ConnectionBudget(Number.POSITIVE_INFINITY),
      closeAnIdleOne: () => this.closeAnIdleOne(),
      tls: new UpstreamTls({
        skipsVerification: options.skipsVerification ?? false,
        trustedCaPem: typeof trustedCaPem === 'function' ? trustedCaPem : () => trustedCaPem,
        minVersion: options.minTlsVersion ?? 'TLSv1.2',
        clientCertificate: options.clientCertificate ?? null,
        tenantCertificate: options.tenantCertificate ?? null,
      }),
      headLimits: options.headLimits ?? UPSTREAM_HEAD_LIMITS,
      chunkedLimits: options.chunkedLimits ?? DEFAULT_CHUNKED_LIMITS,
    };
  }

  call(request: UpstreamRequest, caller: CallerPresence): Promise<UpstreamAnswer | UpstreamFailure> {
    return new Promise((resolve) => this.start(request, caller, performance.now(), resolve));
  }

  start<C extends CallerPresence>(
    request: UpstreamRequest,
    caller: C,
    nowMs: number,
    done: (outcome: UpstreamAnswer | UpstreamFailure, caller: C) => void,
  ): void {
    const upstream = this.upstreamOf(request);
    const failure = upstream === null ? 'ADDRESS' : caller.isCallerGone ? 'ABORTED' : null;
    if (failure !== null) {
      letGoOfRequestBody(request);
      const cause = new Error(`${CAUSES[failure]} ${request.url.slice(0, originEnd(request.url))}`);
      queueMicrotask(() => done({ failure, cause }, caller));
      return;
    }
    const { origin, target } = upstream!;
    const call = new UpstreamCall(request, target, caller, done as never, this.calls, origin.destination, nowMs);
    this.calls.add(call);
    if (this.sweeper === null) this.startSweeping();
    origin.lastUse = ++this.uses;
    origin.start(call);
  }

  /** Lets running calls end, then closes all connections. */
  async close(): Promise<void> {
    this.tenants.clear();
    // Swept until the last has ended: time limits hold for what is under way.
    await Promise.all([...this.origins].map((origin) => origin.close()));
    this.origins.clear();
    if (this.sweeper !== null) clearInterval(this.sweeper);
    this.sweeper = null;
  }

  /** A caller that repeats itself mostly has the same backend, too. `null` for what is no address. */
  private upstreamOf({ url, tenant, way = null, block }: UpstreamRequest): Upstream | null {
    const known = block === null ? null : (block.upstream as Upstream | null);
    if (
      known !== null &&
      known.url === url &&
      known.tenant === tenant &&
      known.way === way &&
      known.connector === this &&
      !known.origin.isClosing
    )
      return known;
    const pathStart = originEnd(url);
    const originText = url.slice(0, pathStart);
    const poolName = way === null ? originText : `${originText} ${way.key}`;
    const origin = this.tenants.get(tenant)?.get(poolName) ?? this.newOrigin(tenant, originText, poolName, way);
    if (origin === null) return null;
    const upstream = { connector: this, url, tenant, way, origin, target: targetOf(url, pathStart) };
    if (block !== null) block.upstream = upstream;
    return upstream;
  }

  private newOrigin(tenant: string, text: string, poolName: string, way: UpstreamWay | null): Origin | null {
    const url = splitOrigin(text);
    if (url === null) return null;
    if (this.origins.size >= this.originsMax) this.makeRoom();
    const targets = way === null ? null : way.targets;
    const destination =
      targets === null
        ? this.destinations.of(tenant, url.host, url.port)
        : this.destinations.ofTargets(tenant, targets, way!.isOperators);
    const origin = new Origin(url, tenant, poolName, destination, this.settings, way);
    this.origins.add(origin);
    let byText = this.tenants.get(tenant);
    if (byText === undefined) this.tenants.set(tenant, (byText = new Map()));
    byText.set(poolName, origin);
    return origin;
  }

  /** The pool that was not used for the longest time closes; its running calls end first. */
  private makeRoom(): void {
    let oldest: Origin | null = null;
    for (const origin of this.origins) if (oldest === null || origin.lastUse < oldest.lastUse) oldest = origin;
    if (oldest === null) return;
    this.origins.delete(oldest);
    const byText = this.tenants.get(oldest.tenant)!;
    byText.delete(oldest.text);
    if (byText.size === 0) this.tenants.delete(oldest.tenant);
    void oldest.close();
  }

  private closeAnIdleOne(): boolean {
    for (const origin of this.origins) if (origin.closeAnIdleOne()) return true;
    return false;
  }

  private startSweeping(): void {
    this.quietSweeps = 0;
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  private sweep(): void {
    const nowMs = performance.now();
    for (const call of this.calls.overdue(nowMs)) {
      call.end('TIMEOUT', new Error(`no complete answer within ${call.request.timeoutMs} ms`));
    }
    for (const origin of this.origins) origin.sweep(nowMs);
    this.quietSweeps = this.calls.size > 0 ? 0 : this.quietSweeps + 1;
    if (this.quietSweeps < QUIET_SWEEPS_MAX || this.hasConnections()) return;
    clearInterval(this.sweeper!);
    this.sweeper = null;
  }

  private hasConnections(): boolean {
    for (const origin of this.origins) if (origin.connectionCount > 0) return true;
    return false;
  }
}

const CAUSES = {
  ADDRESS: 'no usable address:',
  ABORTED: 'the caller left before the call to',
} as const;

/** Where path, query or fragment start. Split by hand, so that the path goes out as it was built: a URL object would re-encode it. */
function originEnd(url: string): number {
  const start = url.indexOf('://') + 3;
  const slash = url.indexOf('/', start);
  const end = slash === -1 ? url.length : slash;
  const mark = url.indexOf('?', start);
  const hash = url.indexOf('#', start);
  return Math.min(end, mark === -1 ? end : mark, hash === -1 ? end : hash);
}

/** A fragment never reaches a backend. */
function targetOf(url: string, pathStart: number): string {
  const hash = url.indexOf('#', pathStart);
  const target = hash === -1 ? url.slice(pathStart) : url.slice(pathStart, hash);
  return target.charCodeAt(0) === 47 /* / */ ? target : `/${target}`;
}
