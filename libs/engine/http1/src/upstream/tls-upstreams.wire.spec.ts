// Calls to upstreams on TLS, on real sockets: HTTP/2 and HTTP/1.1 by ALPN, client certificates, and what a failure is called.
import {
  readAll,
  type CallerPresence,
  type UpstreamAnswer,
  type UpstreamFailure,
  type UpstreamRequest,
} from '@gatehouse/engine-exchange';
import { AddressRules, openDestinations, type Destination } from '@gatehouse/engine-upstream';
import { Secret } from '@gatehouse/kernel';
import {
  constants,
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { createServer as createTlsServer, type TlsOptions, type TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { Http1Connector, type Http1ConnectorOptions } from '../index.js';
import { makeCertificates, type Certificate } from '@gatehouse/testkit';

const TENANT = '123456789012';
const made = makeCertificates();
const closing: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

class Caller implements CallerPresence {
  isCallerGone = false;
  onCallerLeft: (() => void) | null = null;
  readonly signal = new AbortController().signal;
  leave(): void {
    this.isCallerGone = true;
    this.onCallerLeft?.();
  }
}

type Outcome = UpstreamAnswer | UpstreamFailure;
const settled = async (isTrue: () => boolean): Promise<void> => {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
};

async function textOf(outcome: Outcome): Promise<string> {
  if ('failure' in outcome) throw new Error(`failed: ${outcome.failure} ${String(outcome.cause)}`);
  const { body } = outcome;
  return body === null ? '' : (Buffer.isBuffer(body) ? body : await readAll(body, 1e9)).toString();
}

const causeOf = (outcome: Outcome): string =>
  'failure' in outcome ? `${outcome.failure} ${(outcome.cause as Error).message}` : 'answered';

/** A connector, and what it told its destination. */
class Calls {
  readonly connector: Http1Connector;
  readonly reports: string[] = [];
  private picks = 0;

  constructor(
    readonly port: number,
    options: Partial<Http1ConnectorOptions> = {},
  ) {
    const rules = new AddressRules({ allow: ['loopback'] });
    const destinations = openDestinations({ rules: { rulesFor: () => rules }, settings: { breaker: null } });
    this.watch(destinations.of(TENANT, '127.0.0.1', port));
    this.connector = new Http1Connector({ destinations, trustedCaPem: [made.authority], ...options });
    closing.push(() => this.connector.close());
  }

  private watch(destination: Destination): void {
    const { pick, succeeded, failed, abandoned } = destination;
    destination.pick = (nowMs) => {
      const picked = pick.call(destination, nowMs);
      if (typeof picked !== 'number') this.picks++;
      return picked;
    };
    destination.succeeded = (...args) => (this.reports.push('succeeded'), succeeded.apply(destination, args));
    destination.failed = (...args) => (this.reports.push('failed'), failed.apply(destination, args));
    destination.abandoned = (...args) => (this.reports.push('abandoned'), abandoned.apply(destination, args));
  }

  call(over: Partial<UpstreamRequest> & { path?: string } = {}, caller = new Caller()): Promise<Outcome> {
    const { path = '/', ...rest } = over;
    const request: UpstreamRequest = {
      httpMethod: 'GET',
      url: `https://127.0.0.1:${this.port}${path}`,
      tenant: TENANT,
      traceId: 'Root=1-67891233-abcdef012345678912345678',
      block: null,
      headers: [],
      body: null,
      timeoutMs: 5_000,
      ...rest,
    };
    return this.connector.call(request, caller);
  }

  get openReports(): number {
    return this.picks - this.reports.length;
  }

  private get origins(): Set<{ connectionCount: number }> {
    return (this.connector as unknown as { origins: Set<{ connectionCount: number }> }).origins;
  }

  get connectionCount(): number {
    return [...this.origins].reduce((sum, { connectionCount }) => sum + connectionCount, 0);
  }
}

async function listen(server: Server): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

type Script = (stream: ServerHttp2Stream, path: string) => void;

async function http2Server(script: Script, settings: object = {}) {
  const sessions: ServerHttp2Session[] = [];
  const streams: ServerHttp2Stream[] = [];
  const server = createSecureServer({ ...made.good, settings, allowHTTP1: true });
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => undefined);
  });
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    streams.push(stream);
    stream.on('error', () => undefined);
    script(stream, headers[':path']!);
  });
  return { ...(await listen(server)), sessions, streams, server };
}

type Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** Speaks the one protocol. */
const serverOf = (protocol: string, options: TlsOptions, handler: Handler): Server =>
  protocol === 'h2'
    ? createSecureServer(options, handler)
    : createHttpsServer({ ...options, ALPNProtocols: [protocol] }, handler as never);

const answer =
  (text: string): Script =>
  (stream) => {
    stream.respond({ ':status': 200, 'content-length': Buffer.byteLength(text) });
    stream.end(text);
  };
const never: Script = () => undefined;

test('calls that come at once share one connection, and each is reported once', async () => {
  const { port, sessions } = await http2Server((stream, path) => answer(path)(stream, path));
  const calls = new Calls(port);
  const outcomes = await Promise.all(Array.from({ length: 50 }, (_, i) => calls.call({ path: `/${i}` })));
  expect(await Promise.all(outcomes.map(textOf))).toEqual(outcomes.map((_, i) => `/${i}`));
  expect([sessions.length, calls.reports.length, new Set(calls.reports)]).toEqual([1, 50, new Set(['succeeded'])]);
});

test('beyond the streams an upstream allows, calls get another connection, up to the bound; then they wait', async () => {
  const running: ServerHttp2Stream[] = [];
  const { port, sessions } = await http2Server((stream) => void running.push(stream), { maxConcurrentStreams: 2 });
  const calls = new Calls(port, { connectionsPerOriginMax: 3 });
  const outcomes = Array.from({ length: 10 }, () => calls.call());
  await settled(() => running.filter((stream) => !stream.destroyed).length === 6);
  expect([sessions.length, calls.connectionCount]).toEqual([3, 3]);
  const answering = setInterval(() => {
    for (const stream of running.splice(0)) if (!stream.destroyed) answer('ok')(stream, '');
  }, 5);
  closing.push(() => clearInterval(answering));
  expect(await Promise.all((await Promise.all(outcomes)).map(textOf))).toEqual(outcomes.map(() => 'ok'));
  expect([sessions.length, calls.openReports]).toEqual([3, 0]);
});

test('a call that a closing connection did not look at goes out again; one it worked on ends there', async () => {
  const { port, sessions, streams } = await http2Server(never);
  const calls = new Calls(port);
  const first = calls.call();
  await settled(() => streams.length === 1);
  // The session names the first stream as its last, with the second on its way.
  sessions[0]!.goaway(constants.NGHTTP2_NO_ERROR, streams[0]!.id!);
  const second = calls.call({ httpMethod: 'POST', body: Buffer.from('x') });
  await settled(() => streams.length >= 2 && sessions.length === 2);
  for (const stream of streams) if (!stream.destroyed) answer('ok')(stream, '');
  expect([await textOf(await first), await textOf(await second)]).toEqual(['ok', 'ok']);
  expect(calls.reports).toEqual(['succeeded', 'succeeded']);
});

for (const [what, request, seen, end] of [
  ['bytes as body', { httpMethod: 'POST', body: Buffer.from('x') }, 2, 'ok'],
  ['no body', {}, 2, 'ok'],
  ['a stream as body', { httpMethod: 'PUT', body: Readable.from(['x']) }, 1, 'NETWORK'],
] as const) {
  test(`a refused stream with ${what} ${seen === 2 ? 'is sent once more' : 'fails'}`, async () => {
    const { port, streams } = await http2Server((stream) => {
      if (streams.length === 1) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else answer('ok')(stream, '');
    });
    const calls = new Calls(port);
    const outcome = await calls.call(request);
    expect('failure' in outcome ? outcome.failure : await textOf(outcome)).toBe(end);
    expect([streams.length, calls.openReports]).toEqual([seen, 0]);
  });
}

test('an upstream that refuses every stream is asked four times', async () => {
  const { port, streams } = await http2Server((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM));
  const calls = new Calls(port);
  expect(await calls.call()).toMatchObject({ failure: 'NETWORK' });
  expect([streams.length, calls.reports]).toEqual([4, ['failed']]);
});

test('a broken connection: a POST is not sent again, a GET on one that had carried answers is', async () => {
  const { port, streams } = await http2Server((stream, path) => {
    if (path === '/break' && streams.length < 4) stream.session!.destroy();
    else answer('ok')(stream, path);
  });
  const calls = new Calls(port);
  await textOf(await calls.call());
  expect(await calls.call({ path: '/break', httpMethod: 'POST', body: Buffer.from('x') })).toMatchObject({ failure: 'NETWORK' });
  expect(streams.length).toBe(2);
  await textOf(await calls.call());
  expect(await textOf(await calls.call({ path: '/break' }))).toBe('ok');
  expect(calls.openReports).toBe(0);
});

test('an origin that speaks HTTP/2, then HTTP/1.1, then HTTP/2 again is called as it speaks', async () => {
  const spoken: string[] = [];
  let port = 0;
  let calls: Calls | null = null;
  for (const protocol of ['h2', 'http/1.1', 'h2']) {
    const server = serverOf(protocol, made.good, (request, response) => {
      spoken.push(request.httpVersion);
      response.end('ok');
    });
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => void sockets.add(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
    calls ??= new Calls(port);
    for (let i = 0; i < 3; i++) expect(await textOf(await calls.call())).toBe('ok');
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await settled(() => calls!.connectionCount === 0);
  }
  expect(spoken).toEqual(['2.0', '2.0', '2.0', '1.1', '1.1', '1.1', '2.0', '2.0', '2.0']);
  expect(calls!.openReports).toBe(0);
});

test('calls that come at once to an origin on HTTP/1.1 run beside each other once that is known', async () => {
  const held: (() => void)[] = [];
  const server = serverOf('http/1.1', made.good, (_request, response) => {
    held.push(() => response.end('ok'));
  });
  const { port } = await listen(server);
  const calls = new Calls(port);
  const outcomes = Array.from({ length: 5 }, () => calls.call());
  await settled(() => held.length === 5);
  for (const release of held) release();
  expect(await Promise.all((await Promise.all(outcomes)).map(textOf))).toEqual(outcomes.map(() => 'ok'));
});

for (const protocol of ['h2', 'http/1.1']) {
  test(`bodies go both ways whole, no faster than they are read (${protocol})`, async () => {
    const server = serverOf(protocol, made.good, (request, response) => {
      request.pipe(response);
    });
    const { port } = await listen(server);
    const calls = new Calls(port);
    const bytes = Buffer.alloc(40_000_000, 'abcdefghijk');
    let pulled = 0;
    const body = new Readable({
      read(size) {
        const piece = bytes.subarray(pulled, pulled + size);
        pulled += piece.length;
        this.push(piece.length === 0 ? null : piece);
      },
    });
    const outcome = (await calls.call({ httpMethod: 'PUT', body })) as UpstreamAnswer;
    let last = -1;
    while (last !== pulled) {
      last = pulled;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(pulled).toBeLessThan(bytes.length); // nobody reads: it stands still
    expect((await readAll(outcome.body as Readable, 1e9)).equals(bytes)).toBe(true);
    await settled(() => calls.reports.length === 1);
    expect(calls.reports).toEqual(['succeeded']);
  });

  test(`a caller that leaves, a reader that leaves and a call out of time end their calls (${protocol})`, async () => {
    let asked = 0;
    const server = serverOf(protocol, made.good, (request, response) => {
      asked++;
      if (request.url === '/half') response.write('half');
    });
    server.on('session', (session: ServerHttp2Session) => {
      session.on('stream', (stream) => stream.on('error', () => undefined));
    });
    const { port, sockets } = await listen(server);
    const calls = new Calls(port, { idleConnectionMs: 50 });
    const caller = new Caller();
    const left = calls.call({}, caller);
    await settled(() => asked === 1);
    caller.leave();
    expect(await left).toMatchObject({ failure: 'ABORTED' });
    const half = (await calls.call({ path: '/half' })) as UpstreamAnswer;
    (half.body as Readable).destroy();
    await settled(() => calls.reports.length === 2);
    expect(await calls.call({ timeoutMs: 60 })).toMatchObject({ failure: 'TIMEOUT' });
    const slow = (await calls.call({ path: '/half', timeoutMs: 1_500 })) as UpstreamAnswer;
    await expect(readAll(slow.body as Readable, 1_000)).rejects.toThrow('no complete answer within 1500 ms');
    expect(calls.reports).toEqual(['abandoned', 'abandoned', 'failed', 'failed']);
    await settled(() => calls.connectionCount === 0 && sockets.size === 0);
  });
}

test('a connection that idles is closed', async () => {
  const { port, sockets } = await http2Server(answer('ok'));
  const calls = new Calls(port, { idleConnectionMs: 30 });
  await textOf(await calls.call());
  expect(calls.connectionCount).toBe(1);
  await settled(() => calls.connectionCount === 0 && sockets.size === 0);
});

test('close lets running calls and those that wait end, and leaves no connection', async () => {
  const running: ServerHttp2Stream[] = [];
  const { port, sockets } = await http2Server((stream) => void running.push(stream), { maxConcurrentStreams: 1 });
  const calls = new Calls(port, { connectionsPerOriginMax: 1 });
  const outcomes = [calls.call(), calls.call(), calls.call()];
  await settled(() => running.length > 0);
  const closed = calls.connector.close();
  const answering = setInterval(() => {
    for (const stream of running.splice(0)) if (!stream.destroyed) answer('ok')(stream, '');
  }, 5);
  closing.push(() => clearInterval(answering));
  expect(await Promise.all((await Promise.all(outcomes)).map(textOf))).toEqual(['ok', 'ok', 'ok']);
  await closed;
  await settled(() => sockets.size === 0);
  expect([calls.connectionCount, calls.openReports]).toEqual([0, 0]);
});

// What a failure is called

for (const [what, certificate, cause] of [
  ['an expired certificate', made.expired, "NETWORK the upstream's certificate has expired (CERT_HAS_EXPIRED)"],
  ['one that is not valid yet', made.notYetValid, "NETWORK the upstream's certificate is not valid yet (CERT_NOT_YET_VALID)"],
  [
    'one for another name',
    made.wrongName,
    "NETWORK the upstream's certificate is for another name (ERR_TLS_CERT_ALTNAME_INVALID)",
  ],
  [
    'one of an unknown authority',
    made.unknownAuthority,
    "NETWORK the upstream's certificate is of an unknown authority (UNABLE_TO_VERIFY_LEAF_SIGNATURE)",
  ],
  [
    'one signed by itself',
    made.selfSigned,
    "NETWORK the upstream's certificate is signed by itself (DEPTH_ZERO_SELF_SIGNED_CERT)",
  ],
] as const) {
  test(`an upstream with ${what} is not called, and the cause says so; only who skips verification calls it`, async () => {
    const server = serverOf('h2', certificate, (_request, response) => void response.end('ok'));
    const { port, sockets } = await listen(server);
    const calls = new Calls(port);
    const outcomes = await Promise.all([calls.call(), calls.call(), calls.call()]);
    expect(outcomes.map(causeOf)).toEqual([cause, cause, cause]);
    await settled(() => calls.connectionCount === 0 && sockets.size === 0);
    expect(calls.reports).toEqual(['failed', 'failed', 'failed']);
    expect(await textOf(await new Calls(port, { skipsVerification: true }).call())).toBe('ok');
  });
}

const withCertificate = ({ cert, key }: Certificate) => {
  const certificate = { certPem: cert, keyPem: new Secret(key) };
  return { clientCertificate: () => certificate };
};

for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
  for (const protocol of ['h2', 'http/1.1']) {
    test(`an upstream that asks for a client certificate: shown it answers, without it the cause says so (${maxVersion}, ${protocol})`, async () => {
      const options = { ...made.good, ca: made.authority, requestCert: true, rejectUnauthorized: true, maxVersion };
      const server = serverOf(protocol, options, (request, response) => {
        response.end(String((request.socket as TLSSocket).getPeerCertificate().subject.CN));
      });
      const { port, sockets } = await listen(server);
      expect(await textOf(await new Calls(port, withCertificate(made.client)).call())).toBe('client');
      const calls = new Calls(port);
      expect(causeOf(await calls.call())).toBe(
        maxVersion === 'TLSv1.3'
          ? 'NETWORK the upstream asks for a client certificate (TLS alert 116)'
          : 'NETWORK the upstream refused the TLS handshake: no common ciphers, or it asks for a client certificate (TLS alert 40)',
      );
      await settled(() => calls.connectionCount === 0 && sockets.size <= 1);
    });
  }
}

test('a client certificate is of the tenant and host it was asked for', async () => {
  const asked: string[] = [];
  const { port } = await http2Server(answer('ok'));
  const clientCertificate = (tenant: string, host: string): null => (asked.push(`${tenant} ${host}`), null);
  await textOf(await new Calls(port, { clientCertificate }).call());
  expect(asked).toEqual([`${TENANT} 127.0.0.1`]);
});

test('a client certificate that cannot be used fails its calls with a cause, and is no failure of the upstream', async () => {
  const { port } = await http2Server(answer('ok'));
  const calls = new Calls(port, withCertificate({ cert: 'no certificate', key: made.client.key }));
  const outcomes = await Promise.all([calls.call(), calls.call()]);
  expect(outcomes.map(causeOf)).toEqual(Array(2).fill('NETWORK our client certificate cannot be used'));
  expect([calls.connectionCount, calls.reports]).toEqual([0, ['abandoned', 'abandoned']]);
});

test('an upstream that speaks neither protocol is named', async () => {
  const { port } = await listen(createTlsServer({ ...made.good, ALPNProtocols: ['ftp'] }));
  expect(causeOf(await new Calls(port).call())).toBe('NETWORK the upstream speaks neither HTTP/2 nor HTTP/1.1 (TLS alert 120)');
});

for (const [what, certificate, cause] of [
  [
    'of an authority it does not know',
    made.unknownAuthority,
    'the upstream refused our client certificate: of an authority it does not know (TLS alert 48)',
  ],
  ['that has expired', made.expired, 'the upstream refused our client certificate: expired (TLS alert 45)'],
] as const) {
  // node:tls refuses without an alert, so openssl is the server here.
  test(`an upstream that refuses a client certificate ${what}: the cause says so`, async () => {
    const { port } = await opensslServer();
    const calls = new Calls(port, withCertificate(certificate));
    expect(causeOf(await calls.call())).toBe(`NETWORK ${cause}`);
    await settled(() => calls.connectionCount === 0);
  });
}

async function opensslServer(): Promise<{ port: number }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-openssl-'));
  for (const [name, text] of Object.entries({ ca: made.authority, crt: made.good.cert, key: made.good.key }))
    writeFileSync(path.join(folder, name), text);
  const args = ['s_server', '-accept', '127.0.0.1:0', '-cert', 'crt', '-key', 'key', '-CAfile', 'ca', '-Verify', '1'];
  const server = spawn('openssl', [...args, '-verify_return_error'], { cwd: folder, stdio: ['pipe', 'pipe', 'ignore'] });
  closing.push(() => {
    server.kill();
    rmSync(folder, { recursive: true });
  });
  let printed = '';
  for await (const chunk of server.stdout) {
    printed += String(chunk);
    const port = /ACCEPT \S+:(\d+)/.exec(printed)?.[1];
    if (port !== undefined) return { port: Number(port) };
  }
  throw new Error(`openssl s_server did not start: ${printed}`);
}
