import { refuse, type Peer, type Refusal } from './refusals.js';
import { HEAD_BYTES_CEILING, type HeadLimits } from './head-limits.js';

export const NEED_MORE = null;

/**
 * All that may stand in a head: it stops at a control byte, a CR without LF, an LF without CR. It never fails, so it never goes
 * back. A search for the first broken byte says the same and takes twice as long; a loop over charCodeAt takes as long as that.
 */
const SOUND = /(?:[\t\x20-\x7e\x80-\xff]+|\r\n)*/y;
const CR = 13;

/**
 * Bytes up to and with the first empty line, as one latin1 string.
 *
 * The verdict is that of the first offending byte, so it is the same however the bytes are cut: a broken line wins over a
 * limit reached behind it, and both over the grammar, which is looked at when the head is complete. Every byte is scanned
 * once; what waits for more is at most `headBytesMax` bytes.
 */
export class HeadCollector {
  /** Of the bytes fed last: how many belong to the head. */
  consumedBytes = 0;

  private waiting: Buffer | null = null;
  private waitingBytes = 0;
  /** Bytes of `waiting` known to be sound. */
  private soundBytes = 0;
  private isStartLineKnown = false;
  private readonly peer: Peer;
  private readonly limits: HeadLimits;

  constructor(peer: Peer, limits: HeadLimits) {
    if (limits.headBytesMax > HEAD_BYTES_CEILING)
      throw new RangeError(`headBytesMax is ${limits.headBytesMax}: at most ${HEAD_BYTES_CEILING}`); // the operator's mistake, not a peer's
    this.peer = peer;
    this.limits = limits;
  }

  /** No head has begun. */
  get isEmpty(): boolean {
    return this.waitingBytes === 0;
  }

  feed(bytes: Buffer, from = 0): string | Refusal | typeof NEED_MORE {
    const before = this.waitingBytes;
    // One byte over the limit shows that it is passed.
    const taken = Math.min(bytes.length - from, this.limits.headBytesMax + 1 - before);
    if (before === 0) {
      const text = bytes.toString('latin1', from, from + taken);
      const end = this.inspect(text, 0, taken);
      if (typeof end !== 'number') {
        if (end === NEED_MORE) this.keep(bytes, from, taken);
        return end;
      }
      this.consumedBytes = end;
      this.startOver();
      return text.slice(0, end);
    }
    const sound = this.soundBytes;
    this.keep(bytes, from, taken);
    const windowStart = Math.max(0, sound - 3); // an empty line is four bytes long
    const end = this.inspect(this.waiting!.toString('latin1', windowStart, this.waitingBytes), windowStart, this.waitingBytes);
    if (typeof end !== 'number') return end;
    const text = this.waiting!.toString('latin1', 0, end);
    this.consumedBytes = end - before;
    this.startOver();
    return text;
  }

  private startOver(): void {
    this.waiting = null;
    this.waitingBytes = 0;
    this.soundBytes = 0;
    this.isStartLineKnown = false;
  }

  /** Where the head ends; `text` is what came from `windowStart` on. */
  private inspect(text: string, windowStart: number, totalBytes: number): number | Refusal | typeof NEED_MORE {
    const { headBytesMax } = this.limits;
    const emptyLine = text.indexOf('\r\n\r\n');
    const end = emptyLine === -1 ? -1 : windowStart + emptyLine + 4;
    const broken = this.firstBroken(text, windowStart, end === -1 ? totalBytes : end);
    const longLine = this.isStartLineTooLong(text, windowStart, totalBytes);
    if (longLine && (broken === -1 || broken > longLine)) return refuse(this.peer, 'START_LINE_TOO_LONG');
    if ((end === -1 ? totalBytes : end) > headBytesMax && (broken === -1 || broken >= headBytesMax))
      return refuse(this.peer, 'HEAD_TOO_LARGE');
    if (broken !== -1) return refuse(this.peer, 'BROKEN_LINE');
    return end === -1 ? NEED_MORE : end;
  }

  private firstBroken(text: string, windowStart: number, endBytes: number): number {
    const region = text.slice(0, endBytes - windowStart);
    SOUND.lastIndex = this.soundBytes - windowStart;
    SOUND.test(region);
    const stop = SOUND.lastIndex;
    this.soundBytes = windowStart + stop;
    // A CR at the very end may still get its LF.
    const isOpen = stop === region.length - 1 && region.charCodeAt(stop) === CR;
    return stop === region.length || isOpen ? -1 : windowStart + stop;
  }

  /** The position of the byte that is too much, or 0. Only while the first line lies in sight, or was never ended. */
  private isStartLineTooLong(text: string, windowStart: number, totalBytes: number): number {
    if (this.isStartLineKnown) return 0;
    const skipped = (windowStart === 0 ? text.charCodeAt(0) : this.waiting![0]) === CR ? 2 : 0; // an empty line in front
    const lineEnd = text.indexOf('\r\n', Math.max(0, skipped - windowStart));
    const tooMuchAt = skipped + this.limits.startLineBytesMax;
    if (lineEnd !== -1 && windowStart + lineEnd <= tooMuchAt) {
      this.isStartLineKnown = true;
      return 0;
    }
    if (totalBytes <= tooMuchAt) return 0;
    const isEnding = totalBytes === tooMuchAt + 1 && text.charCodeAt(text.length - 1) === CR;
    return isEnding ? 0 : tooMuchAt;
  }

  private keep(bytes: Buffer, from: number, taken: number): void {
    const needed = this.waitingBytes + taken;
    if (this.waiting === null || this.waiting.length < needed) {
      const grown = Buffer.allocUnsafeSlow(Math.min(Math.max(needed * 2, 1_024), this.limits.headBytesMax + 1));
      this.waiting?.copy(grown, 0, 0, this.waitingBytes);
      this.waiting = grown;
    }
    bytes.copy(this.waiting, this.waitingBytes, from, from + taken);
    this.waitingBytes = needed;
  }
}
