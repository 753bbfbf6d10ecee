/** TLS in front of the listeners: certificate by SNI, protocol by ALPN, and the socket is handed over. */
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { CertificateStore } from './certificate-store.js';

export interface TlsServerOptions {
  readonly store: CertificateStore;
  /** In order of preference. A caller that offers others only is refused; one that offers none gets HTTP/1.1. */
  readonly protocols?: readonly ('h2' | 'http/1.1')[];
  readonly onHttp1: (socket: TLSSocket) => void;
  readonly onHttp2: (socket: TLSSocket) => void;
  /** For the whole handshake. */
  readonly handshakeTimeoutMs?: number;
  /** Handshakes and connections together; further ones are closed unheard. */
  readonly connectionsMax?: number;
  /** A handshake that came to nothing; for a counter: anybody can cause it. */
  readonly onHandshakeFailure?: (code: string) => void;
}

/** Not listening yet. New certificates of the store are used from the next handshake on. */
export function createTlsServer(options: TlsServerOptions): Server {
  const { store } = options;
  const server = createServer({
    ...defaultOf(store),
    ALPNProtocols: [...(options.protocols ?? ['h2', 'http/1.1'])],
    handshakeTimeout: options.handshakeTimeoutMs ?? 10_000,
    noDelay: true,
    SNICallback: (hostName, done) => {
      const context = store.contextFor(hostName);
      if (context === null) done(new Error('no certificate for this name'));
      else done(null, context);
    },
  });
  server.maxConnections = options.connectionsMax ?? 65_536;
  server.on('secureConnection', (socket) => {
    // `servername` is what the caller sent; Node's types do not have it on this side.
    if (!store.allows((socket as TLSSocket & { servername?: string | false }).servername || false, socket.getProtocol())) {
      options.onHandshakeFailure?.('VERSION_TOO_OLD');
      socket.destroy();
      return;
    }
    if (socket.alpnProtocol === 'h2') options.onHttp2(socket);
    else options.onHttp1(socket);
  });
  server.on('tlsClientError', (cause: NodeJS.ErrnoException, socket) => {
    options.onHandshakeFailure?.(cause.code ?? 'UNKNOWN');
    socket.destroy();
  });
  let shown = store.default;
  const forget = store.onChange(() => {
    if (store.default === shown) return; // a context costs what a handshake does, and most changes are of other certificates
    shown = store.default;
    server.setSecureContext(defaultOf(store));
  });
  server.on('close', forget);
  return server;
}

/** What a caller without SNI meets; without a certificate, its handshake fails. */
function defaultOf(store: CertificateStore): { cert?: string; key?: string; minVersion: CertificateStore['minVersion'] } {
  const { default: certificate, minVersion } = store;
  if (certificate === null || store.contextFor(null) === null) return { minVersion };
  return { cert: certificate.chainPem, key: certificate.keyPem.reveal(), minVersion };
}
