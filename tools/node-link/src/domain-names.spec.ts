/** Custom domain names and their keys on real nodes: who gets them, what lies on a disk, what a restart and workers do. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { connect } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { InMemoryStore, poolsField } from '@gatehouse/domain';
import { canonicalJson } from '@gatehouse/kernel';
import { freePort, makeServerCertificate, type Certificate } from '@gatehouse/testkit';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startControlPlane, TENANT, testFolder, type TestControlPlane } from './harness.js';
import { publishStage, readiness, startProcess, type NodeProcess } from './node-process.js';

const HOST = 'api.example.com';
const [first, second] = [makeServerCertificate([HOST]), makeServerCertificate([HOST])];

let store: InMemoryStore;
let control: TestControlPlane;
let scope: Awaited<ReturnType<typeof testFolder>>;

beforeEach(async () => {
  scope = await testFolder();
  store = new InMemoryStore();
  control = await startControlPlane(store);
  scope.cleanUps.push(() => control.stop());
});
afterEach(() => scope.close());

interface TlsNode extends NodeProcess {
  readonly tlsPort: number;
}

async function startNode(name: string, env: Record<string, string> = {}): Promise<TlsNode> {
  const tlsPort = await freePort();
  const node = await startProcess(scope, control.port, { name, env: { GATEHOUSE_TLS_PORT: String(tlsPort), ...env } });
  return { ...node, tlsPort };
}
const eventually = <T>(assertion: () => Promise<T>) => vi.waitFor(assertion, { timeout: 15_000, interval: 20 });
const ready = (node: NodeProcess) => eventually(async () => expect((await readiness(node))[0]).toBe(200));

async function publish({ cert, key }: Certificate, pools: readonly string[] = []): Promise<number> {
  const expiresAtMs = new X509Certificate(cert).validToDate.getTime();
  const certificate = {
    certificateId: 'one',
    tenant: TENANT,
    chainPem: cert,
    privateKeyPem: key,
    hostNames: [HOST],
    expiresAtMs,
  };
  const mappings = [{ basePath: 'v1', apiId: 'abc123', stage: 'dev' }];
  const domain = { domainName: HOST, tenant: TENANT, certificateId: 'one', securityPolicy: 'TLS_1_2', mappings };
  await store.tenants.transact(TENANT, async (tx) => {
    const content = (value: object) => ({ digest: null, blobBytes: 0, inline: canonicalJson(value), ...poolsField(pools) });
    await tx.manifest.put('CERTIFICATE', `${TENANT}:one`, content(certificate));
    await tx.manifest.put('DOMAIN_NAME', HOST, content(domain));
  });
  return store.manifest.revision;
}

/** Which certificate the host shows, and what it answers. */
function call({ tlsPort }: TlsNode, target: string): Promise<{ fingerprint: string; answer: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: tlsPort, servername: HOST, rejectUnauthorized: false });
    let text = '';
    socket.on('error', reject);
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('secureConnect', () => {
      const fingerprint = socket.getPeerCertificate().fingerprint256;
      socket.on('end', () => resolve({ fingerprint, answer: `${text.slice(9, 12)} ${text.split('\r\n\r\n')[1]}` }));
      socket.write(`GET ${target} HTTP/1.1\r\nhost: ${HOST}\r\nconnection: close\r\n\r\n`);
    });
  });
}
const served = ({ cert }: Certificate, text: string) => ({
  fingerprint: new X509Certificate(cert).fingerprint256,
  answer: `200 ${text}`,
});
/** Every file of a node, by name. */
function filesOf(name: string): { file: string; text: string; mode: number }[] {
  const folder = path.join(scope.folder, name);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => ({ file, text: readFileSync(file, 'latin1'), mode: statSync(file).mode & 0o777 }));
}
const keyLine = ({ key }: Certificate): string => key.split('\n')[1]!;

test('only nodes of its pool get a domain name and its key; there the key is readable for the node’s user alone, and in no log', async () => {
  await publishStage(store, 'hello');
  const eu = await startNode('eu', { GATEHOUSE_NODE_LABELS: 'pool=eu' });
  const other = await startNode('other');
  await Promise.all([ready(eu), ready(other)]);
  await publish(first, ['eu']);
  // The stage is another pool's: the host is known here, and leads to nothing.
  await eventually(async () => expect((await call(eu, '/v1/users')).answer.slice(0, 3)).toBe('403'));
  await expect(call(other, '/v1/users')).rejects.toThrow('ECONNREFUSED');
  const holding = (name: string) => filesOf(name).filter(({ text }) => text.includes(keyLine(first)));
  expect(holding('eu').map(({ mode }) => mode)).toEqual([0o600]);
  expect(holding('other')).toEqual([]);
  expect(eu.log() + other.log()).not.toContain(keyLine(first));
});

test('a node serves its domain names after a restart without a control plane', async () => {
  await publishStage(store, 'hello');
  const revision = await publish(first);
  const before = await startNode('node');
  await ready(before);
  await eventually(async () => expect(await call(before, '/v1/users')).toEqual(served(first, 'hello')));
  await control.server.waitUntilLive(revision, 10_000); // it is on the disk
  before.child.kill('SIGKILL');
  await before.exited;
  await control.stop();
  const after = await startNode('node');
  expect(await call(after, '/v1/users')).toEqual(served(first, 'hello'));
  control = await startControlPlane(store);
});

test('every worker shows a renewed certificate once its revision is acknowledged', async () => {
  await publishStage(store, 'hello');
  const node = await startNode('node', { GATEHOUSE_WORKERS: '2' });
  await ready(node);
  await publish(first);
  await eventually(async () => expect(await call(node, '/v1/users')).toEqual(served(first, 'hello')));
  const revision = await publish(second);
  await control.server.waitUntilLive(revision, 10_000);
  for (let i = 0; i < 20; i++) expect(await call(node, '/v1/users')).toEqual(served(second, 'hello'));
});
