// Calls with a way of their own (VPC links, a stage's client certificate), on real sockets.
import type { CallerPresence, UpstreamAnswer, UpstreamFailure, UpstreamWay } from '@gatehouse/engine-exchange';
import { readAll } from '@gatehouse/engine-exchange';
import { openDestinations, TenantAddressRules } from '@gatehouse/engine-upstream';
import { Secret } from '@gatehouse/kernel';
import { makeCertificates, makeServerCertificate } from '@gatehouse/testkit';
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { Http1Connector, type ClientCertificate } from '../index.js';

const TENANT = '123456789012';
const made = makeCertificates();
const inner = makeServerCertificate(['inner.example.com']);
const closing: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const CALLER: CallerPresence = { isCallerGone: false, onCallerLeft: null, signal: new AbortController().signal };

async function listen(server: Server): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => void sockets.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

const CERTIFICATES: Readonly<Record<string, ClientCertificate>> = {
  one: { certPem: made.client.cert, keyPem: new Secret(made.client.key) },
  two: { certPem: made.good.cert, keyPem: new Secret(made.good.key) },
};

function connector(): Http1Connector {
  const rules = new TenantAddressRules({ allow: [] });
  const made1 = new Http1Connector({
    destinations: openDestinations({ rules, settings: { breaker: null } }),
    trustedCaPem: [made.authority, inner.cert],
    clientCertificate: () => null,
    tenantCertificate: (_tenant, id) => CERTIFICATES[id] ?? null,
  });
  closing.push(() => made1.close());
  return made1;
}

function way(over: Partial<UpstreamWay>): UpstreamWay {
  const plain = { clientCertificateId: null, targets: null, tlsName: null, isOperators: true, ...over };
  return { key: JSON.stringify(plain), ...plain };
}

async function call(to: Http1Connector, url: string, taken: UpstreamWay | null): Promise<string> {
  const request = { httpMethod: 'GET', url, tenant: TENANT, way: taken, traceId: 't', block: null, headers: [], body: null };
  const outcome: UpstreamAnswer | UpstreamFailure = await to.call({ ...request, timeoutMs: 5_000 }, CALLER);
  if ('failure' in outcome) return `${outcome.failure} ${String((outcome.cause as Error).message)}`;
  const { body } = outcome;
  return body === null ? '' : (Buffer.isBuffer(body) ? body : await readAll(body, 1e6)).toString();
}

test('a VPC link: connections go to the targets, in turn, and the request names the host of the URL', async () => {
  const servers = await Promise.all(
    [1, 2].map((id) => listen(createServer((request, response) => response.end(`${id} ${request.headers.host}`)))),
  );
  const taken = way({ targets: servers.map(({ port }) => ({ host: '127.0.0.1', port })) });
  const to = connector();
  const answers = [];
  for (let i = 0; i < 4; i++) answers.push(await call(to, 'http://nowhere.example:8080/x', taken));
  expect([...new Set(answers)].sort()).toEqual(['1 nowhere.example:8080', '2 nowhere.example:8080']);
});

test('a target that is down is passed over', async () => {
  const { port } = await listen(createServer((_request, response) => response.end('up')));
  const down = await listen(createServer());
  await closing.pop()!();
  const targets = [{ host: '127.0.0.1', port: down.port }, { host: '127.0.0.1', port }]; // prettier-ignore
  const to = connector();
  for (let i = 0; i < 4; i++) expect(await call(to, 'http://nowhere.example/', way({ targets }))).toBe('up');
});

test("a tenant's own targets do not open a private address, the operator's do", async () => {
  const { port } = await listen(createServer((_request, response) => response.end('inside')));
  const targets = [{ host: '127.0.0.1', port }];
  const to = connector();
  expect(await call(to, 'http://inner.example/', way({ targets, isOperators: false }))).toMatch(/^FORBIDDEN_ADDRESS /);
  expect(await call(to, 'http://inner.example/', way({ targets }))).toBe('inside');
  expect(await call(to, `http://127.0.0.1:${port}/`, null), 'without the link').toMatch(/^FORBIDDEN_ADDRESS /);
});

test("TLS to a target: SNI and the certificate are of the URL's host, or of the name in its place", async () => {
  const names: string[] = [];
  const server = createHttpsServer(
    { ...inner, SNICallback: (name, done) => (names.push(name), done(null)) },
    (_request, response) => response.end('ok'),
  );
  const { port } = await listen(server);
  const targets = [{ host: '127.0.0.1', port }];
  const to = connector();
  expect(await call(to, 'https://inner.example.com/', way({ targets }))).toBe('ok');
  expect(await call(to, 'https://outer.example.com/', way({ targets }))).toMatch(/^NETWORK the upstream's certificate is/);
  expect(await call(to, 'https://outer.example.com/', way({ targets, tlsName: 'inner.example.com' }))).toBe('ok');
  expect(names).toEqual(['inner.example.com', 'outer.example.com', 'inner.example.com']);
});

test('stages with other certificates, and none, never share a connection, and each shows its own', async () => {
  const server = createHttpsServer(
    { ...made.good, ca: made.authority, requestCert: true, rejectUnauthorized: false },
    (request, response) => response.end(String((request.socket as TLSSocket).getPeerCertificate().subject?.CN)),
  );
  const { port, sockets } = await listen(server);
  const targets = [{ host: '127.0.0.1', port }];
  const to = connector();
  const ask = (clientCertificateId: string | null): Promise<string> =>
    call(to, 'https://127.0.0.1/', way({ targets, clientCertificateId }));
  const seen = [];
  for (const id of ['one', 'two', null, 'two', 'one', null]) seen.push(await ask(id));
  expect(seen).toEqual(['client', 'good', 'undefined', 'good', 'client', 'undefined']);
  expect(sockets.size).toBe(3);
});

test('a certificate that is not here fails its calls: nothing is sent without it', async () => {
  const { port, sockets } = await listen(createHttpsServer(made.good, (_request, response) => response.end('ok')));
  const targets = [{ host: '127.0.0.1', port }];
  const outcome = await call(connector(), 'https://127.0.0.1/', way({ targets, clientCertificateId: 'lost' }));
  expect(outcome).toBe('NETWORK our client certificate cannot be used');
  expect(sockets.size).toBe(0);
});
