/**
 * The runner's end of the frames that runtime/nodejs.mjs describes. The peer is a tenant's process: sizes are checked before
 * anything is kept, and bytes that are no frame end the environment.
 */
import { INVOKE_PAYLOAD_BYTES_MAX } from '@gatehouse/contracts';
import type { Duplex } from 'node:stream';
import { responseTooLarge, type Invocation, type Outcome, type PayloadSink } from './invocation.js';
import type { RuntimeChannel } from './runtime-channel.js';

const HEAD_BYTES = 9;
/** The runtime's metadata is an id and a media type. */
const META_BYTES_MAX = 4096;
const KIND = { READY: 1, INIT_ERROR: 2, REPLY: 3, FAILURE: 4, CHUNK: 5, FATAL: 6, INIT: 10, INVOKE: 11 } as const;

interface Frame {
  readonly kind: number;
  readonly meta: { readonly id?: unknown; readonly contentType?: unknown };
  /** `null`: more than may be kept; its bytes were skipped. */
  readonly body: Buffer | null;
}

interface Call {
  readonly id: string;
  readonly resolve: (outcome: Outcome) => void;
  readonly sink: PayloadSink | null;
  /** Parts of a streamed payload that is wanted whole. */
  readonly parts: Buffer[];
  partsBytes: number;
  isTooLarge: boolean;
}

export class NodeChannel implements RuntimeChannel {
  readonly initialized: Promise<Outcome | null>;
  private readonly settleInit: (outcome: Outcome | null) => void;
  private call: Call | null = null;
  isSpent = false;

  constructor(
    private readonly socket: Duplex,
    init: { readonly handler: string; readonly taskRoot: string; readonly environment: Readonly<Record<string, string>> },
    onNonsense: () => void,
  ) {
    const { promise, resolve } = Promise.withResolvers<Outcome | null>();
    this.initialized = promise;
    this.settleInit = resolve;
    const reader = new FrameReader((frame) => this.received(frame), INVOKE_PAYLOAD_BYTES_MAX);
    socket.on('data', (chunk: Buffer) => {
      if (!reader.push(chunk)) onNonsense();
    });
    socket.on('error', () => socket.destroy()); // the process ended; its exit says more
    this.send(KIND.INIT, init, Buffer.alloc(0));
  }

  invoke(invocation: Invocation, deadlineMs: number): Promise<Outcome> {
    const { requestId, functionArn, event, clientContext, traceId, sink = null } = invocation;
    return new Promise((resolve) => {
      this.call = { id: requestId, resolve, sink, parts: [], partsBytes: 0, isTooLarge: false };
      const meta = {
        id: requestId,
        deadlineMs,
        arn: functionArn,
        traceId,
        ...(clientContext !== null && { clientContext: JSON.parse(clientContext) as unknown }),
      };
      this.send(KIND.INVOKE, meta, event);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private received({ kind, meta, body }: Frame): void {
    if (kind === KIND.READY) return this.settleInit(null);
    if (kind === KIND.INIT_ERROR) return this.settleInit({ isError: true, payload: body ?? Buffer.alloc(0) });
    const call = this.call;
    if (call === null || meta.id !== call.id) return; // an answer nobody waits for any more
    if (body === null) call.isTooLarge = true;
    if (kind === KIND.FATAL) this.isSpent = true;
    if (kind === KIND.CHUNK) this.takePart(call, body);
    else if (kind === KIND.FAILURE || kind === KIND.FATAL) this.settle(call, { isError: true, payload: body ?? Buffer.alloc(0) });
    else if (kind === KIND.REPLY) this.reply(call, body, meta.contentType);
  }

  private takePart(call: Call, body: Buffer | null): void {
    if (call.sink === null || body === null) return this.keepPart(call, body);
    // The program waits for its socket, and with it whoever writes to its stream.
    if (call.sink.write(body)) return;
    this.socket.pause();
    call.sink.onRoom = () => this.socket.resume();
  }

  private keepPart(call: Call, body: Buffer | null): void {
    call.partsBytes += body?.length ?? 0;
    if (call.partsBytes > INVOKE_PAYLOAD_BYTES_MAX) call.isTooLarge = true;
    if (call.isTooLarge) call.parts.length = 0;
    else if (body !== null) call.parts.push(body);
  }

  private reply(call: Call, body: Buffer | null, contentType: unknown): void {
    if (call.isTooLarge || body === null) return this.settle(call, responseTooLarge());
    const payload = call.parts.length === 0 ? body : Buffer.concat(call.parts);
    this.settle(call, {
      isError: false,
      payload,
      contentType: typeof contentType === 'string' ? contentType : 'application/json',
    });
  }

  private settle(call: Call, outcome: Outcome): void {
    this.call = null;
    if (call.sink !== null) call.sink.onRoom = null;
    this.socket.resume();
    call.resolve(outcome);
  }

  private send(kind: number, meta: object, body: Buffer): void {
    const metaBytes = Buffer.from(JSON.stringify(meta));
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32BE(metaBytes.length, 0);
    head.writeUInt32BE(body.length, 4);
    head.writeUInt8(kind, 8);
    this.socket.write(Buffer.concat([head, metaBytes, body]));
  }
}

/** Cuts a byte stream into frames. A body above `bodyBytesMax` is skipped as it comes, never kept. */
export class FrameReader {
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  /** Of the frame being read, once its head is known. */
  private head: { readonly metaBytes: number; readonly bodyBytes: number; readonly kind: number } | null = null;
  private skip: { bytes: number; readonly frame: Frame } | null = null;

  constructor(
    private readonly onFrame: (frame: Frame) => void,
    private readonly bodyBytesMax: number,
  ) {}

  /** False when the bytes are no frames; nothing may be pushed after that. */
  push(chunk: Buffer): boolean {
    this.pending.push(chunk);
    this.pendingBytes += chunk.length;
    for (;;) {
      if (this.skip !== null) {
        if (!this.skipBytes(this.skip)) return true;
        continue;
      }
      if (this.head === null) {
        if (this.pendingBytes < HEAD_BYTES) return true;
        const head = this.take(HEAD_BYTES);
        this.head = { metaBytes: head.readUInt32BE(0), bodyBytes: head.readUInt32BE(4), kind: head.readUInt8(8) };
        if (this.head.metaBytes > META_BYTES_MAX) return false;
      }
      const { metaBytes, bodyBytes, kind } = this.head;
      const isTooLarge = bodyBytes > this.bodyBytesMax;
      if (this.pendingBytes < metaBytes + (isTooLarge ? 0 : bodyBytes)) return true;
      const meta = readMeta(this.take(metaBytes));
      if (meta === null) return false;
      this.head = null;
      if (isTooLarge) this.skip = { bytes: bodyBytes, frame: { kind, meta, body: null } };
      else this.onFrame({ kind, meta, body: this.take(bodyBytes) });
    }
  }

  private skipBytes(skip: { bytes: number; readonly frame: Frame }): boolean {
    const present = Math.min(skip.bytes, this.pendingBytes);
    this.take(present);
    skip.bytes -= present;
    if (skip.bytes > 0) return false;
    this.skip = null;
    this.onFrame(skip.frame);
    return true;
  }

  private take(bytes: number): Buffer {
    const all = this.pending.length === 1 ? (this.pending[0] as Buffer) : Buffer.concat(this.pending);
    const rest = all.subarray(bytes);
    this.pending = rest.length === 0 ? [] : [rest];
    this.pendingBytes = rest.length;
    return all.subarray(0, bytes);
  }
}

function readMeta(bytes: Buffer): Frame['meta'] | null {
  try {
    const meta: unknown = JSON.parse(bytes.toString());
    return typeof meta === 'object' && meta !== null ? meta : null;
  } catch {
    return null;
  }
}
