import type { TrailedBody } from '@gatehouse/engine-exchange';
import { Readable } from 'node:stream';

/** The connection as the body that arrives on it needs it. */
export interface AnswerSource {
  resumeReading(): void;
  /** Nobody reads the rest: the connection is of no use any more. */
  abandon(): void;
}

const BUFFERED_BYTES_MAX = 65_536;

/** An upstream's body on its way in, read no faster than its reader takes it. Destroying it ends the call. */
export class AnswerBody extends Readable implements TrailedBody {
  isWhole = false;
  trailers: readonly string[] | null = null;
  /** Its chunks come from the pool: the one reader gives each back. What came before it was set does not. */
  isPooled = false;

  constructor(private readonly source: AnswerSource) {
    super({ highWaterMark: BUFFERED_BYTES_MAX });
    this.on('error', () => undefined); // the reader hears of it through a listener of its own, if there is a reader
  }

  end(): void {
    this.isWhole = true;
    this.push(null);
  }

  override _read(): void {
    this.source.resumeReading();
  }

  override _destroy(cause: Error | null, done: (error?: Error | null) => void): void {
    if (!this.isWhole) this.source.abandon();
    done(cause);
  }
}
