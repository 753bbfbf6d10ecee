/** OpenTelemetry's collector is away, slow, or refuses. */
import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Scenario } from '../scenario.js';
import { eventually, sleep } from '../wait.js';

const REQUESTS = 300;
const COUNTED_MS = 20_000;

const servers: readonly (readonly [string, () => net.Server | http.Server | null])[] = [
  ['down', () => null],
  ['silent', () => net.createServer((socket) => void socket.on('error', () => undefined).resume())],
  [
    'refusing',
    () => http.createServer((request, response) => void request.resume().on('end', () => response.writeHead(503).end())),
  ],
];

export const telemetrySink: Scenario = {
  name: 'telemetry-sink',
  guarantee: 'a collector that is down, silent or refusing costs spans, which are counted, and no request',
  isLong: true,
  run: async (fleet, tell) => {
    for (const [what, make] of servers) {
      const server = make() ?? net.createServer();
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      if (what === 'down') server.close();
      const node = await fleet.guest(`traced-${what}`, {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        OTEL_EXPORTER_OTLP_TIMEOUT: '500',
        OTEL_METRICS_EXPORTER: 'none',
        OTEL_TRACES_SAMPLER: 'always_on',
        OTEL_BSP_SCHEDULE_DELAY: '100',
        OTEL_BSP_EXPORT_TIMEOUT: '500',
        OTEL_BSP_MAX_QUEUE_SIZE: '100',
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '50',
      });
      await node.part.start();
      await eventually(`${node.name} is ready`, COUNTED_MS, () => node.isReady());
      for (let count = 0; count < REQUESTS; count++) {
        assert.equal((await fleet.call(node, '/mock')).status, 200, `sink ${what}`);
        await sleep(5);
      }
      const metric = 'gatehouse_telemetry_dropped_spans_total';
      await eventually(`dropped spans are counted (sink ${what})`, COUNTED_MS, async () => (await node.metric(metric)) > 0);
      tell(`sink ${what}: ${REQUESTS} requests answered, ${await node.metric(metric)} spans dropped so far`);
      assert.equal(await node.part.terminate(), 0);
      if (server instanceof http.Server) server.closeAllConnections();
      if (server.listening) server.close();
    }
  },
};
