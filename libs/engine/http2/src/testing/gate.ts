// For specs: a node that speaks HTTP/2 on a cleartext port, with real connectors behind it.
import type { IntegrationSnapshot, StageSnapshot } from '@gatehouse/contracts';
import { AddressRules, FunctionConnector, HttpConnector } from '@gatehouse/engine-connectors';
import { BucketRegistry, QuotaLedger } from '@gatehouse/engine-limits';
import { WorldKeeper } from '@gatehouse/engine-link';
import { RequestRecorder } from '@gatehouse/engine-record';
import { canonicalJson, ManualClock, Secret, sha256Hex } from '@gatehouse/kernel';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, expect } from 'vitest';
import { Http2Sessions, type Http2SessionsOptions, type SessionEnd } from '../index.js';

export const HOST = 'abc123defg.execute-api.localhost';

const closing: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

export function afterwards(close: () => Promise<unknown> | void): void {
  closing.push(close);
}

export interface LogLine {
  readonly status: number;
  readonly fault?: string;
  readonly bytes: number;
  readonly path: string;
}

export class Gate {
  readonly lines: LogLine[] = [];
  readonly ends: SessionEnd[] = [];
  readonly bugs: unknown[] = [];
  readonly sessions: Http2Sessions;
  private readonly server: Server;
  private readonly worlds: WorldKeeper;
  private readonly waiting: { count: number; resolve: () => void }[] = [];

  constructor(over: Partial<Http2SessionsOptions>) {
    const clock = new ManualClock();
    const http = new HttpConnector({ addressRules: new AddressRules({ allow: ['loopback'] }) });
    const functions = new FunctionConnector({ runnerUrl: 'http://127.0.0.1:1', nodeToken: new Secret('token') });
    afterwards(() => http.close());
    afterwards(() => functions.close());
    this.worlds = new WorldKeeper({
      bindings: {
        limits: {
          buckets: new BucketRegistry(1_000),
          quotas: new QuotaLedger({ requestMore: () => undefined }),
          usage: { count: () => undefined },
          clock,
        },
        http,
        insecureHttp: http,
        functions,
        metrics: { series: () => ({ record: () => undefined }) },
      },
    });
    const accessLog = {
      write: (line: string) => {
        this.lines.push(JSON.parse(line) as LogLine);
        for (const { count, resolve } of this.waiting) if (this.lines.length >= count) resolve();
      },
    };
    this.sessions = new Http2Sessions({
      worlds: this.worlds,
      recorder: new RequestRecorder({ clock, accessLog }),
      clock,
      baseDomain: 'localhost',
      onSessionEnd: (reason) => void this.ends.push(reason),
      onBug: (bug) => void this.bugs.push(bug),
      ...over,
    });
    this.server = createServer((socket) => this.sessions.accept(socket));
  }

  static async start(stage: StageSnapshot, over: Partial<Http2SessionsOptions> = {}): Promise<Gate> {
    const gate = new Gate(over);
    await new Promise<void>((resolve) => gate.server.listen(0, '127.0.0.1', resolve));
    afterwards(() => new Promise((resolve) => gate.server.close(resolve)));
    afterwards(() => gate.sessions.close({ deadlineMs: 0 }));
    const bytes = Buffer.from(canonicalJson(stage));
    const digest = sha256Hex(bytes);
    const entries = [{ kind: 'STAGE' as const, id: `${stage.apiId}/${stage.stage}`, tenant: stage.tenant, digest, inline: '' }];
    expect(await gate.worlds.adopt({ revision: 1, entries, removed: [] }, () => bytes)).toEqual([]);
    return gate;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Resolves when so many requests were recorded. */
  async recorded(count: number): Promise<void> {
    if (this.lines.length < count) await new Promise<void>((resolve) => this.waiting.push({ count, resolve }));
  }
}

/** For a route with the path `/{proxy+}`. */
export function proxyTo(url: string): IntegrationSnapshot {
  return {
    type: 'HTTP_PROXY',
    uri: `${url}/{proxy}`,
    httpMethod: 'ANY',
    timeoutMs: 5_000,
    requestParameters: { 'integration.request.path.proxy': 'method.request.path.proxy' },
    insecureSkipVerification: false,
  };
}
