import type { ReportBatch, ReportReceipt } from '@gatehouse/contracts';
import { PersistentStream, type StreamSettings } from './persistent-stream.js';
import type { StreamCall } from './transport.js';

/** Batches on their way at once; the rest waits in order, so a slow control plane is not flooded after an outage. */
const BATCHES_IN_FLIGHT_MAX = 16;

interface Pending {
  readonly batch: ReportBatch;
  readonly done: PromiseWithResolvers<boolean>;
}

/** Sends batches in the order given and sends them again, on each new stream, until their receipts arrive. */
export class ReportStream {
  private readonly stream: PersistentStream<ReportBatch, ReportReceipt>;
  /** Oldest first; the first `inFlightCount` are on their way. */
  private readonly pending = new Map<string, Pending>();
  private inFlightCount = 0;

  constructor(
    connect: () => StreamCall<ReportBatch, ReportReceipt>,
    settings: StreamSettings,
    onClosed: (reason: string) => void,
  ) {
    this.stream = new PersistentStream(
      connect,
      {
        opened: () => {
          this.inFlightCount = 0;
          this.fill();
        },
        received: (receipt) => this.received(receipt),
        closed: onClosed,
        isWaiting: () => this.inFlightCount > 0,
      },
      settings,
    );
  }

  start(): void {
    this.stream.start();
  }

  /** Goes on over a new call. */
  restart(reason: string): void {
    this.stream.restart(reason);
  }

  /** Resolves to true with the receipt; to false when the link closes before. The same name twice is sent once. */
  report(batch: ReportBatch): Promise<boolean> {
    const key = `${batch.epoch}/${batch.sequence}`;
    let pending = this.pending.get(key);
    if (pending === undefined) {
      pending = { batch, done: Promise.withResolvers<boolean>() };
      this.pending.set(key, pending);
      this.fill();
    }
    return pending.done.promise;
  }

  /** What is still pending is the caller's to report again, after the next start. */
  close(): void {
    this.stream.close();
    for (const { done } of this.pending.values()) done.resolve(false);
    this.pending.clear();
  }

  private received(receipt: ReportReceipt): void {
    const key = `${receipt.epoch}/${receipt.sequence}`;
    const pending = this.pending.get(key);
    if (pending === undefined) return; // a second receipt for a batch that was sent twice
    this.pending.delete(key);
    this.inFlightCount--;
    pending.done.resolve(true);
    this.fill();
  }

  private fill(): void {
    if (!this.stream.isOpen) return;
    let index = 0;
    for (const { batch } of this.pending.values()) {
      if (index++ < this.inFlightCount) continue;
      if (this.inFlightCount >= BATCHES_IN_FLIGHT_MAX) break;
      this.stream.send(batch);
      this.inFlightCount++;
    }
    if (this.inFlightCount > 0) this.stream.expectAnswer();
  }
}
