import { request as httpRequest, type ClientRequest } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface CallerRequest {
  readonly httpMethod?: string;
  readonly path?: string;
  /** Name, value, name, value, ...; Host is set to `host` unless it is among them. */
  readonly headers?: readonly string[];
  readonly host?: string;
  readonly body?: string | Buffer;
}

export interface CallerResponse {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  /** By lower-case name; several of one name are joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly text: string;
}

/** One whole request and its whole response, over a connection of its own. */
export function callOnce(port: number, options: CallerRequest = {}): Promise<CallerResponse> {
  return new Promise((resolve, reject) => {
    startCall(port, options, reject, resolve).end(options.body);
  });
}

/** For callers that leave, or send their body in pieces. The response, if any, is drained. */
export function startCall(
  port: number,
  options: CallerRequest = {},
  onError: (cause: Error) => void = () => undefined,
  onResponse: (response: CallerResponse) => void = () => undefined,
): ClientRequest {
  const headers = [...(options.headers ?? [])];
  if (!headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'host'))
    headers.push('Host', options.host ?? `127.0.0.1:${port}`);
  if (
    options.body !== undefined &&
    !headers.some((name, i) => i % 2 === 0 && /^(content-length|transfer-encoding)$/i.test(name))
  ) {
    headers.push('Content-Length', String(Buffer.byteLength(options.body)));
  }
  const call = httpRequest({
    host: '127.0.0.1',
    port,
    method: options.httpMethod ?? 'GET',
    path: options.path ?? '/',
    headers,
    agent: false,
    setHost: false,
  });
  call.on('error', onError);
  call.on('response', (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', onError);
    response.on('end', () => {
      const body = Buffer.concat(chunks);
      onResponse({
        status: response.statusCode!,
        rawHeaders: response.rawHeaders,
        headers: joined(response.rawHeaders),
        body,
        text: body.toString('utf8'),
      });
    });
  });
  return call;
}

function joined(rawHeaders: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    headers[name] = name in headers ? `${headers[name]}, ${rawHeaders[i + 1]!}` : rawHeaders[i + 1]!;
  }
  return headers;
}

/** Bytes over a bare socket, for requests no HTTP library sends. */
export class RawCaller {
  private received = '';
  private waiting: { done: (text: string) => boolean; resolve: (text: string) => void }[] = [];
  private isClosed = false;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.received += text;
      this.check();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
      this.check();
    });
  }

  static async connect(port: number): Promise<RawCaller> {
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RawCaller(socket);
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Everything received so far, once it holds `part` (or the connection is closed). */
  until(part: string): Promise<string> {
    return this.when((text) => text.includes(part));
  }

  /** Everything received, once the connection is closed. */
  untilClosed(): Promise<string> {
    return this.when(() => false);
  }

  get receivedText(): string {
    return this.received;
  }

  close(): void {
    this.socket.destroy();
  }

  /** Everything received so far, once it is as wanted (or the connection is closed). */
  when(done: (text: string) => boolean): Promise<string> {
    return new Promise((resolve) => {
      this.waiting.push({ done, resolve });
      this.check();
    });
  }

  private check(): void {
    this.waiting = this.waiting.filter(({ done, resolve }) => {
      if (!this.isClosed && !done(this.received)) return true;
      resolve(this.received);
      return false;
    });
  }
}
