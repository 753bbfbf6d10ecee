// A caller that repeats its headers is sent on without another look at the URL. What it must notice all the same.
import { HeaderBlock, type CallerPresence } from '@gatehouse/engine-exchange';
import { openDestinations, TenantAddressRules } from '@gatehouse/engine-upstream';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Http1Connector } from '../index.js';

const CALLER: CallerPresence = { isCallerGone: false, onCallerLeft: null, signal: new AbortController().signal };
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Answers with its name and the path, and counts connections. */
async function upstream(name: string) {
  const seen = { connections: 0, origin: '' };
  const server = createServer((request, response) => response.end(`${name} ${request.url}`));
  server.on('connection', () => seen.connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  seen.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return seen;
}

function connector(originsMax: number): Http1Connector {
  const rules = new TenantAddressRules({ allow: ['loopback'] });
  const made = new Http1Connector({ destinations: openDestinations({ rules }), originsMax });
  closing.push(() => made.close());
  return made;
}

async function call(to: Http1Connector, block: HeaderBlock, url: string, tenant = '1'): Promise<string> {
  const request = { httpMethod: 'GET', url, tenant, way: null, traceId: 't', block, headers: [], body: null, timeoutMs: 5_000 };
  const outcome = await to.call(request, CALLER);
  return 'failure' in outcome ? outcome.failure : String(outcome.body);
}

test('another URL, tenant or connector is not taken for the one before', async () => {
  const [a, b] = [await upstream('a'), await upstream('b')];
  const [one, other] = [connector(10), connector(10)];
  const block = new HeaderBlock(['Accept', '*/*']);
  const urls = [`${a.origin}/x`, `${a.origin}/x`, `${a.origin}/y?q=1`, `${b.origin}/x`, 'nonsense', `${a.origin}/x`];
  const answers = [];
  for (const url of urls) answers.push(await call(one, block, url));
  expect(answers).toEqual(['a /x', 'a /x', 'a /y?q=1', 'b /x', 'ADDRESS', 'a /x']);
  expect(a.connections).toBe(1);
  await call(one, block, `${a.origin}/x`, '2');
  await call(other, block, `${a.origin}/x`, '2');
  expect(a.connections, 'tenants and connectors share no connection').toBe(3);
});

test('an origin that was given up for others is opened anew, and keeps its connections again', async () => {
  const [a, b] = [await upstream('a'), await upstream('b')];
  const to = connector(1);
  const block = new HeaderBlock(['Accept', '*/*']);
  await call(to, block, `${a.origin}/x`);
  await call(to, new HeaderBlock([]), `${b.origin}/x`);
  await call(to, block, `${a.origin}/x`);
  await call(to, block, `${a.origin}/x`);
  expect(a.connections).toBe(2);
});
