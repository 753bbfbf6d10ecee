/** A log group behind a URL, through the connector that calls tenants' backends, to a sink that takes, stalls, dies and comes back. */
import { Http1Connector } from '@gatehouse/engine-http1';
import { openDestinations, TenantAddressRules } from '@gatehouse/engine-upstream';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { LogGroups } from './index.js';

const TENANT = '123456789012';
const ARN = `arn:aws:logs:us-east-1:${TENANT}:log-group:/api/dev`;
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const closable of open.splice(0)) await closable.close();
});

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;
async function sink(answer: Answer, port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => answer(request, response, Buffer.concat(chunks).toString('utf8')));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  open.push({ close: () => (server.closeAllConnections(), server.listening && new Promise((resolve) => server.close(resolve))) });
  return { server, port: (server.address() as AddressInfo).port };
}

function logGroups(allowsLoopback = true, waitingCharsMax = 1_000_000) {
  const rules = new TenantAddressRules({ allow: allowsLoopback ? ['loopback'] : [] });
  const http = new Http1Connector({ destinations: openDestinations({ rules }) });
  open.push(http);
  const lines = { delivered: 0, dropped: 0 };
  const groups = new LogGroups({
    place: { kind: 'NOWHERE' },
    http,
    counters: {
      delivered: { add: (count) => void (lines.delivered += count) },
      dropped: { add: (count) => void (lines.dropped += count) },
    },
    onFileFailure: () => expect.unreachable(),
    waitingCharsMax,
  });
  const group = (port: number, path = '') =>
    groups.group({ tenant: TENANT, arn: ARN, url: `http://127.0.0.1:${port}/in${path}`, isStamped: false })!;
  return { groups, group, lines };
}

const messages = (body: string): string[] =>
  body
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { message: string }).message);

test('a sink gets batches of JSON lines in their order', async () => {
  const received: string[] = [];
  const types = new Set<string | undefined>();
  const { port } = await sink((request, response, body) => {
    types.add(`${request.method} ${request.url} ${request.headers['content-type']}`);
    received.push(...messages(body));
    response.end('thanks');
  });
  const { groups, group, lines } = logGroups();
  const sent = Array.from({ length: 2_500 }, (_, i) => `${i} "é"`);
  for (const line of sent) group(port).write(1, line);
  await groups.flush();
  expect(received).toEqual(sent);
  expect([...types]).toEqual(['POST /in application/x-ndjson']);
  expect(lines).toEqual({ delivered: 2_500, dropped: 0 });
});

test('a sink that is gone gets what was written meanwhile when it is back', async () => {
  const received: string[] = [];
  const take: Answer = (_request, response, body) => {
    received.push(...messages(body));
    response.end();
  };
  const first = await sink(take);
  const { group, lines } = logGroups();
  const behindUrl = group(first.port);
  behindUrl.write(1, 'before');
  await vi.waitFor(() => expect(lines.delivered).toBe(1), 5_000);
  first.server.closeAllConnections();
  await new Promise((resolve) => first.server.close(resolve));
  behindUrl.write(2, 'meanwhile');
  await new Promise((resolve) => setTimeout(resolve, 1_000)); // one attempt fails
  await sink(take, first.port);
  await vi.waitFor(() => expect(received).toEqual(['before', 'meanwhile']), 15_000);
  expect(lines).toEqual({ delivered: 2, dropped: 0 });
});

test('a sink that never answers costs lines beyond the bound, which are counted, and does not hold back another log group', async () => {
  const stalled = await sink(() => undefined);
  const received: string[] = [];
  const { port } = await sink((_request, response, body) => {
    received.push(...messages(body));
    response.end();
  });
  const { group, lines } = logGroups(true, 4 * 10_000);
  const stuck = group(stalled.port);
  for (let i = 0; i < 150; i++) stuck.write(1, ''.padEnd(36)); // 100 characters each with what a line takes
  expect(lines.dropped).toBe(50);
  await new Promise((resolve) => setTimeout(resolve, 700)); // the stalled call is under way
  const { group: otherGroup } = logGroups();
  otherGroup(port).write(1, 'through');
  await vi.waitFor(() => expect(received).toEqual(['through']), 5_000);
});

test('a sink that hangs up within its answer is asked again', async () => {
  let asked = 0;
  const { port } = await sink((request, response) => {
    if (++asked === 1) request.socket.destroy();
    else response.end();
  });
  const { group, lines } = logGroups();
  group(port).write(1, 'once');
  await vi.waitFor(() => expect(lines.delivered).toBe(1), 10_000);
  expect(asked).toBe(2);
});

test('an address that the tenant may not call gets no line', async () => {
  let asked = 0;
  const { port } = await sink((_request, response) => {
    asked++;
    response.end();
  });
  const { groups, group, lines } = logGroups(false);
  group(port).write(1, 'secret');
  await groups.flush();
  expect([asked, lines]).toEqual([0, { delivered: 0, dropped: 1 }]);
});
