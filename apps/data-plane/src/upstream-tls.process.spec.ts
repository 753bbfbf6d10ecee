// Fault 38 through a whole node: the operator's authority and certificate are used, read again, and each failure is named in the access log.
import { callOnce, makeCertificates, RawUpstream, routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TlsOptions } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NodeProcess } from './testing/node-process.js';

const HOST = 'abc123defg.execute-api.localhost';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const made = makeCertificates();
const { good, expired, notYetValid, wrongName, unknownAuthority, selfSigned } = made;
const asking = { ...good, ca: made.authority, requestCert: true, rejectUnauthorized: true };

/** By the path that is called: what the upstream is like, and the cause, or `null` when it answers. */
const UPSTREAMS: Readonly<Record<string, readonly [tls: TlsOptions | null, cause: string | null]>> = {
  good: [good, null],
  expired: [expired, "the upstream's certificate has expired (CERT_HAS_EXPIRED)"],
  'not-yet': [notYetValid, "the upstream's certificate is not valid yet (CERT_NOT_YET_VALID)"],
  'wrong-name': [wrongName, "the upstream's certificate is for another name (ERR_TLS_CERT_ALTNAME_INVALID)"],
  'unknown-authority': [
    unknownAuthority,
    "the upstream's certificate is of an unknown authority (UNABLE_TO_VERIFY_LEAF_SIGNATURE)",
  ],
  'self-signed': [selfSigned, "the upstream's certificate is signed by itself (DEPTH_ZERO_SELF_SIGNED_CERT)"],
  asking: [{ ...asking, minVersion: 'TLSv1.3' }, 'the upstream asks for a client certificate (TLS alert 116)'],
  old: [{ ...good, maxVersion: 'TLSv1.2' }, null],
  plain: [null, 'the upstream does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER)'],
};

const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-upstream-tls-'));
const file = (name: string): string => path.join(folder, name);
const upstreams: RawUpstream[] = [];
const nodes: NodeProcess[] = [];
let routes: ReturnType<typeof routeSnapshot>[];

const answerInTheClear = (socket: Socket): void =>
  void socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));

/** In one step, as a certificate is renewed. */
function put(name: string, text: string): void {
  writeFileSync(file(`${name}.new`), text);
  renameSync(file(`${name}.new`), file(name));
}

beforeAll(async () => {
  put('ca.pem', made.authority);
  put('client.crt', made.client.cert);
  put('client.key', made.client.key);
  routes = await Promise.all(
    Object.entries(UPSTREAMS).map(async ([name, [tls]]) => {
      const up = await RawUpstream.start((call) => call.send(OK), tls === null ? { onConnection: answerInTheClear } : { tls });
      upstreams.push(up);
      const integration = {
        type: 'HTTP_PROXY' as const,
        uri: `${up.url.replace('http:', 'https:')}/x`,
        httpMethod: 'ANY',
        timeoutMs: 5_000,
        requestParameters: {},
        insecureSkipVerification: false,
      };
      return routeSnapshot({ path: `/${name}`, integration });
    }),
  );
});
afterAll(async () => {
  await Promise.all([...nodes.map((node) => node.stop()), ...upstreams.map((upstream) => upstream.close())]);
  rmSync(folder, { recursive: true });
});

async function start(environment: Record<string, string>): Promise<NodeProcess> {
  const node = await NodeProcess.start({ stages: [stageSnapshot({ routes })], environment });
  nodes.push(node);
  return node;
}

/** `null` when it was answered. */
async function causeOf(node: NodeProcess, name: string): Promise<string | null> {
  const count = node.recorded.length;
  const { status } = await callOnce(node.port, { path: `/dev/${name}`, host: HOST });
  await expect.poll(() => node.recorded.length).toBe(count + 1);
  const { status: recorded, cause = null } = node.recorded.at(-1)!;
  expect([status, recorded]).toEqual(cause === null ? [200, 200] : [504, 504]);
  return cause;
}

test('with the authority of the operator a good upstream is called, and of each other one the access log says what is wrong', async () => {
  const node = await start({ GATEHOUSE_UPSTREAM_CA: file('ca.pem') });
  for (const [name, [, cause]] of Object.entries(UPSTREAMS)) expect([name, await causeOf(node, name)]).toEqual([name, cause]);
});

test('without it nothing of that authority is trusted', async () => {
  expect(await causeOf(await start({}), 'good')).toMatch(/^the upstream's certificate is of an unknown authority \(/);
});

test('an upstream that asks is shown the certificate, and one below the oldest version of TLS is not spoken to', async () => {
  const node = await start({
    GATEHOUSE_UPSTREAM_CA: file('ca.pem'),
    GATEHOUSE_UPSTREAM_CERT: file('client.crt'),
    GATEHOUSE_UPSTREAM_KEY: file('client.key'),
    GATEHOUSE_UPSTREAM_TLS_MIN: 'TLSv1.3',
  });
  expect(await causeOf(node, 'asking')).toBeNull();
  expect(await causeOf(node, 'old')).toMatch(/^the upstream speaks no version of TLS that we do \(/);
});

test('the certificate is for the hosts it is meant for', async () => {
  const environment = {
    GATEHOUSE_UPSTREAM_CA: file('ca.pem'),
    GATEHOUSE_UPSTREAM_CERT: file('client.crt'),
    GATEHOUSE_UPSTREAM_KEY: file('client.key'),
  };
  const elsewhere = await start({ ...environment, GATEHOUSE_UPSTREAM_CERT_HOSTS: 'partner.example,*.bank.example' });
  expect(await causeOf(elsewhere, 'asking')).toBe('the upstream asks for a client certificate (TLS alert 116)');
  const here = await start({ ...environment, GATEHOUSE_UPSTREAM_CERT_HOSTS: '127.0.0.1' });
  expect(await causeOf(here, 'asking')).toBeNull();
});

test('a node does not start with a file that is of no use, and says which', async () => {
  put('none.pem', 'nothing');
  await expect(start({ GATEHOUSE_UPSTREAM_CA: file('none.pem') })).rejects.toThrow(
    'Error: GATEHOUSE_UPSTREAM_CA: no certificate in PEM',
  );
});
