import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PROMETHEUS_CONTENT_TYPE } from '@gatehouse/telemetry';

export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * The node's own port, for operators and load balancers: `/healthz` (the process lives), `/readyz` (requests would be
 * served), `/metrics` (Prometheus text) and `/snapshot` (what this node serves, for a sibling that shows the node token).
 */
export async function startAdminServer(options: {
  readonly bind: string;
  readonly port: number;
  /** The page of a scrape; in slices where requests are served on the same thread. */
  readonly metrics: () => AsyncIterable<string> | Promise<string>;
  /** What keeps the node from being ready; empty when it is. */
  readonly notReady: () => readonly string[];
  readonly snapshot: (request: IncomingMessage, response: ServerResponse) => void;
  /** More to say about readiness. */
  readonly details?: () => object;
}): Promise<AdminServer> {
  const server = createServer((request, response) => {
    const answer = (status: number, contentType: string, body: string) => {
      response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' });
      response.end(request.method === 'HEAD' ? '' : body);
    };
    const json = (status: number, body: object) => answer(status, 'application/json', `${JSON.stringify(body)}\n`);
    if (request.method !== 'GET' && request.method !== 'HEAD') return json(405, { message: 'Method Not Allowed' });
    switch (request.url?.split('?', 1)[0]) {
      case '/healthz':
        return json(200, { status: 'ok' });
      case '/readyz': {
        const waitingFor = options.notReady();
        const details = options.details?.();
        if (waitingFor.length === 0) return json(200, { status: 'ready', ...details });
        return json(503, { status: 'not ready', waitingFor, ...details });
      }
      case '/metrics':
        return void scrape(options.metrics(), request, response);
      case '/snapshot':
        return options.snapshot(request, response);
      default:
        return json(404, { message: 'Not Found' });
    }
  });
  await listen(server, options.bind, options.port);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A scraper that leaves or reads slowly holds up nothing but its own page. */
async function scrape(
  page: AsyncIterable<string> | Promise<string>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const slices = page instanceof Promise ? [await page] : page;
  response.writeHead(200, { 'content-type': PROMETHEUS_CONTENT_TYPE, 'cache-control': 'no-store' });
  if (request.method === 'HEAD') response.end();
  else await pipeline(Readable.from(slices), response).catch(() => undefined); // the scraper left
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
