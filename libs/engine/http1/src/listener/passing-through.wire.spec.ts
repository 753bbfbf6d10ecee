// Large bodies that pass through, many at a time: the memory they travel in is shared and used again, what each caller gets must not be.
import { WorldKeeper } from '@gatehouse/engine-link';
import { BucketRegistry, QuotaLedger } from '@gatehouse/engine-limits';
import { AddressRules, openDestinations } from '@gatehouse/engine-upstream';
import { canonicalJson, sha256Hex, systemClock } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Http1Connector, Http1Listener } from '../index.js';

const HOST = 'abc123defg.execute-api.localhost';
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Of each number its own, and every 251 bytes another. */
function bodyOf(number: number, bytes: number): Buffer {
  const body = Buffer.allocUnsafe(bytes);
  for (let i = 0; i < bytes; i++) body[i] = (i % 251) ^ ((i >> 8) * 31 + number * 97);
  return body;
}

/** `?number=&bytes=&piece=&framing=`: a body in pieces of that size, framed by length, chunks, or the end of the connection. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const query = new URL(request.url!, 'http://x').searchParams;
  const body = bodyOf(Number(query.get('number')), Number(query.get('bytes')));
  const framing = query.get('framing');
  if (framing === 'length') response.setHeader('Content-Length', body.length);
  if (framing === 'close') response.useChunkedEncodingByDefault = false;
  let at = 0;
  const more = (): void => {
    while (at < body.length) {
      const piece = body.subarray(at, (at += Number(query.get('piece'))));
      if (!response.write(piece)) {
        response.once('drain', more);
        return;
      }
    }
    response.end();
  };
  more();
}

async function upstream(): Promise<number> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

async function listenInFrontOf(port: number): Promise<Http1Listener> {
  const rules = new AddressRules({ allow: ['loopback'] });
  const connector = new Http1Connector({ destinations: openDestinations({ rules: { rulesFor: () => rules } }) });
  const worlds = new WorldKeeper({
    bindings: {
      limits: {
        buckets: new BucketRegistry(10),
        quotas: new QuotaLedger({ requestMore: () => undefined }),
        usage: { count: () => undefined },
        clock: systemClock,
      },
      http: connector,
      insecureHttp: connector,
      functions: connector,
      metrics: { series: () => ({ record: () => undefined }) },
    },
  });
  const integration = {
    type: 'HTTP_PROXY',
    uri: `http://127.0.0.1:${port}/`,
    httpMethod: 'ANY',
    timeoutMs: 20_000,
    requestParameters: {},
    insecureSkipVerification: false,
  } as const;
  const snapshot = stageSnapshot({ routes: [routeSnapshot({ integration })] });
  const bytes = Buffer.from(canonicalJson(snapshot));
  const id = `${snapshot.apiId}/${snapshot.stage}`;
  const entry = { kind: 'STAGE' as const, id, tenant: snapshot.tenant, digest: sha256Hex(bytes), inline: '' };
  await worlds.adopt({ revision: 1, entries: [entry], removed: [] }, () => bytes);
  const listener = new Http1Listener({
    worlds,
    recorder: { record: () => undefined },
    clock: systemClock,
    baseDomain: 'localhost',
  });
  await listener.listen(0, '127.0.0.1');
  closing.push(() => connector.close());
  closing.push(() => listener.close({ deadlineMs: 0 }));
  return listener;
}

/** Takes some, rests, takes on: so bodies wait in the gateway. At first it rests for `restMs`. */
function callSlowly(port: number, query: string, restMs = 2): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const request = get({ port, host: '127.0.0.1', path: `/dev?${query}`, headers: { Host: HOST } }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => {
        pieces.push(piece);
        if (pieces.length % 8 !== 1) return;
        response.pause();
        setTimeout(() => response.resume(), pieces.length === 1 ? restMs : 2);
      });
      response.on('end', () => resolve(Buffer.concat(pieces)));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}

test.each([
  ['length', 65_536],
  ['length', 900],
  ['chunked', 1_000_000],
  ['chunked', 20_000],
  ['chunked', 700],
  ['close', 65_536],
])('framed by %s in pieces of %i bytes, every caller gets its own body whole', async (framing, piece) => {
  const listener = await listenInFrontOf(await upstream());
  for (let round = 0; round < 2; round++) {
    const asked = Array.from({ length: 8 }, (_, i) => ({ number: round * 8 + i, bytes: 600_000 + i * 77_777 }));
    const got = await Promise.all(
      asked.map(({ number, bytes }) =>
        callSlowly(listener.port, `number=${number}&bytes=${bytes}&piece=${piece}&framing=${framing}`),
      ),
    );
    got.forEach((body, i) => expect(body.equals(bodyOf(asked[i]!.number, asked[i]!.bytes))).toBe(true));
  }
});

test('what the kernel does not take at once stays as it is until it does', async () => {
  const listener = await listenInFrontOf(await upstream());
  const bytes = 12_000_000; // more than the kernel holds for both sides
  const query = (number: number): string => `number=${number}&bytes=${bytes}&piece=65536&framing=length`;
  const got = await Promise.all([1, 2].map((number) => callSlowly(listener.port, query(number), 300)));
  expect(got.map((body, i) => body.equals(bodyOf(i + 1, bytes)))).toEqual([true, true]);
});
