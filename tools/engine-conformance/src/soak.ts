/**
 * Mixed load with random disconnects on both sides. Callers and upstream live in the process of the gate, so that its resources are
 * theirs too: what either side leaves open is seen. Every answer that arrives whole must be the answer to its own request.
 */
import { ExchangePool, type Exchange } from '@gatehouse/engine-exchange';
import { RawCaller, RawUpstream, type RawUpstreamCall } from '@gatehouse/testkit';
import { readAnswers, type Answer } from './answers.js';
import { eventually } from './conform.js';
import type { Engine } from './engines.js';
import { Gate, HOST } from './gate.js';

const CALLERS = 24;
const STREAM_BYTES = 300_000;
const IDLE_MS = 250;

export interface SoakState {
  readonly heapMiB: number;
  /** Kinds of what keeps the process alive, with their number. */
  readonly resources: Readonly<Record<string, number>>;
}

/** A small generator of its own: the same load at every run of a seed (mulberry32). */
export class Dice {
  constructor(private state: number) {}

  below(count: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % count;
  }
}

/** Who has an Exchange, over all pools of the process. */
export class PoolWatch {
  readonly out = new Set<Exchange>();
  acquiredCount = 0;
  strayReleases = 0;
  private readonly acquire = ExchangePool.prototype.acquire;
  private readonly release = ExchangePool.prototype.release;

  constructor() {
    const { acquire, release } = this;
    const watch = (x: Exchange): void => {
      this.acquiredCount++;
      if (this.out.has(x)) this.strayReleases++; // handed out twice
      this.out.add(x);
    };
    const unwatch = (x: Exchange): void => {
      if (!this.out.delete(x)) this.strayReleases++;
    };
    ExchangePool.prototype.acquire = function (): Exchange {
      const x = acquire.call(this);
      watch(x);
      return x;
    };
    ExchangePool.prototype.release = function (x: Exchange): void {
      unwatch(x);
      release.call(this, x);
    };
  }

  stop(): void {
    ExchangePool.prototype.acquire = this.acquire;
    ExchangePool.prototype.release = this.release;
  }
}

export class Soak {
  /** What went wrong with a caller that behaved well. */
  readonly complaints: string[] = [];
  requestCount = 0;
  wholeCount = 0;
  private number = 0;

  private constructor(
    readonly gate: Gate,
    private readonly up: RawUpstream,
    private readonly dice: Dice,
  ) {
    up.does((call) => this.answer(call));
  }

  static async start(engine: Engine, seed: number): Promise<Soak> {
    const up = await RawUpstream.start();
    const gate = await Gate.open(engine, { connector: { idleConnectionMs: IDLE_MS }, timeoutMs: 2_000 });
    await gate.proxyTo(up.url);
    return new Soak(gate, up, new Dice(seed));
  }

  /** All callers at work for so long. */
  async load(ms: number): Promise<void> {
    const until = performance.now() + ms;
    await Promise.all(
      Array.from({ length: CALLERS }, async () => {
        while (performance.now() < until) await this.connection().catch((cause: Error) => this.complaints.push(cause.message));
      }),
    );
  }

  /** Once all is quiet: no request, no connection to the upstream, nothing kept by this test itself. */
  async state(): Promise<SoakState> {
    await eventually('the end of all requests', () => this.gate.listener.inFlightCount === 0, 10_000);
    await eventually('the end of all upstream connections', () => this.up.openConnections === 0, 10_000);
    this.up.calls.length = 0;
    this.up.received.length = 0;
    this.gate.lines.length = 0;
    this.gate.causes.length = 0;
    return stateOfProcess();
  }

  async close(): Promise<void> {
    await this.gate.close();
    await this.up.close();
  }

  // Callers

  private async connection(): Promise<void> {
    const caller = await RawCaller.connect(this.gate.port);
    try {
      const requests = 1 + this.dice.below(8);
      for (let i = 0; i < requests && !caller.socket.destroyed; i++) if (!(await this.talk(caller))) return;
    } finally {
      if (this.dice.below(8) === 0) caller.socket.resetAndDestroy();
      else caller.close();
    }
  }

  /** False when the connection is of no use any more. */
  private async talk(caller: RawCaller): Promise<boolean> {
    switch (this.dice.below(10)) {
      case 0:
      case 1:
      case 2:
        return this.expect(caller, [this.get('echo')]);
      case 3:
        return this.expect(caller, [this.post('length')]);
      case 4:
        return this.expect(caller, [this.post('chunked')]);
      case 5:
        return this.expect(
          caller,
          Array.from({ length: 5 }, () => this.get('echo')),
        );
      case 6:
        return this.expect(caller, [this.get('stream')], this.dice.below(2) === 0);
      case 7:
        return this.expect(caller, [this.get(['reset', 'short', 'half-head', 'stray'][this.dice.below(4)]!)]);
      case 8:
        return this.leave(caller);
      default:
        caller.send('rubbish\r\n\r\n');
        await caller.untilClosed();
        return false;
    }
  }

  private get(kind: string): string {
    return `GET /dev/${kind}/${this.number++} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
  }

  private post(framing: 'length' | 'chunked'): string {
    const body = 'b'.repeat(this.dice.below(40_000));
    const head = `POST /dev/echo/${this.number++} HTTP/1.1\r\nHost: ${HOST}\r\n`;
    if (framing === 'length') return `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
    const half = body.length >> 1;
    const chunk = (text: string): string => (text === '' ? '' : `${text.length.toString(16)}\r\n${text}\r\n`);
    return `${head}Transfer-Encoding: chunked\r\n\r\n${chunk(body.slice(0, half))}${chunk(body.slice(half))}0\r\n\r\n`;
  }

  /** Each request is answered by its own answer, or the connection ends. */
  private async expect(caller: RawCaller, requests: readonly string[], isSlow = false): Promise<boolean> {
    this.requestCount += requests.length;
    let text = '';
    let isClosed = false;
    const onData = (piece: string): void => {
      text += piece;
      if (!isSlow || this.dice.below(4) > 0) return;
      caller.socket.pause();
      setTimeout(() => caller.socket.resume(), 5);
    };
    const onClose = (): void => void (isClosed = true);
    caller.socket.on('data', onData).on('close', onClose);
    if (caller.socket.destroyed) return false;
    caller.send(requests.join(''));
    let answers: readonly Answer[] = [];
    await eventually(
      `an answer to ${requests[0]!.slice(0, 60)}`,
      () => {
        // Reading the text again and again is slow; most of the time it is not worth a look.
        if (isClosed || text.endsWith('\r\n\r\n') || text.length > 0) answers = readAnswers(text, [], isClosed).answers;
        return isClosed || answers.length >= requests.length;
      },
      10_000,
    );
    caller.socket.off('data', onData).off('close', onClose);
    for (const [i, { status, body }] of answers.entries()) {
      const target = / \/dev(\S+) /.exec(requests[i]!)![1]!;
      if (status === 502 || status === 504) continue;
      if (status !== 200 || !body.startsWith(`${target}\n`))
        this.complaints.push(`${target} was answered ${status} ${body.slice(0, 60)}`);
      this.wholeCount++;
    }
    return !isClosed && !caller.socket.destroyed;
  }

  /** In the middle of something. */
  private async leave(caller: RawCaller): Promise<boolean> {
    this.requestCount++;
    const request = this.dice.below(2) === 0 ? this.get('stream') : this.post('chunked');
    caller.send(request.slice(0, 1 + this.dice.below(request.length)));
    await new Promise((resolve) => setTimeout(resolve, this.dice.below(8)));
    return false;
  }

  // The upstream

  private answer(call: RawUpstreamCall): void {
    const text = `${call.target}\n`;
    const whole = `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
    switch (call.target.split('/')[1]) {
      case 'stream':
        void this.stream(call, text);
        break;
      case 'reset':
        call.socket.resetAndDestroy();
        break;
      case 'short':
        call.send(`HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n${text}`);
        call.socket.end();
        break;
      case 'half-head':
        call.socket.end('HTTP/1.1 200 OK\r\nX-');
        break;
      case 'stray':
        call.send(`${whole}HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled`);
        break;
      default:
        void call.body.then(
          () => {
            call.send(whole);
            if (this.dice.below(20) === 0) call.socket.end(); // a kept connection that ends
          },
          () => undefined,
        );
    }
  }

  private async stream(call: RawUpstreamCall, text: string): Promise<void> {
    call.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    call.send(`${text.length.toString(16)}\r\n${text}\r\n`);
    for (let sent = 0; sent < STREAM_BYTES && !call.socket.destroyed; sent += 30_000) {
      if (!call.send(`7530\r\n${'s'.repeat(30_000)}\r\n`)) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    call.send('0\r\n\r\n');
  }
}

export function stateOfProcess(): SoakState {
  for (let i = 0; i < 3; i++) globalThis.gc!();
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  return { heapMiB: process.memoryUsage().heapUsed / 1024 / 1024, resources };
}
