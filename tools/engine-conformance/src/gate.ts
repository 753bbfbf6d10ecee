/** A listener, a World with one stage and an upstream client, of one engine, on a port of its own. */
import type { IntegrationSnapshot, RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import type { HttpListenerOptions } from '@gatehouse/engine-http';
import { BucketRegistry, QuotaLedger } from '@gatehouse/engine-limits';
import { WorldKeeper } from '@gatehouse/engine-link';
import { RequestRecorder } from '@gatehouse/engine-record';
import { canonicalJson, ManualClock, sha256Hex } from '@gatehouse/kernel';
import { callOnce, routeSnapshot, stageSnapshot, type CallerRequest, type CallerResponse } from '@gatehouse/testkit';
import type { ConnectorOptions, Engine, Listener, UpstreamClient } from './engines.js';

export interface GateOptions {
  readonly listener?: Partial<HttpListenerOptions> & object;
  readonly connector?: Partial<ConnectorOptions>;
  /** Of integrations that do not say otherwise. */
  readonly timeoutMs?: number;
}

export interface LogLine {
  readonly status: number;
  readonly fault?: string;
  readonly bytes: number;
  readonly path: string;
}

/** API `a`, stage `dev`: short, because most cases write it out. */
export const HOST = 'a.execute-api.b';
const BASE_DOMAIN = 'b';

export class Gate {
  readonly lines: LogLine[] = [];
  readonly bugs: unknown[] = [];
  /** Of each request, why it failed; `null` when it did not. */
  readonly causes: unknown[] = [];
  readonly listener: Listener;
  private readonly connectors: UpstreamClient[];
  private readonly worlds: WorldKeeper;
  private readonly blobs = new Map<string, Uint8Array>();
  private readonly timeoutMs: number;
  private revision = 0;
  private waiting: { count: number; resolve: () => void }[] = [];

  private constructor(engine: Engine, options: GateOptions) {
    this.timeoutMs = options.timeoutMs ?? 5_000;
    const clock = new ManualClock();
    const rules = { allow: ['loopback' as const] };
    const http = engine.connector({ rules, ...options.connector });
    const insecureHttp = engine.connector({ rules, skipsVerification: true, ...options.connector });
    this.connectors = [http, insecureHttp];
    this.worlds = new WorldKeeper({
      bindings: {
        limits: {
          buckets: new BucketRegistry(100),
          quotas: new QuotaLedger({ requestMore: () => undefined }),
          usage: { count: () => undefined },
          clock,
        },
        http,
        insecureHttp,
        functions: http,
        metrics: { series: () => ({ record: () => undefined }) },
      },
    });
    const recorder = new RequestRecorder({ clock, accessLog: { write: (line) => this.recordedOne(line) } });
    this.listener = engine.listener({
      worlds: this.worlds,
      recorder: {
        record: (x) => {
          this.causes.push(x.faultCause);
          recorder.record(x);
        },
      },
      clock,
      baseDomain: BASE_DOMAIN,
      onBug: (bug) => void this.bugs.push(bug),
      ...options.listener,
    });
  }

  static async open(engine: Engine, options: GateOptions = {}): Promise<Gate> {
    const gate = new Gate(engine, options);
    await gate.listener.listen(0, '127.0.0.1');
    return gate;
  }

  get port(): number {
    return this.listener.port;
  }

  /** Everything below `/dev/` goes to that upstream, `/dev/good` with more time than `over` may give; `/dev` is answered by us. */
  proxyTo(url: string, over: object = {}): Promise<void> {
    return this.publish(
      stageOf([
        routeSnapshot(),
        { path: '/good', httpMethod: 'ANY', integration: this.to(`${url}/good`, { timeoutMs: 5_000 }) },
        { path: '/{proxy+}', httpMethod: 'ANY', integration: this.toPath(url, over) },
      ]),
    );
  }

  /** An HTTP_PROXY integration behind a route `{proxy+}`. */
  toPath(url: string, over: object = {}): IntegrationSnapshot {
    return this.to(`${url}/{proxy}`, {
      requestParameters: { 'integration.request.path.proxy': 'method.request.path.proxy' },
      ...over,
    });
  }

  to(uri: string, over: object = {}): IntegrationSnapshot {
    return {
      type: 'HTTP_PROXY',
      uri,
      httpMethod: 'ANY',
      timeoutMs: this.timeoutMs,
      requestParameters: {},
      insecureSkipVerification: false,
      ...over,
    };
  }

  async publish(...stages: StageSnapshot[]): Promise<void> {
    const entries = stages.map((stage) => {
      const bytes = Buffer.from(canonicalJson(stage));
      const digest = sha256Hex(bytes);
      this.blobs.set(digest, bytes);
      return { kind: 'STAGE' as const, id: `${stage.apiId}/${stage.stage}`, tenant: stage.tenant, digest, inline: '' };
    });
    const refusals = await this.worlds.adopt(
      { revision: ++this.revision, entries, removed: [] },
      (digest) => this.blobs.get(digest) ?? null,
    );
    if (refusals.length > 0) throw new Error(`the World refused: ${JSON.stringify(refusals)}`);
  }

  call(path: string, options: CallerRequest = {}): Promise<CallerResponse> {
    return callOnce(this.port, { path, host: HOST, ...options });
  }

  /** Resolves when so many requests were recorded. */
  async recorded(count: number): Promise<void> {
    if (this.lines.length < count) await new Promise<void>((resolve) => this.waiting.push({ count, resolve }));
  }

  async close(): Promise<void> {
    await this.listener.close({ deadlineMs: 0 });
    await Promise.all(this.connectors.map((connector) => connector.close()));
  }

  private recordedOne(line: string): void {
    this.lines.push(JSON.parse(line) as LogLine);
    for (const { count, resolve } of this.waiting) if (this.lines.length >= count) resolve();
  }
}

export function stageOf(routes: readonly Partial<RouteSnapshot>[], over: Partial<StageSnapshot> = {}): StageSnapshot {
  return stageSnapshot({ apiId: 'a', routes: routes.map((route) => routeSnapshot(route)), ...over });
}
