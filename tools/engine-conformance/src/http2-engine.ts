/** HTTP/2 in front of the plain-socket client: what a caller's fields become in a message of HTTP/1.1. */
import { Http2Sessions } from '@gatehouse/engine-http2';
import type { HttpListenerOptions } from '@gatehouse/engine-http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { PLAIN, type Engine, type Listener } from './engines.js';

/** On a cleartext port, by prior knowledge. */
class Http2Listener implements Listener {
  private readonly sessions: Http2Sessions;
  private readonly server: Server;

  constructor(options: HttpListenerOptions) {
    this.sessions = new Http2Sessions(options);
    this.server = createServer((socket) => this.sessions.accept(socket));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get inFlightCount(): number {
    return this.sessions.inFlightCount;
  }

  async listen(port: number, host: string): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(port, host, resolve));
  }

  async close(options: { readonly deadlineMs: number }): Promise<void> {
    this.server.close();
    await this.sessions.close(options);
  }
}

export const HTTP2: Engine = { ...PLAIN, name: 'HTTP/2', listener: (options) => new Http2Listener(options) };
