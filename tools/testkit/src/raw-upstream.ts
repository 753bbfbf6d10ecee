/**
 * An upstream on a plain socket: its script decides about every byte and about when the connection breaks. It reads requests just
 * well enough to know where one ends; a request it cannot read ends up in `unreadable`.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** One request, as soon as its head is there. */
export interface RawUpstreamCall {
  readonly httpMethod: string;
  readonly target: string;
  /** Request line and headers, without the empty line behind them. */
  readonly head: string;
  /** Counts connections from 1: two calls with the same number came over one socket. */
  readonly connection: number;
  /** Resolves with the whole body, chunks joined; rejects when the sender leaves before its end. */
  readonly body: Promise<string>;
  readonly socket: Socket;
  /** Latin-1 text or bytes. False when the socket would rather have a pause. */
  send(bytes: string | Buffer): boolean;
}

export interface RawUpstreamOptions {
  readonly tls?: TlsOptions;
  /** Called for every connection before anything is read from it. */
  readonly onConnection?: (socket: Socket, connection: number) => void;
}

export type RawScript = (call: RawUpstreamCall) => unknown;

export class RawUpstream {
  readonly calls: RawUpstreamCall[] = [];
  /** Everything each connection has sent, by its number minus one. */
  readonly received: string[] = [];
  /** Where a connection sent what is no request. */
  readonly unreadable: string[] = [];
  private readonly open = new Set<Socket>();
  private waiting: { isOver: () => boolean; resolve: () => void }[] = [];
  private isTls = false;

  private constructor(
    private readonly server: Server,
    private script: RawScript,
  ) {}

  static async start(
    script: RawScript = (call) => call.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
    options: RawUpstreamOptions = {},
  ): Promise<RawUpstream> {
    const server = options.tls === undefined ? createServer() : createTlsServer(options.tls);
    const upstream = new RawUpstream(server, script);
    upstream.isTls = options.tls !== undefined;
    server.on('tlsClientError', () => undefined);
    server.on(upstream.isTls ? 'secureConnection' : 'connection', (socket: Socket) => upstream.connected(socket, options));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return upstream;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.isTls ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  get connections(): number {
    return this.received.length;
  }

  get openConnections(): number {
    return this.open.size;
  }

  /** What it does from the next request on. */
  does(script: RawScript): void {
    this.script = script;
  }

  /** Resolves with the n-th request of all, once it is there. */
  async called(count = this.calls.length + 1): Promise<RawUpstreamCall> {
    await this.until(() => this.calls.length >= count);
    return this.calls[count - 1]!;
  }

  /** Resolves when no connection is open. */
  idle(): Promise<void> {
    return this.until(() => this.open.size === 0);
  }

  async close(): Promise<void> {
    for (const socket of this.open) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private connected(socket: Socket, { onConnection }: RawUpstreamOptions): void {
    const connection = this.received.push('');
    this.open.add(socket);
    const reader = new RequestReader((head, body) => this.begin(head, body, connection, socket));
    socket.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1');
      this.received[connection - 1] += text;
      if (!reader.take(text)) this.unreadable.push(this.received[connection - 1]!);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.open.delete(socket);
      reader.leave();
      this.check();
    });
    onConnection?.(socket, connection);
  }

  private begin(head: string, body: Promise<string>, connection: number, socket: Socket): void {
    body.catch(() => undefined); // a script that does not look at the body does not fail with it
    const [httpMethod = '', target = ''] = head.split(' ', 2);
    const send = (bytes: string | Buffer): boolean =>
      socket.writable && socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    const call = { httpMethod, target, head, connection, body, socket, send };
    this.calls.push(call);
    this.check();
    this.script(call);
  }

  private until(isOver: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push({ isOver, resolve });
      this.check();
    });
  }

  private check(): void {
    this.waiting = this.waiting.filter(({ isOver, resolve }) => {
      if (!isOver()) return true;
      resolve();
      return false;
    });
  }
}

/** Cuts what comes into requests. Knows Content-Length and chunks, in the one form each that we send. */
class RequestReader {
  private pending = '';
  private body = '';
  private end: { resolve: (body: string) => void; reject: (cause: Error) => void } | null = null;
  /** -1: a head; -2: a chunk line; -3: trailers; otherwise bytes of body or chunk that are missing. */
  private state = -1;
  private isChunked = false;

  constructor(private readonly onRequest: (head: string, body: Promise<string>) => void) {}

  /** False when it is no request; then nothing is read any more. */
  take(text: string): boolean {
    this.pending += text;
    for (;;) {
      const taken = this.state === -1 ? this.takeHead() : this.state >= 0 ? this.takeData() : this.takeLine();
      if (taken === null) return true;
      if (!taken) {
        this.pending = '';
        return false;
      }
    }
  }

  leave(): void {
    this.end?.reject(new Error('the sender left'));
  }

  /** `null`: more is needed. */
  private takeHead(): boolean | null {
    const end = this.pending.indexOf('\r\n\r\n');
    if (end === -1) return null;
    const head = this.pending.slice(0, end);
    this.pending = this.pending.slice(end + 4);
    const length = /^content-length: (\d+)$/im.exec(head);
    this.isChunked = /^transfer-encoding: chunked$/im.test(head);
    if (!/^\S+ \S+ HTTP\/1\.[01]\r\n/.test(head) || (length !== null && this.isChunked)) return false;
    this.state = this.isChunked ? -2 : Number(length?.[1] ?? 0);
    this.body = '';
    const body = new Promise<string>((resolve, reject) => (this.end = { resolve, reject }));
    if (this.state === 0) this.finish();
    this.onRequest(head, body);
    return true;
  }

  private takeData(): boolean | null {
    const taken = Math.min(this.state, this.pending.length);
    this.body += this.pending.slice(0, taken);
    this.pending = this.pending.slice(taken);
    this.state -= taken;
    if (this.state > 0) return null;
    if (!this.isChunked) {
      this.finish();
      return true;
    }
    if (this.pending.length < 2) return null;
    if (!this.pending.startsWith('\r\n')) return false;
    this.pending = this.pending.slice(2);
    this.state = -2;
    return true;
  }

  private takeLine(): boolean | null {
    const end = this.pending.indexOf('\r\n');
    if (end === -1) return null;
    const line = this.pending.slice(0, end);
    this.pending = this.pending.slice(end + 2);
    if (this.state === -3) {
      if (line === '') this.finish();
      return true;
    }
    if (!/^[0-9a-f]+$/i.test(line)) return false;
    const bytes = Number.parseInt(line, 16);
    this.state = bytes === 0 ? -3 : bytes;
    return true;
  }

  private finish(): void {
    this.state = -1;
    this.end?.resolve(this.body);
    this.end = null;
  }
}
