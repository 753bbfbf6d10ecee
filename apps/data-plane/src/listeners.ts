/**
 * What callers connect to: one port for HTTP, one for HTTPS when there are certificates, of the operator or of domain names. Both speak HTTP/1.1 and HTTP/2; a socket
 * is handed to the side whose protocol it speaks.
 *
 *   :8080 -> Http1Listener --(preface of HTTP/2)--> Http2Sessions
 *   :8443 -> TLS --(ALPN)--> either
 */
import type { JournalKeeper } from '@gatehouse/engine-exchange';
import { HttpListener } from '@gatehouse/engine-http';
import { Http1Listener } from '@gatehouse/engine-http1';
import { Http2Sessions } from '@gatehouse/engine-http2';
import type { WorldKeeper } from '@gatehouse/engine-link';
import type { Recorder } from '@gatehouse/engine-record';
import type { Clock } from '@gatehouse/kernel';
import type { MetricsRegistry, Tracing } from '@gatehouse/telemetry';
import type { Logger } from 'pino';
import type { Config } from './config.js';
import { descriptorLimit, descriptorShares } from './descriptors.js';
import { TlsPort } from './tls-port.js';
import type { WorldCertificates } from './world-certificates.js';

export interface Listeners {
  readonly port: number;
  /** Of HTTPS; `null` while there is none. */
  readonly tlsPort: number | null;
  /** Each answer is the last on its connection from here on. */
  leave(): void;
  /** Takes no new connections and lets requests finish; what is left at the deadline is cut. */
  close(options: { readonly deadlineMs: number }): Promise<void>;
}

export interface ListenerDependencies {
  readonly worlds: WorldKeeper;
  /** Of the same World. */
  readonly worldCertificates: WorldCertificates;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly metrics: MetricsRegistry;
  readonly tracing?: Tracing | null;
  readonly journalKeeper?: JournalKeeper | null;
  readonly log: Logger;
  readonly onBug: (bug: unknown) => void;
  /** Other processes listen on the same port; the kernel spreads connections over them. */
  readonly sharesPort: boolean;
}

/** Resolves when requests are taken; rejects when a port is in use. */
export async function openListeners(config: Config, dependencies: ListenerDependencies): Promise<Listeners> {
  return config.engine === 'node-http' ? openReference(config, dependencies) : openPlainSockets(config, dependencies);
}

async function openReference(
  config: Config,
  { sharesPort, worldCertificates: _, ...rest }: ListenerDependencies,
): Promise<Listeners> {
  const listener = new HttpListener({ ...rest, baseDomain: config.baseDomain });
  await listener.listen(config.port, config.bind, { reusePort: sharesPort });
  return { port: listener.port, tlsPort: null, leave: () => undefined, close: (options) => listener.close(options) };
}

async function openPlainSockets(config: Config, dependencies: ListenerDependencies): Promise<Listeners> {
  const { worlds, recorder, clock, metrics, tracing = null, journalKeeper = null, log, onBug, sharesPort } = dependencies;
  const { worldCertificates } = dependencies;
  const common = { worlds, recorder, clock, tracing, journalKeeper, onBug, baseDomain: config.baseDomain };
  const refused = metrics.counter(
    'gatehouse_http_refused_total',
    'Requests and connections refused before they were a request: unreadable, too slow, too many, no memory',
  );
  const connectionsMax = callersMax(config, log);
  const http1: Http1Listener = new Http1Listener({
    ...common,
    connectionsMax,
    connectionsPerAddressMax: config.connectionsPerAddressMax,
    onRefused: () => refused.add(1),
    onHttp2: (socket) => http2.accept(socket),
  });
  const http2 = new Http2Sessions({ ...common, isShedding: () => http1.isShedding, onSessionEnd: () => refused.add(1) });
  watchListeners(metrics, http1, http2);
  await http1.listen(config.port, config.bind, { reusePort: sharesPort });
  const tls = await TlsPort.open(
    { ...config, connectionsMax },
    {
      worldCertificates,
      sharesPort,
      clock,
      metrics,
      log,
      onHttp1: (s) => http1.accept(s),
      onHttp2: (s) => http2.accept(s),
    },
  );
  return {
    port: http1.port,
    get tlsPort() {
      return tls.port;
    },
    leave: () => http1.leave(),
    close: async (options) => {
      tls.close();
      await Promise.all([http1.close(options), http2.close(options)]);
    },
  };
}

/** As configured, or fewer where descriptors are few. */
function callersMax({ connectionsMax }: Config, log: Logger): number {
  const limit = descriptorLimit();
  const { callers } = descriptorShares(limit);
  if (callers >= connectionsMax) return connectionsMax;
  log.warn({ connectionsMax: callers, configured: connectionsMax, descriptors: limit }, 'fewer connections: descriptors are few');
  return callers;
}

function watchListeners(metrics: MetricsRegistry, http1: Http1Listener, http2: Http2Sessions): void {
  metrics.gauge('gatehouse_http_connections', 'Connections of callers', () => http1.openConnections);
  metrics.gauge('gatehouse_http_in_flight', 'Requests without an answer yet', () => http1.inFlightCount + http2.inFlightCount);
  metrics.gauge('gatehouse_http_shedding', '1 while new requests are refused because memory is short', () =>
    Number(http1.isShedding),
  );
}
