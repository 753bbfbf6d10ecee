/** What the APIs call: answers at once, and remembers which order came how often. */
import http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export class Backend {
  /** How often each order of a POST arrived. */
  readonly orders = new Map<string, number>();
  /** Milliseconds before an answer, by path: what is slow is under way when a part breaks. */
  readonly delays = new Map([
    ['/slow', 150],
    ['/post', 40],
  ]);

  /** Requests of a path wait until theirs is opened. */
  private readonly gates = new Map<string, PromiseWithResolvers<void>>();

  private constructor(private readonly server: http.Server) {
    server.on('request', (request, response) => {
      const { pathname, searchParams } = new URL(request.url!, 'http://backend');
      if (request.method === 'POST') {
        const order = searchParams.get('order') ?? '';
        this.orders.set(order, (this.orders.get(order) ?? 0) + 1);
      }
      request.resume();
      request.on('error', () => undefined);
      const answer = (): void => void response.end(`backend ${pathname}`);
      const delayMs = this.delays.get(pathname) ?? 0;
      const gate = this.gates.get(pathname);
      if (gate !== undefined) void gate.promise.then(answer);
      else if (delayMs === 0) answer();
      else setTimeout(answer, delayMs);
    });
  }

  static async start(): Promise<Backend> {
    const server = http.createServer({ keepAliveTimeout: 60_000 }).listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
    await once(server, 'listening');
    return new Backend(server);
  }

  /** From here on requests of this path are under way until it is opened. */
  shut(path: string): void {
    this.gates.set(path, Promise.withResolvers());
  }

  open(path: string): void {
    this.gates.get(path)?.resolve();
    this.gates.delete(path);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
