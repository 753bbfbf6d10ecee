import { inTurns, MetricsRegistry, prometheusSlices } from '@gatehouse/telemetry';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startAdminServer, type AdminServer } from './admin-server.js';

let server: AdminServer;
let waitingFor: string[];
beforeEach(async () => {
  waitingFor = [];
  server = await startAdminServer({
    bind: '127.0.0.1',
    port: 0,
    metrics: () => inTurns(prometheusSlices(new MetricsRegistry())),
    notReady: () => waitingFor,
    snapshot: (_, response) => void response.writeHead(401).end(),
  });
});
afterEach(() => server.close());

const get = async (path: string, method = 'GET') => {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  return [response.status, await response.text()] as const;
};

test('readiness says what is missing', async () => {
  waitingFor = ['manifest'];
  expect(await get('/readyz')).toEqual([503, '{"status":"not ready","waitingFor":["manifest"]}\n']);
  waitingFor = [];
  expect(await get('/readyz?x=1')).toEqual([200, '{"status":"ready"}\n']);
});

test('health, metrics, and nothing else', async () => {
  expect(await get('/healthz')).toEqual([200, '{"status":"ok"}\n']);
  expect((await get('/metrics'))[1]).toContain('# TYPE gatehouse_node_latency_milliseconds histogram');
  expect((await get('/other'))[0]).toBe(404);
  expect((await get('/readyz', 'POST'))[0]).toBe(405);
});
