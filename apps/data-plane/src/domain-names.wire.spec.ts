/** Custom domain names through a node's own ports: certificate by SNI, swapped under callers, and paths behind base paths. */
import { BucketRegistry, QuotaLedger } from '@gatehouse/engine-limits';
import { WorldKeeper, type WorldEntry } from '@gatehouse/engine-link';
import type { BasePathMappingEntry, CertificateEntry, DomainNameEntry } from '@gatehouse/contracts';
import { canonicalJson, sha256Hex, systemClock } from '@gatehouse/kernel';
import { MetricsRegistry, prometheusSlices } from '@gatehouse/telemetry';
import { makeCertificates, makeServerCertificate, routeSnapshot, stageSnapshot, type Certificate } from '@gatehouse/testkit';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { get as getPlain } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, type SecureVersion, type TLSSocket } from 'node:tls';
import { pino } from 'pino';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { readDataPlaneConfig } from './config.js';
import { openListeners, type Listeners } from './listeners.js';
import { WorldCertificates } from './world-certificates.js';

const TENANT = '123456789012';
const [first, second, third] = [1, 2, 3].map(() => makeServerCertificate(['*.example.com'])) as [
  Certificate,
  Certificate,
  Certificate,
];
const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-domains-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface House {
  readonly worlds: WorldKeeper;
  readonly listeners: Listeners;
  readonly metrics: MetricsRegistry;
  publish(...entries: readonly WorldEntry[]): Promise<void>;
  remove(kind: WorldEntry['kind'], id: string): Promise<void>;
}
const open: House[] = [];
afterEach(async () => {
  for (const { listeners } of open.splice(0)) await listeners.close({ deadlineMs: 0 });
});

/** A node with one stage, `abc123defg/dev`, whose route `/pets` answers with the path it saw. */
async function house({ tlsDir = '' } = {}): Promise<House> {
  const config = readDataPlaneConfig({
    GATEHOUSE_NODE_TOKEN: 't',
    GATEHOUSE_PORT: '0',
    GATEHOUSE_TLS_PORT: '0',
    ...(tlsDir === '' ? {} : { GATEHOUSE_TLS_DIR: tlsDir }),
  });
  const noBackend = { call: () => Promise.resolve({ failure: 'NETWORK' as const, cause: null }) };
  const worlds: WorldKeeper = new WorldKeeper({
    bindings: {
      limits: {
        buckets: new BucketRegistry(10),
        quotas: new QuotaLedger({ requestMore: () => undefined }),
        usage: { count: () => undefined },
        clock: systemClock,
      },
      http: noBackend,
      insecureHttp: noBackend,
      functions: noBackend,
      metrics: { series: () => ({ record: () => undefined }) },
    },
    onDomainNames: () => worldCertificates.onChange?.(),
  });
  const worldCertificates = new WorldCertificates(worlds, '.localhost');
  const metrics = new MetricsRegistry();
  const listeners = await openListeners(config, {
    worlds,
    worldCertificates,
    recorder: { record: () => undefined },
    clock: systemClock,
    metrics,
    log: pino({ level: 'silent' }),
    onBug: (bug) => expect.unreachable(String(bug)),
    sharesPort: false,
  });
  let revision = 0;
  const snapshot = stageSnapshot({ routes: [routeSnapshot({ path: '/pets' })] });
  const bytes = Buffer.from(canonicalJson(snapshot));
  const publish = async (...entries: readonly WorldEntry[]): Promise<void> => {
    expect(await worlds.adopt({ revision: ++revision, entries, removed: [] }, () => bytes)).toEqual([]);
  };
  const opened: House = {
    worlds,
    listeners,
    metrics,
    publish,
    remove: async (kind, id) =>
      void (await worlds.adopt({ revision: ++revision, entries: [], removed: [{ kind, id }] }, () => bytes)),
  };
  open.push(opened);
  const id = `${snapshot.apiId}/${snapshot.stage}`;
  await publish({ kind: 'STAGE', id, tenant: snapshot.tenant, digest: sha256Hex(bytes), inline: '' });
  return opened;
}

const mapping = (basePath = '', stage: string | null = 'dev'): BasePathMappingEntry => ({ basePath, apiId: 'abc123defg', stage });
function domainEntry(domainName: string, over: Partial<DomainNameEntry> = {}): WorldEntry {
  const content = { domainName, tenant: TENANT, certificateId: 'one', securityPolicy: 'TLS_1_2', mappings: [mapping()], ...over };
  return { kind: 'DOMAIN_NAME', id: domainName, tenant: TENANT, digest: null, inline: canonicalJson(content) };
}
function certificateEntry({ cert, key }: Certificate, certificateId = 'one'): WorldEntry {
  const expiresAtMs = new X509Certificate(cert).validToDate.getTime();
  const hostNames = ['*.example.com'];
  const content: CertificateEntry = { certificateId, tenant: TENANT, chainPem: cert, privateKeyPem: key, hostNames, expiresAtMs };
  return { kind: 'CERTIFICATE', id: `${TENANT}:${certificateId}`, tenant: TENANT, digest: null, inline: canonicalJson(content) };
}

const fingerprint = ({ cert }: Certificate): string => new X509Certificate(cert).fingerprint256;
const tlsPortOf = ({ listeners }: House): Promise<number> =>
  vi.waitFor(() => {
    if (listeners.tlsPort === null) throw new Error('HTTPS is not open');
    return listeners.tlsPort;
  });

/** Resolves after the handshake, and a moment in which the node may hang up. */
async function shake(
  node: House,
  servername: string,
  options: { maxVersion?: SecureVersion; minVersion?: SecureVersion } = {},
): Promise<TLSSocket> {
  const port = await tlsPortOf(node);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false, ...options }, () => resolve(socket));
    socket.on('error', reject);
  });
}

/** Which certificate a caller with this SNI is shown; `null` when the handshake fails. */
async function shown(node: House, servername: string): Promise<string | null> {
  try {
    const socket = await shake(node, servername);
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  } catch {
    return null;
  }
}

/** On a connection that stays open. */
function askOn(socket: TLSSocket, host: string, target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const bodyBytes = /content-length: (\d+)/i.exec(text)?.[1];
      const head = text.indexOf('\r\n\r\n');
      if (head === -1 || bodyBytes === undefined || text.length < head + 4 + Number(bodyBytes)) return;
      socket.off('data', onData);
      resolve(`${text.slice(9, 12)} ${text.slice(head + 4)}`);
    };
    socket.on('data', onData);
    socket.once('close', () => reject(new Error('connection closed')));
    socket.write(`GET ${target} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
  });
}

async function ask(node: House, host: string, target: string): Promise<string> {
  const socket = await shake(node, host);
  try {
    return await askOn(socket, host, target);
  } finally {
    socket.destroy();
  }
}
const askStatus = async (node: House, host: string, target: string): Promise<string> =>
  (await ask(node, host, target)).slice(0, 3);

describe('a caller of a custom domain name', () => {
  test('meets HTTPS as soon as its certificate is there, without a folder of certificates and without a restart', async () => {
    const node = await house();
    expect(node.listeners.tlsPort).toBeNull();
    await node.publish(domainEntry('api.example.com'), certificateEntry(first));
    expect(await shown(node, 'api.example.com')).toBe(fingerprint(first));
    expect(await askStatus(node, 'api.example.com', '/pets')).toBe('200');
  });

  test('is led by the longest base path; other hosts and paths are 403 Forbidden', async () => {
    const node = await house();
    const mappings = [mapping('v1'), mapping('deep/er'), mapping('staged', null)];
    await node.publish(domainEntry('api.example.com', { mappings }), domainEntry('*.example.com'), certificateEntry(first));
    const answers: [string, string, string][] = [
      ['api.example.com', '/v1/pets', '200'],
      ['api.example.com', '/v1/pets?q=1', '200'],
      ['API.example.com', '/deep/er/pets', '200'],
      ['api.example.com', '/staged/dev/pets', '200'],
      ['other.example.com', '/pets', '200'],
      ['api.example.com', '/pets', '403 {"message":"Forbidden"}'],
      ['api.example.com', '/deep/pets', '403 {"message":"Forbidden"}'],
      ['api.example.com', '/staged/none/pets', '403 {"message":"Forbidden"}'],
      ['api.example.com', '/v1/cats', '403 {"message":"Missing Authentication Token"}'],
      ['api.example.com', '/v1/%2e%2e/pets', '400'],
    ];
    for (const [host, target, expected] of answers) {
      const answer = await ask(node, host.toLowerCase(), target);
      expect([host, target, answer.slice(0, expected.length)]).toEqual([host, target, expected]);
    }
  });

  test('is led by :authority over HTTP/2, and by Host over plain HTTP', async () => {
    const node = await house();
    await node.publish(domainEntry('api.example.com', { mappings: [mapping('v1')] }), certificateEntry(first));
    const session = connectHttp2(`https://127.0.0.1:${await tlsPortOf(node)}`, {
      rejectUnauthorized: false,
      servername: 'api.example.com',
    });
    const stream = session.request({ ':path': '/v1/pets', ':authority': 'api.example.com' });
    const status = await new Promise((resolve, reject) => {
      stream.on('response', (headers) => resolve(headers[':status']));
      stream.on('error', reject);
    });
    stream.resume();
    await new Promise<void>((resolve) => session.close(() => resolve()));
    expect(status).toBe(200);
    const plain = await new Promise<number>((resolve, reject) => {
      const options = { port: node.listeners.port, host: '127.0.0.1', path: '/v1/pets', headers: { host: 'api.example.com' } };
      getPlain(options, (response) => resolve(response.resume().statusCode!)).on('error', reject);
    });
    expect(plain).toBe(200);
  });

  test('reaches an API whose own host is switched off, and APIs go on answering on their own hosts', async () => {
    const node = await house();
    const snapshot = stageSnapshot({
      apiId: 'hidden',
      disableExecuteApiEndpoint: true,
      routes: [routeSnapshot({ path: '/pets' })],
    });
    const bytes = Buffer.from(canonicalJson(snapshot));
    const entry = { kind: 'STAGE', id: 'hidden/dev', tenant: TENANT, digest: sha256Hex(bytes), inline: '' } as const;
    await node.worlds.adopt({ revision: 9, entries: [entry], removed: [] }, () => bytes);
    const mappings = [{ basePath: 'hidden', apiId: 'hidden', stage: 'dev' }];
    await node.publish(domainEntry('api.example.com', { mappings }), certificateEntry(first));
    const socket = await shake(node, 'api.example.com');
    const own = (apiId: string) => askOn(socket, `${apiId}.execute-api.localhost`, '/dev/pets');
    expect((await askOn(socket, 'api.example.com', '/hidden/pets')).slice(0, 3)).toBe('200');
    expect((await own('hidden')).slice(0, 3)).toBe('403');
    expect((await own('abc123defg')).slice(0, 3)).toBe('200');
    socket.destroy();
  });
});

describe('certificates of domain names (fault 63)', () => {
  test('renewed under load: running connections stay, new handshakes get the new one, none fails', async () => {
    const node = await house();
    await node.publish(domainEntry('api.example.com'), certificateEntry(first));
    const running = await shake(node, 'api.example.com');
    let isOver = false;
    const seen = new Set<string | null>();
    const callers = Array.from({ length: 4 }, async () => {
      while (!isOver) seen.add(await shown(node, 'api.example.com'));
    });
    for (const renewed of [second, third, first, second]) {
      await node.publish(certificateEntry(renewed));
      expect(await shown(node, 'api.example.com')).toBe(fingerprint(renewed));
      expect((await askOn(running, 'api.example.com', '/pets')).slice(0, 3)).toBe('200');
    }
    isOver = true;
    await Promise.all(callers);
    expect(seen).not.toContain(null);
    expect(running.getPeerCertificate().fingerprint256).toBe(fingerprint(first));
    running.destroy();
  });

  test('by SNI: the name itself, then its wildcard; an unknown name and none at all are refused', async () => {
    const node = await house();
    await node.publish(
      domainEntry('*.example.com'),
      domainEntry('api.example.com', { certificateId: 'two' }),
      certificateEntry(first),
      certificateEntry(second, 'two'),
    );
    expect(await shown(node, 'api.example.com')).toBe(fingerprint(second));
    expect(await shown(node, 'API.EXAMPLE.com')).toBe(fingerprint(second));
    expect(await shown(node, 'x.example.com')).toBe(fingerprint(first));
    expect(await shown(node, 'a.x.example.com')).toBeNull();
    expect(await shown(node, 'example.org')).toBeNull();
    expect(await shown(node, '')).toBeNull();
  });

  test('beside a folder: its default answers whoever is unknown, and its names come first', async () => {
    writeFileSync(path.join(folder, 'default.crt'), third.cert);
    writeFileSync(path.join(folder, 'default.key'), third.key);
    const own = makeServerCertificate(['own.example.com']);
    writeFileSync(path.join(folder, 'own.crt'), own.cert);
    writeFileSync(path.join(folder, 'own.key'), own.key);
    const node = await house({ tlsDir: folder });
    await node.publish(domainEntry('own.example.com'), domainEntry('api.example.com'), certificateEntry(first));
    expect(await shown(node, 'own.example.com')).toBe(fingerprint(own));
    expect(await shown(node, 'api.example.com')).toBe(fingerprint(first));
    expect(await shown(node, 'unknown.example')).toBe(fingerprint(third));
    expect(await shown(node, '')).toBe(fingerprint(third));
  });

  test('the host of an API is nobody’s domain name, so nobody else’s certificate is shown for it', async () => {
    const node = await house();
    await node.publish(
      domainEntry('abc123defg.execute-api.localhost'),
      domainEntry('*.execute-api.localhost'),
      domainEntry('api.example.com'),
      certificateEntry(first),
    );
    expect(await shown(node, 'abc123defg.execute-api.localhost')).toBeNull();
    expect(await shown(node, 'api.example.com')).toBe(fingerprint(first));
  });

  test('one that expired is shown all the same and counted; one with another’s key fails its own callers alone', async () => {
    const node = await house();
    const { expired } = makeCertificates();
    await node.publish(
      domainEntry('old.example.com', { certificateId: 'old' }),
      domainEntry('bad.example.com', { certificateId: 'bad' }),
      domainEntry('api.example.com'),
      certificateEntry(expired, 'old'),
      certificateEntry({ cert: first.cert, key: second.key }, 'bad'),
      certificateEntry(makeServerCertificate(['*.example.com'], { days: 90 })),
    );
    expect(await shown(node, 'old.example.com')).toBe(fingerprint(expired));
    expect(await shown(node, 'bad.example.com')).toBeNull();
    expect(await shown(node, 'api.example.com')).not.toBeNull();
    const page = [...prometheusSlices(node.metrics)].join('');
    // The one that expired, and the one with a wrong key, which ends within 30 days.
    expect(page).toMatch(/^gatehouse_tls_expiring_certificates 2$/m);
  });

  test('a domain name that is gone is refused at the next handshake, and on running connections', async () => {
    const node = await house();
    await node.publish(domainEntry('api.example.com'), certificateEntry(first));
    const running = await shake(node, 'api.example.com');
    await node.remove('DOMAIN_NAME', 'api.example.com');
    expect(await shown(node, 'api.example.com')).toBeNull();
    expect((await askOn(running, 'api.example.com', '/pets')).slice(0, 3)).toBe('403');
    running.destroy();
  });

  test('10,000 names: each its own certificate', async () => {
    const node = await house();
    const certificates = [first, second, third];
    const entries: WorldEntry[] = certificates.map((certificate, i) => certificateEntry(certificate, `c${i}`));
    for (let i = 0; i < 10_000; i++) entries.push(domainEntry(`h${i}.example.com`, { certificateId: `c${i % 3}` }));
    await node.publish(...entries);
    for (const i of [0, 1, 2, 4_999, 5_000, 9_998, 9_999]) {
      expect(await shown(node, `h${i}.example.com`)).toBe(fingerprint(certificates[i % 3]!));
    }
    expect(await shown(node, 'h10000.example.com')).toBeNull();
  });
});

describe('the security policy of a domain name', () => {
  const older = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
  test.each([
    ['TLS_1_0', '200'],
    ['TLS_1_2', '200'],
    ['SecurityPolicy_TLS13_1_2_2021_06', '200'],
    ['SecurityPolicy_TLS13_1_3_2025_09', 'refused'],
  ])('%s: TLS 1.2 is %s, TLS 1.3 always taken', async (securityPolicy, expected) => {
    const node = await house();
    await node.publish(domainEntry('api.example.com', { securityPolicy }), certificateEntry(first));
    expect(await askStatus(node, 'api.example.com', '/pets')).toBe('200');
    const outcome = shake(node, 'api.example.com', older)
      .then(async (socket) => (await askOn(socket, 'api.example.com', '/pets').finally(() => socket.destroy())).slice(0, 3))
      .catch(() => 'refused');
    expect(await outcome).toBe(expected);
  });

  test('TLS_1_0 takes nothing older than TLS 1.2', async () => {
    const node = await house();
    await node.publish(domainEntry('api.example.com', { securityPolicy: 'TLS_1_0' }), certificateEntry(first));
    await expect(shake(node, 'api.example.com', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })).rejects.toThrow();
  });

  test('two domain names with one certificate keep their own', async () => {
    const node = await house();
    await node.publish(
      domainEntry('new.example.com', { securityPolicy: 'SecurityPolicy_TLS13_1_3_2025_09' }),
      domainEntry('api.example.com'),
      certificateEntry(first),
    );
    for (const [host, expected] of [
      ['new.example.com', 'refused'],
      ['api.example.com', '200'],
      ['new.example.com', 'refused'],
    ] as const) {
      const answer = shake(node, host, older).then(async (socket) => (await askOn(socket, host, '/pets')).slice(0, 3));
      expect(await answer.catch(() => 'refused')).toBe(expected);
    }
  });
});
