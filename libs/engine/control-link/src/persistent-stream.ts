import type { StreamCall } from './transport.js';

export interface BackOff {
  /** First pause; doubles with every failure in a row, up to `maxMs`, and a stream that lasted `maxMs` ends the row. Each pause is 50 % to 100 % of that. */
  readonly minMs: number;
  readonly maxMs: number;
}

export interface StreamHandlers<Received> {
  opened(): void;
  received(message: Received): void;
  /** After `opened`; the stream opens again by itself. */
  closed(reason: string): void;
  /** True while the peer owes us something: only then is its silence a fault. */
  isWaiting(): boolean;
}

export interface StreamSettings {
  readonly backOff: BackOff;
  /** A peer that owes an answer and says nothing for this long is treated as gone. */
  readonly silenceMs: number;
  /** The same for the first message of a stream, which a peer owes at once. */
  readonly answerMs: number;
  /** In [0, 1). */
  readonly random: () => number;
}

/** One bidirectional call that is made again whenever it ends, with growing, jittered pauses, until it is closed. */
export class PersistentStream<Sent, Received> {
  private call: StreamCall<Sent, Received> | null = null;
  private failures = 0;
  private retry: NodeJS.Timeout | null = null;
  private silence: NodeJS.Timeout | null = null;
  private lasting: NodeJS.Timeout | null = null;
  private isAnswered = false;
  private ended = false;

  constructor(
    private readonly connect: () => StreamCall<Sent, Received>,
    private readonly handlers: StreamHandlers<Received>,
    private readonly settings: StreamSettings,
  ) {}

  start(): void {
    if (this.ended || this.call !== null) return;
    const call = this.connect();
    this.call = call;
    call.on('data', (message: Received) => {
      if (this.call !== call) return;
      if (!this.isAnswered) this.answered();
      this.handlers.received(message);
      this.watch();
    });
    call.on('error', (error) => this.lost(call, error.message));
    call.on('end', () => this.lost(call, 'ended by the control plane'));
    this.isAnswered = false;
    this.handlers.opened();
    this.watch();
  }

  /** False when there is no stream: the message is dropped. */
  send(message: Sent): boolean {
    return this.call !== null && (this.call.write(message), true);
  }

  get isOpen(): boolean {
    return this.call !== null;
  }

  /** Ends the present call; a new one follows after the back-off. */
  restart(reason: string): void {
    const call = this.call;
    if (call === null) return;
    call.cancel();
    this.lost(call, reason);
  }

  close(): void {
    this.ended = true;
    if (this.retry !== null) clearTimeout(this.retry);
    const call = this.call;
    if (call === null) return;
    call.cancel();
    this.lost(call, 'closed');
  }

  /** A first answer proves little: a control plane without its database greets, and then ends the stream. One that lasts does. */
  private answered(): void {
    this.isAnswered = true;
    this.lasting = setTimeout(() => (this.failures = 0), this.settings.backOff.maxMs);
    this.lasting.unref();
  }

  private lost(call: StreamCall<Sent, Received>, reason: string): void {
    // A cancelled call still reports an error; only the first news of its end counts.
    if (this.call !== call) return;
    this.call = null;
    if (this.lasting !== null) clearTimeout(this.lasting);
    this.unwatch();
    this.handlers.closed(reason);
    if (this.ended) return;
    const { minMs, maxMs } = this.settings.backOff;
    const pauseMs = Math.min(maxMs, minMs * 2 ** Math.min(this.failures++, 20));
    this.retry = setTimeout(() => this.start(), pauseMs * (0.5 + this.settings.random() / 2));
  }

  /** To be called after sending what must be answered, when nothing else was owed before. */
  expectAnswer(): void {
    if (this.silence === null) this.watch();
  }

  private watch(): void {
    this.unwatch();
    if (this.call === null || !this.handlers.isWaiting()) return;
    const { silenceMs, answerMs } = this.settings;
    const patienceMs = this.isAnswered ? silenceMs : Math.min(silenceMs, answerMs);
    this.silence = setTimeout(() => this.restart(`nothing heard for ${patienceMs} ms`), patienceMs);
  }

  private unwatch(): void {
    if (this.silence !== null) clearTimeout(this.silence);
    this.silence = null;
  }
}
