// For specs: HTTP/2 by hand, so that a caller can say what no library would.
import { connect, type Socket } from 'node:net';

export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** RFC 9113 §4.1. */
export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Fields as literals without indexing and without Huffman coding (RFC 7541 §6.2.2); text is latin1. */
export function hpack(fields: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < fields.length; i += 2) parts.push(Buffer.from([0]), hpackText(fields[i]!), hpackText(fields[i + 1]!));
  return Buffer.concat(parts);
}

function hpackText(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const length: number[] = [];
  let left = bytes.length;
  if (left < 127) length.push(left);
  else {
    length.push(127);
    left -= 127;
    for (; left >= 128; left = Math.floor(left / 128)) length.push((left % 128) + 128);
    length.push(left);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** A head in one frame. */
export function headers(stream: number, fields: readonly string[], flags = END_STREAM | END_HEADERS): Buffer {
  return frame(HEADERS, flags, stream, hpack(fields));
}

/** A caller on a real socket that writes what it is told and keeps what it gets. */
export class RawHttp2Caller {
  readonly frames: Frame[] = [];
  isEnded = false;
  private readonly waiting: (() => void)[] = [];
  private rest: Buffer = Buffer.alloc(0);

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => this.received(chunk));
    const ended = (): void => {
      this.isEnded = true;
      this.look();
    };
    socket.on('end', ended);
    socket.on('close', ended);
    socket.on('error', () => undefined);
  }

  /** With preface and SETTINGS, which are also acknowledged; the least that is HTTP/2. */
  static async open(port: number, settings: Buffer = Buffer.alloc(0), acknowledges = true): Promise<RawHttp2Caller> {
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const caller = new RawHttp2Caller(socket);
    socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0, settings)]));
    await caller.got((got) => got.type === SETTINGS && got.flags !== ACK);
    if (acknowledges) socket.write(frame(SETTINGS, ACK, 0));
    return caller;
  }

  write(...parts: Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(parts));
  }

  /** The first frame of that kind; rejects when the connection ends without. */
  async got(wanted: (frame: Frame) => boolean): Promise<Frame> {
    await this.until(() => this.isEnded || this.frames.some(wanted));
    const found = this.frames.find(wanted);
    if (found === undefined) throw new Error(`the connection ended after ${JSON.stringify(this.frames.map(({ type }) => type))}`);
    return found;
  }

  async ended(): Promise<void> {
    await this.until(() => this.isEnded);
  }

  /** Error code with which a stream was reset. */
  async resetOf(stream: number): Promise<number> {
    return (await this.got((got) => got.type === RST_STREAM && got.stream === stream)).payload.readUInt32BE(0);
  }

  /** Error code of the last GOAWAY; `null` when the connection ended without. */
  goawayCode(): number | null {
    return this.frames.findLast(({ type }) => type === GOAWAY)?.payload.readUInt32BE(4) ?? null;
  }

  count(type: number): number {
    return this.frames.filter((got) => got.type === type).length;
  }

  private received(chunk: Buffer): void {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    while (this.rest.length >= 9) {
      const end = 9 + this.rest.readUIntBE(0, 3);
      if (this.rest.length < end) break;
      this.frames.push({
        type: this.rest[3]!,
        flags: this.rest[4]!,
        stream: this.rest.readUInt32BE(5),
        payload: this.rest.subarray(9, end),
      });
      this.rest = this.rest.subarray(end);
    }
    this.look();
  }

  private async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private look(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}
