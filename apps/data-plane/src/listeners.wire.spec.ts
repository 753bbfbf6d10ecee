// Every way a caller may connect, through one node's listeners.
import { BucketRegistry, QuotaLedger } from '@gatehouse/engine-limits';
import { WorldKeeper } from '@gatehouse/engine-link';
import { canonicalJson, sha256Hex, systemClock } from '@gatehouse/kernel';
import { MetricsRegistry } from '@gatehouse/telemetry';
import { stageSnapshot } from '@gatehouse/testkit';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type ClientHttp2Session } from 'node:http2';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readDataPlaneConfig } from './config.js';
import { openListeners, type Listeners } from './listeners.js';
import { WorldCertificates } from './world-certificates.js';

const HOST = 'abc123defg.execute-api.localhost';
const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-tls-'));
const recorded: string[] = [];
let listeners: Listeners;

beforeAll(async () => {
  const file = (name: string): string => path.join(folder, name);
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '90',
      '-subj',
      `/CN=${HOST}`,
    ].concat(['-addext', `subjectAltName=DNS:${HOST}`, '-keyout', file('default.key'), '-out', file('default.crt')]),
    { stdio: 'ignore' },
  );
  const config = readDataPlaneConfig({
    GATEHOUSE_NODE_TOKEN: 't',
    GATEHOUSE_PORT: '0',
    GATEHOUSE_TLS_PORT: '0',
    GATEHOUSE_TLS_DIR: folder,
  });
  const noBackend = { call: () => Promise.resolve({ failure: 'NETWORK' as const, cause: null }) };
  const worlds = new WorldKeeper({
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
  });
  const snapshot = stageSnapshot();
  const bytes = Buffer.from(canonicalJson(snapshot));
  const id = `${snapshot.apiId}/${snapshot.stage}`;
  const entry = { kind: 'STAGE' as const, id, tenant: snapshot.tenant, digest: sha256Hex(bytes), inline: '' };
  await worlds.adopt({ revision: 1, entries: [entry], removed: [] }, () => bytes);
  listeners = await openListeners(config, {
    worlds,
    worldCertificates: new WorldCertificates(worlds, '.localhost'),
    recorder: { record: ({ protocol, forwardedProto, status }) => void recorded.push(`${protocol} ${forwardedProto} ${status}`) },
    clock: systemClock,
    metrics: new MetricsRegistry(),
    log: pino({ level: 'silent' }),
    onBug: (bug) => expect.unreachable(String(bug)),
    sharesPort: false,
  });
});
afterAll(async () => {
  await listeners.close({ deadlineMs: 0 });
  rmSync(folder, { recursive: true });
});

async function overHttp2(session: ClientHttp2Session): Promise<number> {
  const stream = session.request({ ':path': '/dev', ':authority': HOST });
  const status = await new Promise<number>((resolve, reject) => {
    stream.on('response', (headers) => resolve(headers[':status']!));
    stream.on('error', reject);
  });
  stream.resume();
  await new Promise<void>((resolve) => session.close(() => resolve()));
  return status;
}

test('HTTP/1.1 over TLS', async () => {
  const status = await new Promise((resolve, reject) => {
    const options = {
      port: listeners.tlsPort!,
      host: '127.0.0.1',
      servername: HOST,
      path: '/dev',
      headers: { Host: HOST },
      agent: false,
    };
    get({ ...options, rejectUnauthorized: false }, (response) => resolve(response.resume().statusCode)).on('error', reject);
  });
  expect(status).toBe(200);
  expect(recorded.pop()).toBe('HTTP/1.1 https 200');
});

test('HTTP/2 over TLS, by ALPN', async () => {
  const session = connect(`https://127.0.0.1:${listeners.tlsPort}`, { rejectUnauthorized: false, servername: HOST });
  expect(await overHttp2(session)).toBe(200);
  expect(recorded.pop()).toBe('HTTP/2.0 https 200');
});

test('HTTP/2 on the cleartext port, by prior knowledge', async () => {
  expect(await overHttp2(connect(`http://127.0.0.1:${listeners.port}`))).toBe(200);
  expect(recorded.pop()).toBe('HTTP/2.0 http 200');
});

test('HTTP/1.1 on the cleartext port', async () => {
  expect((await fetch(`http://127.0.0.1:${listeners.port}/_aws/execute-api/abc123defg/dev`)).status).toBe(200);
  expect(recorded.pop()).toBe('HTTP/1.1 http 200');
});
