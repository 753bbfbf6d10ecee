/**
 * The Lambda Runtime API for one execution environment, on a loopback port of its own: what Python's bootstrap, `provided`
 * runtimes and the official runtime clients speak. Source: Lambda guide, "Using the Lambda runtime API".
 *
 *   GET  /2018-06-01/runtime/invocation/next            waits for a call
 *   POST /2018-06-01/runtime/invocation/{id}/response   its payload, also chunked as a stream
 *   POST /2018-06-01/runtime/invocation/{id}/error      its error
 *   POST /2018-06-01/runtime/init/error                 the program cannot start
 */
import { INVOKE_PAYLOAD_BYTES_MAX } from '@gatehouse/contracts';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { responseTooLarge, type Invocation, type Outcome, type PayloadSink } from './invocation.js';
import type { RuntimeChannel } from './runtime-channel.js';

const PREFIX = '/2018-06-01/runtime/';
/** Of an error document; Lambda cuts longer ones. */
const ERROR_BYTES_MAX = 256 * 1024;

interface Call {
  readonly invocation: Invocation;
  readonly deadlineMs: number;
  readonly resolve: (outcome: Outcome) => void;
  isTaken: boolean;
}

export class RuntimeApi implements RuntimeChannel {
  readonly initialized: Promise<Outcome | null>;
  private readonly settleInit: (outcome: Outcome | null) => void;
  readonly isSpent = false;
  private call: Call | null = null;
  private waiting: http.ServerResponse | null = null;

  private constructor(
    private readonly server: http.Server,
    private readonly isPeer: (socket: Socket) => boolean,
  ) {
    const { promise, resolve } = Promise.withResolvers<Outcome | null>();
    this.initialized = promise;
    this.settleInit = resolve;
    server.on('connection', (socket) => {
      // Any process of the machine can connect to a loopback port; only this environment's may take its calls.
      if (!this.isPeer(socket)) socket.destroy();
    });
    server.on('request', (request, response) => void this.serve(request, response));
  }

  /** `isPeer`: does the other end belong to a process of this environment? */
  static async listen(isPeer: (socket: Socket) => boolean): Promise<RuntimeApi> {
    // A runtime waits in `next` for as long as nobody calls.
    const server = http.createServer({ requestTimeout: 0, keepAliveTimeout: 0 });
    const api = new RuntimeApi(server, isPeer);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return api;
  }

  /** `host:port` for AWS_LAMBDA_RUNTIME_API. */
  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  invoke(invocation: Invocation, deadlineMs: number): Promise<Outcome> {
    return new Promise((resolve) => {
      this.call = { invocation, deadlineMs, resolve, isTaken: false };
      this.deliver();
    });
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = request.url ?? '';
    const [area, id, action] = url.startsWith(PREFIX) ? url.slice(PREFIX.length).split('/') : [];
    try {
      if (request.method === 'GET' && area === 'invocation' && id === 'next') return this.next(response);
      if (request.method === 'POST' && area === 'init' && id === 'error') return await this.initFailed(request, response);
      if (request.method === 'POST' && area === 'invocation' && id !== undefined) {
        if (action === 'response') return await this.replied(id, request, response);
        if (action === 'error') return await this.failed(id, request, response);
      }
      answer(response, 404, { errorType: 'NotFound', errorMessage: 'no such path' });
    } catch {
      response.destroy(); // the program hung up in the middle
    }
  }

  private next(response: http.ServerResponse): void {
    this.waiting = response;
    response.once('close', () => {
      if (this.waiting === response) this.waiting = null;
    });
    this.settleInit(null);
    this.deliver();
  }

  private deliver(): void {
    const { call, waiting } = this;
    if (call === null || waiting === null || call.isTaken) return;
    call.isTaken = true;
    this.waiting = null;
    const { requestId, functionArn, event, clientContext, traceId } = call.invocation;
    waiting.writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': event.length,
      'Lambda-Runtime-Aws-Request-Id': requestId,
      'Lambda-Runtime-Deadline-Ms': String(call.deadlineMs),
      'Lambda-Runtime-Invoked-Function-Arn': functionArn,
      ...(traceId !== null && { 'Lambda-Runtime-Trace-Id': traceId }),
      ...(clientContext !== null && { 'Lambda-Runtime-Client-Context': clientContext }),
    });
    waiting.end(event);
  }

  private async replied(id: string, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const call = this.taken(id, response);
    if (call === null) return;
    const { sink = null } = call.invocation;
    const isStreamed = sink !== null && isStream(request);
    const body = isStreamed ? await passOn(request, sink) : await readBody(request, INVOKE_PAYLOAD_BYTES_MAX);
    // A stream may still fail after its first bytes: the error comes as a trailer.
    const errorBody = request.trailers['lambda-runtime-function-error-body'];
    if (body === null) {
      answer(response, 413, { errorType: 'Function.ResponseSizeTooLarge', errorMessage: 'response too large' });
      this.settle(call, responseTooLarge());
    } else {
      answer(response, 202, { status: 'OK' });
      if (errorBody !== undefined) this.settle(call, { isError: true, payload: Buffer.from(errorBody, 'base64') });
      else this.settle(call, { isError: false, payload: body, contentType: contentTypeOf(request) });
    }
  }

  private async failed(id: string, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const call = this.taken(id, response);
    if (call === null) return;
    const outcome = await readError(request);
    answer(response, 202, { status: 'OK' });
    this.settle(call, outcome);
  }

  private async initFailed(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const outcome = await readError(request);
    answer(response, 202, { status: 'OK' });
    this.settleInit(outcome);
  }

  private taken(id: string, response: http.ServerResponse): Call | null {
    const { call } = this;
    if (call !== null && call.isTaken && call.invocation.requestId === id) return call;
    answer(response, 400, { errorType: 'InvalidRequestID', errorMessage: 'Invalid request ID' });
    return null;
  }

  private settle(call: Call, outcome: Outcome): void {
    if (this.call !== call) return;
    this.call = null;
    call.resolve(outcome);
  }
}

const isStream = (request: http.IncomingMessage): boolean =>
  request.headers['lambda-runtime-function-response-mode'] === 'streaming';

/** No faster than it is taken. */
async function passOn(request: http.IncomingMessage, sink: PayloadSink): Promise<Buffer> {
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if (!sink.write(chunk)) await new Promise<void>((resolve) => (sink.onRoom = resolve));
  }
  return Buffer.alloc(0);
}

function contentTypeOf(request: http.IncomingMessage): string {
  return isStream(request) ? (request.headers['content-type'] ?? 'application/octet-stream') : 'application/json';
}

async function readError(request: http.IncomingMessage): Promise<Outcome> {
  const body = await readBody(request, ERROR_BYTES_MAX);
  const type = request.headers['lambda-runtime-function-error-type'];
  if (body !== null && body.length > 0) return { isError: true, payload: body };
  return { isError: true, payload: Buffer.from(JSON.stringify({ errorType: type ?? 'UnknownError', errorMessage: '' })) };
}

/** `null` when there is more than `bytesMax`; the rest is read and thrown away. */
async function readBody(request: http.IncomingMessage, bytesMax: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= bytesMax) chunks.push(chunk);
    else chunks.length = 0;
  }
  return bytes > bytesMax ? null : Buffer.concat(chunks);
}

function answer(response: http.ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}
