import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** One request as a scripted upstream got it. */
export interface UpstreamCall {
  readonly httpMethod: string;
  readonly url: string;
  /** Name, value, name, value, ... as on the wire. */
  readonly rawHeaders: readonly string[];
  /** Counts connections: two calls with the same number came over one socket. */
  readonly connection: number;
  /** Resolves when the whole body is here; rejects when the sender leaves before. */
  readonly body: Promise<Buffer>;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** For answers no well-behaved server gives: write bytes, or `resetAndDestroy()`. */
  readonly socket: Socket;
  /** Resolves when the connection is gone or the answer is complete. */
  readonly closed: Promise<void>;
}

/** An upstream on a real socket that does what its script says; `calls` is what it saw. */
export class ScriptedUpstream {
  readonly calls: UpstreamCall[] = [];
  connections = 0;
  /** Why what a connection sent is no request to Node's strict parser. Connections that ended early are not among them. */
  readonly unreadable: string[] = [];
  private readonly waiting: { count: number; resolve: () => void }[] = [];
  private readonly numbers = new WeakMap<Socket, number>();

  private constructor(
    private readonly server: Server,
    private script: (call: UpstreamCall) => void | Promise<void>,
  ) {}

  static async start(
    script: (call: UpstreamCall) => void | Promise<void> = (call) => void call.response.end(),
  ): Promise<ScriptedUpstream> {
    const server = createServer({ keepAliveTimeout: 60_000, insecureHTTPParser: false });
    const upstream = new ScriptedUpstream(server, script);
    server.on('connection', (socket) => upstream.numbers.set(socket, ++upstream.connections));
    server.on('request', (request, response) => upstream.received(request, response));
    server.on('clientError', ({ code, message }: NodeJS.ErrnoException, socket) => {
      if (code?.startsWith('HPE_') === true && code !== 'HPE_INVALID_EOF_STATE') upstream.unreadable.push(`${code}: ${message}`);
      setImmediate(() => socket.destroy()); // a request in front of it is whole, and its listeners have to hear of that first
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return upstream;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What it does from the next request on. */
  does(script: (call: UpstreamCall) => void | Promise<void>): void {
    this.script = script;
  }

  /** Resolves when it has seen that many requests in all. */
  async called(count = this.calls.length + 1): Promise<UpstreamCall> {
    if (this.calls.length < count) await new Promise<void>((resolve) => this.waiting.push({ count, resolve }));
    return this.calls[count - 1]!;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private received(request: IncomingMessage, response: ServerResponse): void {
    const body = readBody(request);
    body.catch(() => undefined); // a script that does not look at the body does not fail with it
    const call: UpstreamCall = {
      httpMethod: request.method!,
      url: request.url!,
      rawHeaders: request.rawHeaders,
      connection: this.numbers.get(request.socket)!,
      body,
      request,
      response,
      socket: request.socket,
      closed: new Promise((resolve) => response.once('close', resolve)),
    };
    this.calls.push(call);
    for (const { count, resolve } of this.waiting) if (this.calls.length >= count) resolve();
    void this.script(call);
  }
}

function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', reject);
    request.on('close', () => reject(new Error('the sender left')));
  });
}
