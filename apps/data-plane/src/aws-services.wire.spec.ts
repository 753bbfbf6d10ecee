/** AWS services through a node's own ports: what is published of endpoints and credentials holds from the next request on, within the address rules. */
import type { ServiceAccessEntry, ServiceIntegrationSnapshot } from '@gatehouse/contracts';
import { BucketRegistry, QuotaLedger } from '@gatehouse/engine-limits';
import { WorldKeeper, type WorldEntry } from '@gatehouse/engine-link';
import { canonicalJson, Secret, sha256Hex, systemClock } from '@gatehouse/kernel';
import { readClaim, SignatureVerifier } from '@gatehouse/sigv4';
import { MetricsRegistry } from '@gatehouse/telemetry';
import { routeSnapshot, ScriptedUpstream, stageSnapshot } from '@gatehouse/testkit';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { readDataPlaneConfig } from './config.js';
import { closeConnectors, openConnectors } from './connectors.js';
import { openListeners } from './listeners.js';
import { WorldCertificates } from './world-certificates.js';

const TENANT = '123456789012';
const SECRETS: Readonly<Record<string, string>> = { AKIA1: 'secret of the first', AKIA2: 'secret of the second' };
const INTEGRATION: ServiceIntegrationSnapshot = {
  type: 'SERVICE',
  partition: 'aws',
  region: 'us-east-1',
  service: 'sqs',
  subdomain: null,
  path: '/123456789012/work',
  action: null,
  role: 'orders',
  httpMethod: 'POST',
  timeoutMs: 5_000,
  requestParameters: {},
  passthroughBehavior: 'WHEN_NO_MATCH',
  requestTemplates: {},
  responses: [
    { statusCode: 200, selectionPattern: null, responseParameters: {}, responseTemplates: {} },
    { statusCode: 502, selectionPattern: '4..', responseParameters: {}, responseTemplates: {} },
  ],
};

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Answers with the key that signed, or 403. */
async function service(): Promise<ScriptedUpstream> {
  const verifier = new SignatureVerifier(systemClock);
  const up = await ScriptedUpstream.start(({ request, response, body }) => {
    void body.then((bytes) => {
      const headers = request.headers as Record<string, string | undefined>;
      const signed = { method: request.method!, rawUrl: request.url!, headers, body: bytes };
      const result = readClaim(signed);
      if ('fault' in result) return response.writeHead(403).end();
      const { claim } = result;
      const credential = { secret: new Secret(SECRETS[claim.accessKeyId] ?? ''), enabled: true, session: null };
      const fault = verifier.verify(signed, claim, credential, { services: ['sqs'], isValidRegion: () => true });
      return response.writeHead(fault === null ? 200 : 403).end(claim.accessKeyId);
    });
  });
  closing.push(() => up.close());
  return up;
}

async function node({ allowsPrivate }: { readonly allowsPrivate: boolean }) {
  const config = readDataPlaneConfig({
    GATEHOUSE_NODE_TOKEN: 't',
    GATEHOUSE_PORT: '0',
    GATEHOUSE_TLS_PORT: '0',
    GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: String(allowsPrivate),
  });
  const log = pino({ level: 'silent' });
  const connectors = openConnectors(config, 1, log, () => null);
  closing.push(() => closeConnectors(connectors));
  const worlds: WorldKeeper = new WorldKeeper({
    bindings: {
      limits: {
        buckets: new BucketRegistry(10),
        quotas: new QuotaLedger({ requestMore: () => undefined }),
        usage: { count: () => undefined },
        clock: systemClock,
      },
      ...connectors,
      metrics: { series: () => ({ record: () => undefined }) },
    },
  });
  const listeners = await openListeners(config, {
    worlds,
    worldCertificates: new WorldCertificates(worlds, '.localhost'),
    recorder: { record: () => undefined },
    clock: systemClock,
    metrics: new MetricsRegistry(),
    log,
    onBug: (bug) => expect.unreachable(String(bug)),
    sharesPort: false,
  });
  closing.push(() => listeners.close({ deadlineMs: 0 }));
  const snapshot = stageSnapshot({ routes: [routeSnapshot({ path: '/work', httpMethod: 'POST', integration: INTEGRATION })] });
  const bytes = Buffer.from(canonicalJson(snapshot));
  let revision = 0;
  const adopt = async (entries: readonly WorldEntry[], removed: { kind: 'SERVICE_ACCESS'; id: string }[] = []): Promise<void> =>
    expect(await worlds.adopt({ revision: ++revision, entries, removed }, () => bytes)).toEqual([]);
  const id = `${snapshot.apiId}/${snapshot.stage}`;
  await adopt([{ kind: 'STAGE', id, tenant: TENANT, digest: sha256Hex(bytes), inline: '' }]);
  return {
    publish: (endpoint: string, accessKeyId: string, tenant = TENANT): Promise<void> => {
      const role = { accessKeyId, secretAccessKey: SECRETS[accessKeyId]!, sessionToken: null };
      const content: ServiceAccessEntry = {
        tenant,
        services: { sqs: { endpoint, region: null } },
        roles: { orders: role },
        apiIds: [snapshot.apiId],
      };
      return adopt([{ kind: 'SERVICE_ACCESS', id: tenant, tenant, digest: null, inline: canonicalJson(content) }]);
    },
    withdraw: (): Promise<void> => adopt([], [{ kind: 'SERVICE_ACCESS', id: TENANT }]),
    call: async (): Promise<readonly [status: number, body: string]> => {
      const url = `http://127.0.0.1:${listeners.port}/_aws/execute-api/${snapshot.apiId}/${snapshot.stage}/work`;
      const response = await fetch(url, { method: 'POST', body: 'Action=SendMessage' });
      return [response.status, await response.text()];
    },
  };
}

const REFUSED = [500, '{"message":"Internal server error"}'];

test('endpoint and credentials hold from the next request on, and are gone with their entry', async () => {
  const [up, { publish, withdraw, call }] = [await service(), await node({ allowsPrivate: true })];
  expect(await call()).toEqual(REFUSED);
  await publish(up.url, 'AKIA1');
  expect(await call()).toEqual([200, 'AKIA1']);
  await publish(up.url, 'AKIA2');
  expect(await call()).toEqual([200, 'AKIA2']);
  await withdraw();
  expect(await call()).toEqual(REFUSED);
  expect(up.calls).toHaveLength(2);
});

test("another tenant's credentials sign nothing of this one's", async () => {
  const [up, { publish, call }] = [await service(), await node({ allowsPrivate: true })];
  await publish(up.url, 'AKIA1', '999999999999');
  expect(await call()).toEqual(REFUSED);
  expect(up.calls).toHaveLength(0);
});

test('a registered endpoint opens no address that is closed to the tenant', async () => {
  const [up, { publish, call }] = [await service(), await node({ allowsPrivate: false })];
  await publish(up.url, 'AKIA1');
  expect(await call()).toEqual(REFUSED);
  expect(up.calls).toHaveLength(0);
});
