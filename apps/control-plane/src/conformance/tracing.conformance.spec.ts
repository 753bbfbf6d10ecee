/** Spans of what no request waits for, as a collector receives them. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createMockApi, startControlPlaneHouse } from '@gatehouse/testkit';
import { openNode } from '@gatehouse/tools-node-link';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { composition } from './composition.js';

interface Span {
  readonly traceId: string;
  readonly name: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly status?: { readonly code?: number };
}

afterEach(() => vi.unstubAllEnvs());

test('a change that is pushed is one trace over its nodes, and a job is one of its own', async () => {
  const spans: Span[] = [];
  const collector = createServer((request, response) => {
    void buffer(request).then((body) => {
      const { resourceSpans = [] } = JSON.parse(body.toString()) as { resourceSpans?: { scopeSpans: { spans: Span[] }[] }[] };
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scoped) => scoped.spans)));
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  onTestFinished(() => void collector.close());
  const collectorUrl = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/traces`;
  for (const [name, value] of Object.entries({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: collectorUrl,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '50',
  }))
    vi.stubEnv(name, value);
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-spans-'));
  const house = await startControlPlaneHouse(composition);
  onTestFinished(async () => {
    await house.close();
    await rm(folder, { recursive: true, force: true });
  });
  const tenant = await house.tenant();
  const nodeIds: string[] = [];
  for (const name of ['a', 'b']) {
    const { link } = await openNode(path.join(folder, name), house.plane.grpcPort, {
      token: house.config.nodeToken,
      silenceMs: 15_000,
    });
    onTestFinished(() => link.close());
    link.connect();
    await vi.waitFor(() => expect(link.status.connected).toBe(true));
    nodeIds.push(link.nodeId);
  }
  const { restApiId } = await createMockApi(tenant.apiGateway);
  await tenant.apiGateway.createDeployment({ restApiId, stageName: 'dev' });

  const pushes = () => spans.filter(({ name }) => name.startsWith('push '));
  const jobs = () => spans.filter(({ name }) => name === 'job roll-up-metrics');
  const value = ({ attributes }: Span, name: string) =>
    Object.values(attributes.find(({ key }) => key === `gatehouse.${name}`)!.value)[0];
  await vi.waitFor(() => expect(pushes()).toHaveLength(2), { timeout: 15_000 });
  expect(new Set(pushes().map((span) => value(span, 'node')))).toEqual(new Set(nodeIds));
  expect(new Set(pushes().map(({ traceId }) => traceId)).size, 'one revision, one trace').toBe(1);
  for (const span of pushes()) {
    expect([value(span, 'acknowledged'), value(span, 'refused'), Number(value(span, 'entries'))]).toEqual([true, 0, 1]);
    expect(span.status?.code ?? 0).toBe(0);
  }
  // Its scheduler runs it at the start.
  await vi.waitFor(() => expect(jobs().length).toBeGreaterThan(0), { timeout: 15_000 });
  expect(jobs()[0]!.traceId).not.toBe(pushes()[0]!.traceId);
}, 60_000);
