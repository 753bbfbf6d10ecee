/**
 * A steady load on routes that nobody changes: through the balancer and directly to each node. Every request that does not get its
 * answer is a failure, unless its node was down while it was under way and it was sent there directly, or it is a POST that a
 * balancer must not send twice.
 */
import http from 'node:http';
import { randomUUID } from 'node:crypto';
import { sleep } from './wait.js';

export type Via = 'balancer' | number;
export type Kind = 'get' | 'mock' | 'keyed' | 'post' | 'slow';

export interface LoadOptions {
  /** Of the balancer; `null` without one. */
  readonly balancerPort: number | null;
  readonly nodePorts: readonly number[];
  readonly apiId: string;
  readonly apiKey: string;
  /** Nothing is sent to it. */
  readonly isDown: (node: number) => boolean;
  /** What was under way in it may break. */
  readonly isKilled: (node: number) => boolean;
  /** When a node was last killed, `performance.now()`. */
  readonly lastKillMs: () => number;
}

export interface Failure {
  readonly via: Via;
  readonly kind: Kind;
  readonly what: string;
  readonly atMs: number;
}

/** An answered request that its key paid for. */
export interface KeyedAnswer {
  readonly requestId: string;
  readonly atMs: number;
}

const PAUSE_MS = 25;
const PATHS = { get: '/get', mock: '/mock', keyed: '/keyed', post: '/post', slow: '/slow' } as const;
const EXPECTED = {
  get: 'backend /get',
  mock: 'mocked',
  keyed: 'backend /keyed',
  post: 'backend /post',
  slow: 'backend /slow',
} as const;

export class Load {
  readonly failures: Failure[] = [];
  /** Requests that broke with the node they were sent to. */
  readonly broken: Failure[] = [];
  readonly keyedAnswers: KeyedAnswer[] = [];
  /** Keyed requests that broke: counted or not, nobody can tell from outside. */
  keyedBroken = 0;
  readonly ordersAnswered: string[] = [];
  answered = 0;
  private isRunning = false;
  private callers: Promise<void>[] = [];

  constructor(private readonly options: LoadOptions) {}

  /** Goes on after a `stop`, with everything it has seen. */
  start(): void {
    this.isRunning = true;
    this.callers = [];
    const kinds: readonly Kind[] = ['get', 'mock', 'keyed', 'post'];
    if (this.options.balancerPort !== null)
      for (const kind of [...kinds, 'keyed', 'slow', 'slow', 'slow', 'slow'] as const)
        this.callers.push(this.call('balancer', kind));
    this.options.nodePorts.forEach((_, node) => {
      for (const kind of kinds) this.callers.push(this.call(node, kind));
    });
  }

  async stop(): Promise<void> {
    this.abandon();
    await Promise.all(this.callers);
  }

  /** Requests under way are nobody's concern any more. */
  abandon(): void {
    this.isRunning = false;
  }

  private async call(via: Via, kind: Kind): Promise<void> {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    while (this.isRunning) {
      if (typeof via === 'number' && this.options.isDown(via)) await sleep(PAUSE_MS);
      else await this.once(agent, via, kind);
      await sleep(PAUSE_MS);
    }
    agent.destroy();
  }

  private async once(agent: http.Agent, via: Via, kind: Kind): Promise<void> {
    const { balancerPort, nodePorts, apiId, apiKey, isKilled, lastKillMs } = this.options;
    const startMs = performance.now();
    const order = kind === 'post' ? randomUUID() : '';
    const answer = await request({
      agent,
      port: via === 'balancer' ? balancerPort! : nodePorts[via]!,
      method: kind === 'post' ? 'POST' : 'GET',
      path: `/_aws/execute-api/${apiId}/dev${PATHS[kind]}${order === '' ? '' : `?order=${order}`}`,
      headers: kind === 'keyed' ? { 'x-api-key': apiKey } : {},
    });
    if (answer.status === 200 && answer.body === EXPECTED[kind]) {
      this.answered++;
      if (kind === 'keyed') this.keyedAnswers.push({ requestId: answer.requestId, atMs: startMs });
      if (kind === 'post') this.ordersAnswered.push(order);
      return;
    }
    if (kind === 'keyed') this.keyedBroken++;
    const failure = { via, kind, what: `${answer.status} ${answer.body.slice(0, 200)}`, atMs: startMs };
    const isExcused = via === 'balancer' ? kind === 'post' && lastKillMs() >= startMs : isKilled(via);
    (isExcused ? this.broken : this.failures).push(failure);
  }
}

export interface Answer {
  /** 0: there was none, and `body` says why. */
  readonly status: number;
  readonly body: string;
  readonly requestId: string;
}

/** Never rejects; waits for as long as the slowest part may be stopped. */
export function request(options: http.RequestOptions & { readonly port: number }): Promise<Answer> {
  return new Promise((resolve) => {
    const none = (error: Error): void => resolve({ status: 0, body: error.message, requestId: '' });
    const sent = http.request({ host: '127.0.0.1', timeout: 40_000, ...options }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('error', none);
      response.on('end', () =>
        resolve({ status: response.statusCode!, body, requestId: String(response.headers['x-amzn-requestid'] ?? '') }),
      );
    });
    sent.on('error', none).on('timeout', () => sent.destroy(new Error('no answer within 40 s')));
    sent.end();
  });
}
