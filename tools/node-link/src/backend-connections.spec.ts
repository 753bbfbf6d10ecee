/** VPC links and client certificates from the management operations to a real node, with real backends behind them. */
import { backendAccessOperations, VpcLinks } from '@gatehouse/control-backend-access';
import { deploymentOperations } from '@gatehouse/control-deployments';
import { republishTenant } from '@gatehouse/control-publish';
import { importOperations } from '@gatehouse/control-rest-apis';
import { InMemoryStore, readPrivateTargets } from '@gatehouse/domain';
import { randomIds, systemClock } from '@gatehouse/kernel';
import { makeCertificates } from '@gatehouse/testkit';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import path from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startControlPlane, TENANT, testFolder } from './harness.js';
import { readiness, startProcess } from './node-process.js';

const NLB = `arn:aws:elasticloadbalancing:us-east-1:${TENANT}:loadbalancer/net/inner/0123456789abcdef`;
const CONTEXT = {
  caller: { tenant: TENANT, accessKeyId: 'AKIA', principalArn: `arn:aws:iam::${TENANT}:user/admin`, region: 'us-east-1' },
  requestId: 'request',
  headers: {},
};
const made = makeCertificates();

let scope: Awaited<ReturnType<typeof testFolder>>;
beforeEach(async () => {
  scope = await testFolder();
});
afterEach(() => scope.close());

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.cleanUps.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

const proxy = (uri: string, own: object = {}) => ({
  get: {
    'x-amazon-apigateway-integration': { type: 'http_proxy', httpMethod: 'GET', uri, ...own },
    responses: { '200': { description: 'ok' } },
  },
});

async function house(paths: object, env: Record<string, string> = {}) {
  const store = new InMemoryStore();
  const control = await startControlPlane(store);
  scope.cleanUps.push(() => control.stop());
  const dependencies = { store: store.tenants, clock: systemClock, ids: randomIds, waiter: control.server };
  const access = backendAccessOperations(dependencies);
  const deployments = deploymentOperations(dependencies);
  const node = await startProcess(scope, control.port, { env });
  const publish = async (): Promise<string> => {
    const body = Buffer.from(JSON.stringify({ openapi: '3.0.1', info: { title: 'inner', version: '1' }, paths }));
    const { id } = await importOperations(dependencies).ImportRestApi(CONTEXT, { body, failOnWarnings: true });
    await deployments.CreateDeployment(CONTEXT, { restApiId: id!, stageName: 'prod' });
    await vi.waitFor(async () => expect((await readiness(node))[0]).toBe(200), { timeout: 15_000, interval: 10 });
    return id!;
  };
  const live = async (): Promise<void> => {
    expect(await control.server.waitUntilLive(await store.manifest.head(), 10_000)).toMatchObject({ live: true });
  };
  const get = async (api: string, resource: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${node.port}/_aws/execute-api/${api}/prod${resource}`);
    return `${response.status} ${await response.text()}`;
  };
  return { store, access, deployments, publish, live, get, node };
}

test('a VPC link leads nowhere until it is mapped, then to its targets; a private one is for the operator to name', async () => {
  const port = await listen(createServer((request, response) => response.end(`inside ${request.headers.host}${request.url}`)));
  const paths: Record<string, object> = {};
  const { store, access, publish, live, get, node } = await house(paths);
  const { id: link } = await access.CreateVpcLink(CONTEXT, { name: 'inner', targetArns: [NLB] });
  paths['/pets'] = proxy('http://pets.inner:8080/all', { connectionType: 'VPC_LINK', connectionId: link });
  const api = await publish();
  const refused = '500 {"message":"Internal server error"}';
  expect(await get(api, '/pets')).toBe(refused);
  const log = path.join(scope.folder, 'node-access.log');
  const { readFileSync } = await import('node:fs');
  await vi.waitFor(() => expect(readFileSync(log, 'utf8')).toContain(`VPC link ${link} leads nowhere`));

  const links = new VpcLinks(store.tenants, randomIds);
  const map = async (isOperator: boolean): Promise<void> => {
    const targets = readPrivateTargets([`127.0.0.1:${port}`], null, isOperator);
    await links.setTargets(TENANT, link!, targets, isOperator);
    await republishTenant(store.tenants, TENANT);
    await live();
  };
  await map(false);
  expect(await get(api, '/pets'), 'a tenant cannot open a private address').toBe(refused);
  await map(true);
  expect(await get(api, '/pets')).toBe('200 inside pets.inner:8080/all');
  await expect(map(false)).rejects.toThrow('The operator said where');
  expect(node.child.exitCode).toBe(null);
});

test("a stage's client certificate is shown to its HTTPS backends, to no other stage's, and not after it is taken away", async () => {
  const options = { ...made.good, ca: made.authority, requestCert: true, rejectUnauthorized: false };
  const server = createHttpsServer(options, (request, response) =>
    response.end(String((request.socket as TLSSocket).getPeerX509Certificate()?.fingerprint256)),
  );
  const port = await listen(server);
  const authority = path.join(scope.folder, 'ca.pem');
  writeFileSync(authority, made.authority);
  const env = { GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true', GATEHOUSE_UPSTREAM_CA: authority };
  const { access, deployments, publish, live, get, node } = await house({ '/who': proxy(`https://127.0.0.1:${port}/`) }, env);
  const [one, other] = [await publish(), await publish()];
  const { clientCertificateId, pemEncodedCertificate } = await access.GenerateClientCertificate(CONTEXT, {});
  const show = async (restApiId: string, value: string): Promise<void> => {
    const patchOperations = [{ op: 'replace' as const, path: '/clientCertificateId', value }];
    await deployments.UpdateStage(CONTEXT, { restApiId, stageName: 'prod', patchOperations });
    await live();
  };
  const shown = `200 ${new X509Certificate(pemEncodedCertificate!).fingerprint256}`;
  expect(await get(one, '/who')).toBe('200 undefined');
  await show(one, clientCertificateId!);
  expect([await get(one, '/who'), await get(other, '/who'), await get(one, '/who')]).toEqual([shown, '200 undefined', shown]);
  await show(one, '');
  expect(await get(one, '/who')).toBe('200 undefined');
  expect(node.log(), 'no key in the log').not.toContain('PRIVATE KEY');
});
