// A budget of connections over all upstreams: it is kept, nobody waits for ever, and a shortage of ours is no fault of an upstream.
import type { CallerPresence, UpstreamAnswer, UpstreamFailure } from '@gatehouse/engine-exchange';
import { AddressRules, CLOSED, openDestinations } from '@gatehouse/engine-upstream';
import { RawUpstream } from '@gatehouse/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConnectionBudget, Http1Connector } from '../index.js';
import { namedShortage } from './descriptors.js';

const TENANT = '123456789012';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const rules = new AddressRules({ allow: ['loopback'] });
let destinations: ReturnType<typeof openDestinations>;
let connector: Http1Connector;
let a: RawUpstream;
let b: RawUpstream;

beforeEach(async () => {
  [a, b] = await Promise.all([RawUpstream.start(() => undefined), RawUpstream.start((call) => call.send(OK))]);
  destinations = openDestinations({ rules: { rulesFor: () => rules } });
  connector = new Http1Connector({ destinations, budget: new ConnectionBudget(1) });
});
afterEach(async () => {
  await Promise.all([a.close(), b.close()]);
  await connector.close();
});

function call({ url }: RawUpstream, by = connector): Promise<UpstreamAnswer | UpstreamFailure> {
  const caller: CallerPresence = { isCallerGone: false, onCallerLeft: null, signal: new AbortController().signal };
  const rest = { httpMethod: 'GET', tenant: TENANT, traceId: '', block: null, headers: [], body: null, timeoutMs: 5_000 };
  return by.call({ url: `${url}/`, ...rest }, caller);
}

test('a connection that nobody uses is closed for one to another upstream', async () => {
  a.does((one) => one.send(OK));
  for (const upstream of [a, b, a, b]) expect(await call(upstream)).toMatchObject({ status: 200 });
  expect([a.connections, b.connections]).toEqual([2, 2]);
});

test('a call waits for a connection of its upstream, and is refused at once when that has none and all are in use', async () => {
  const first = call(a);
  const running = await a.called(1);
  const second = call(a);
  for (let i = 0; i < 30; i++) {
    const refused = (await call(b)) as UpstreamFailure;
    expect(refused).toMatchObject({ failure: 'UNAVAILABLE', retryAfterMs: 1_000 });
    expect(String(refused.cause)).toBe('Error: this node has as many connections to upstreams as it may');
  }
  expect(destinations.of(TENANT, '127.0.0.1', b.port).breakerState).toBe(CLOSED);
  a.does((one) => one.send(OK));
  running.send(OK);
  expect(await Promise.all([first, second])).toMatchObject([{ status: 200 }, { status: 200 }]);
  expect(await call(b)).toMatchObject({ status: 200 });
  expect([a.connections, b.connections]).toEqual([1, 1]);
});

test('calls beyond the connections of an upstream wait their turn, and beyond the queue they are refused with a time', async () => {
  const narrow = new Http1Connector({ destinations, connectionsPerOriginMax: 1, waitingPerOriginMax: 2 });
  const first = call(a, narrow);
  const running = await a.called(1);
  const waiting = [call(a, narrow), call(a, narrow)];
  const refused = (await call(a, narrow)) as UpstreamFailure;
  expect([refused.failure, String(refused.cause), refused.retryAfterMs]).toEqual([
    'UNAVAILABLE',
    'Error: too many calls wait for this upstream',
    1_000,
  ]);
  expect(destinations.of(TENANT, '127.0.0.1', a.port).breakerState).toBe(CLOSED);
  a.does((one) => one.send(OK));
  running.send(OK);
  for (const outcome of await Promise.all([first, ...waiting])) expect(outcome).toMatchObject({ status: 200 });
  expect([a.connections, a.calls.length]).toEqual([1, 3]);
  await narrow.close();
});

test('what the process itself lacks has a name, and nothing else has it', () => {
  expect(namedShortage(Object.assign(new Error('connect EMFILE'), { code: 'EMFILE' }))?.message).toBe(
    'this node has no file descriptor left (EMFILE)',
  );
  expect(namedShortage(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))).toBeNull();
});
