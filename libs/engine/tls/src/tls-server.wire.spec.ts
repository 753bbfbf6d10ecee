// Fault 63 on real sockets, with certificates of a real folder.
import { ManualClock } from '@gatehouse/kernel';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, type ConnectionOptions, type Server, type TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import {
  CertificateStore,
  createTlsServer,
  FolderCertificates,
  type CertificateStoreOptions,
  type FolderSummary,
  type TlsServerOptions,
} from './index.js';
import { makeCertificate, type MadeCertificate } from './testing/make-certificate.js';

const closing: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const one = makeCertificate(['one.example', '*.wild.example']);
const renewed = makeCertificate(['one.example', '*.wild.example']);
const two = makeCertificate(['two.example']);
const fallback = makeCertificate([]);

class Folder {
  readonly path = mkdtempSync(path.join(tmpdir(), 'gatehouse-tls-'));
  readonly clock = new ManualClock(Date.now());
  last: FolderSummary | null = null;
  private readonly waiting: (() => void)[] = [];

  constructor() {
    closing.push(() => rmSync(this.path, { recursive: true, force: true }));
  }

  put(name: string, { certificatePem, keyPem }: MadeCertificate): void {
    this.write(`${name}.crt`, certificatePem);
    this.write(`${name}.key`, keyPem);
  }

  /** As careful writers do. */
  write(file: string, content: string): void {
    writeFileSync(path.join(this.path, `.${file}`), content);
    renameSync(path.join(this.path, `.${file}`), path.join(this.path, file));
  }

  remove(file: string): void {
    rmSync(path.join(this.path, file));
  }

  async open(settleMs = 20): Promise<FolderCertificates> {
    const certificates = await FolderCertificates.open(this.path, {
      clock: this.clock,
      settleMs,
      onRead: (summary) => {
        this.last = summary;
        for (const look of this.waiting.splice(0)) look();
      },
    });
    closing.push(() => certificates.close());
    return certificates;
  }

  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }
}

interface Running {
  readonly port: number;
  readonly server: Server;
  readonly sockets: Socket[];
  readonly failures: string[];
}

async function serve(
  source: FolderCertificates,
  store: Partial<CertificateStoreOptions> = {},
  over: Partial<TlsServerOptions> = {},
): Promise<Running> {
  const sockets: Socket[] = [];
  const failures: string[] = [];
  const greet =
    (protocol: string) =>
    (socket: TLSSocket): void => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.write(protocol);
      socket.on('data', (chunk) => socket.write(chunk));
    };
  const server = createTlsServer({
    store: new CertificateStore({ sources: [source], clock: new ManualClock(Date.now()), ...store }),
    onHttp1: greet('1'),
    onHttp2: greet('2'),
    onHandshakeFailure: (code) => void failures.push(code),
    ...over,
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, server, sockets, failures };
}

interface Met {
  readonly socket: TLSSocket;
  /** Which listener got the connection. */
  readonly listener: string;
  readonly pem: string;
}

/** Rejects when the handshake fails. */
function meet(port: number, servername?: string, over: ConnectionOptions = {}): Promise<Met> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername, ...over });
    closing.push(() => void socket.destroy());
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed')));
    socket.once('data', (chunk) =>
      resolve({ socket, listener: String(chunk), pem: socket.getPeerX509Certificate()!.toString() }),
    );
  });
}

test('each caller gets the certificate of the name it asks for; without a name, or with an unknown one, the default', async () => {
  const folder = new Folder();
  folder.put('first', one);
  folder.put('second', two);
  folder.put('default', fallback);
  const { port } = await serve(await folder.open());
  expect((await meet(port, 'one.example')).pem).toBe(one.certificatePem);
  expect((await meet(port, 'any.wild.example')).pem).toBe(one.certificatePem);
  expect((await meet(port, 'two.example')).pem).toBe(two.certificatePem);
  expect((await meet(port, 'nobody.example')).pem).toBe(fallback.certificatePem);
  expect((await meet(port)).pem).toBe(fallback.certificatePem);
});

test('without a default, or when unknown names are refused, the handshake fails and others go on', async () => {
  for (const [names, store] of [
    [['first'], {}],
    [['first', 'default'], { unknownNames: 'refuse' }],
  ] as const) {
    const folder = new Folder();
    for (const name of names) folder.put(name, name === 'default' ? fallback : one);
    const { port, failures } = await serve(await folder.open(), store);
    await expect(meet(port, 'nobody.example')).rejects.toThrow();
    await expect(meet(port)).rejects.toThrow();
    expect((await meet(port, 'one.example')).pem).toBe(one.certificatePem);
    expect(failures.length).toBe(2);
  }
});

test('ALPN decides the listener; what offers neither protocol is refused, what offers nothing gets HTTP/1.1', async () => {
  const folder = new Folder();
  folder.put('first', one);
  const { port } = await serve(await folder.open());
  expect((await meet(port, 'one.example', { ALPNProtocols: ['http/1.1', 'h2'] })).listener, 'ours is the preference').toBe('2');
  expect((await meet(port, 'one.example', { ALPNProtocols: ['http/1.1'] })).listener).toBe('1');
  expect((await meet(port, 'one.example')).listener).toBe('1');
  await expect(meet(port, 'one.example', { ALPNProtocols: ['spdy/3'] })).rejects.toThrow();
});

test('TLS 1.1 is refused', async () => {
  const folder = new Folder();
  folder.put('first', one);
  const { port } = await serve(await folder.open());
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  await expect(meet(port, 'one.example', old)).rejects.toThrow();
  expect((await meet(port, 'one.example', { maxVersion: 'TLSv1.2' })).socket.getProtocol()).toBe('TLSv1.2');
});

test('a caller that does not finish its handshake is cut when its time is up', async () => {
  const folder = new Folder();
  folder.put('first', one);
  const { port, failures } = await serve(await folder.open(), {}, { handshakeTimeoutMs: 50 });
  const silent = connectPlain(port, '127.0.0.1');
  silent.on('error', () => undefined);
  await new Promise((resolve) => silent.on('close', resolve));
  expect(failures).toEqual(['ERR_TLS_HANDSHAKE_TIMEOUT']);
});

test('connections beyond the limit are closed unheard', async () => {
  const folder = new Folder();
  folder.put('first', one);
  const { port } = await serve(await folder.open(), {}, { connectionsMax: 1 });
  await meet(port, 'one.example');
  await expect(meet(port, 'one.example')).rejects.toThrow();
});

test('renewed under load: no handshake fails, new connections get the new certificate, running ones go on', async () => {
  const folder = new Folder();
  folder.put('first', one);
  const { port } = await serve(await folder.open());
  const early = await meet(port, 'one.example');
  let isOver = false;
  const seen: string[] = [];
  const load = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const met = await meet(port, 'one.example');
      seen.push(met.pem);
      met.socket.destroy();
    }
  });
  while (seen.length < 10) await new Promise((resolve) => setTimeout(resolve, 5));
  folder.put('first', renewed);
  while (seen.at(-1) !== renewed.certificatePem) await new Promise((resolve) => setTimeout(resolve, 5));
  isOver = true;
  await Promise.all(load);
  expect(new Set(seen)).toEqual(new Set([one.certificatePem, renewed.certificatePem]));
  const echo = new Promise((resolve) => early.socket.once('data', (chunk) => resolve(String(chunk))));
  early.socket.write('still here');
  expect(await echo).toBe('still here');
});

test('the default is renewed as well', async () => {
  const folder = new Folder();
  folder.put('default', fallback);
  const { port } = await serve(await folder.open());
  expect((await meet(port)).pem).toBe(fallback.certificatePem);
  const before = folder.last;
  folder.put('default', two);
  await folder.until(() => folder.last !== before && folder.last!.problems.length === 0);
  expect((await meet(port)).pem).toBe(two.certificatePem);
});

for (const [what, spoil, fault] of [
  ['the key of another', (folder: Folder) => folder.write('first.key', two.keyPem), 'KEY_MISMATCH'],
  ['an unreadable certificate', (folder: Folder) => folder.write('first.crt', 'nonsense'), 'UNREADABLE'],
  ['no key', (folder: Folder) => folder.remove('first.key'), 'UNREADABLE'],
  [
    'an expired certificate',
    (folder: Folder) => {
      folder.clock.advance(40 * 86_400_000);
      folder.put('first', renewed);
    },
    'EXPIRED',
  ],
] as const) {
  test(`a pair that changes to ${what} is told by its name and does not replace the good one`, async () => {
    const folder = new Folder();
    folder.put('first', one);
    const { port } = await serve(await folder.open());
    spoil(folder);
    await folder.until(() => folder.last!.problems.length > 0);
    expect(folder.last!.problems).toMatchObject([{ label: 'first', fault }]);
    expect((await meet(port, 'one.example')).pem).toBe(one.certificatePem);
  });
}

test('a pair comes and goes without a restart', async () => {
  const folder = new Folder();
  const { port } = await serve(await folder.open());
  await expect(meet(port, 'one.example')).rejects.toThrow();
  folder.put('first', one);
  await folder.until(() => folder.last?.certificateCount === 1);
  expect((await meet(port, 'one.example')).pem).toBe(one.certificatePem);
  folder.remove('first.crt');
  folder.remove('first.key');
  await folder.until(() => folder.last?.certificateCount === 0);
  await expect(meet(port, 'one.example')).rejects.toThrow();
});

test('a folder that is not there is told, and what was read stays in use when it goes', async () => {
  const folder = new Folder();
  folder.put('first', one);
  const source = await folder.open();
  rmSync(folder.path, { recursive: true });
  await source.read();
  expect(source.problems).toMatchObject([{ label: folder.path, fault: 'UNREADABLE' }]);
  expect(source.find('one.example')?.label).toBe('first');
});

test('files that did not change are not read again', async () => {
  const folder = new Folder();
  folder.put('first', one);
  folder.put('second', two);
  const source = await folder.open();
  const [first, second] = [source.find('one.example'), source.find('two.example')];
  folder.put('first', renewed);
  await source.read();
  expect(source.find('two.example')).toBe(second);
  expect(source.find('one.example')).not.toBe(first);
});
