/** What callers connect to. */
import { HttpListener } from '@gatehouse/engine-http';
import { Http1Listener } from '@gatehouse/engine-http1';
import type { WorldKeeper } from '@gatehouse/engine-link';
import type { Recorder } from '@gatehouse/engine-record';
import type { Clock } from '@gatehouse/kernel';
import type { MetricsRegistry } from '@gatehouse/telemetry';
import type { Config } from './config.js';

export interface Listeners {
  readonly port: number;
  /** Takes no new connections and lets requests finish; what is left at the deadline is cut. */
  close(options: { readonly deadlineMs: number }): Promise<void>;
}

export interface ListenerDependencies {
  readonly worlds: WorldKeeper;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly metrics: MetricsRegistry;
  readonly onBug: (bug: unknown) => void;
  /** Other processes listen on the same port; the kernel spreads connections over them. */
  readonly sharesPort: boolean;
}

/** Resolves when requests are taken; rejects when the port is in use. */
export async function openListeners(config: Config, dependencies: ListenerDependencies): Promise<Listeners> {
  const { sharesPort, metrics, ...rest } = dependencies;
  const options = { ...rest, baseDomain: config.baseDomain };
  const listener = config.engine === 'node-http' ? new HttpListener(options) : openHttp1(config, options, metrics);
  await listener.listen(config.port, config.bind, { reusePort: sharesPort });
  return listener;
}

function openHttp1(
  { connectionsMax, connectionsPerAddressMax }: Config,
  options: Omit<ListenerDependencies, 'sharesPort' | 'metrics'> & { readonly baseDomain: string },
  metrics: MetricsRegistry,
): Http1Listener {
  const refused = metrics.counter(
    'gatehouse_http_refused_total',
    'Requests and connections refused before they were a request: unreadable, too slow, too many, no memory',
  );
  const listener = new Http1Listener({ ...options, connectionsMax, connectionsPerAddressMax, onRefused: () => refused.add(1) });
  metrics.gauge('gatehouse_http_connections', 'Connections of callers', () => listener.openConnections);
  metrics.gauge('gatehouse_http_in_flight', 'Requests that have no answer yet', () => listener.inFlightCount);
  metrics.gauge('gatehouse_http_shedding', '1 while new requests are refused because memory is short', () =>
    Number(listener.isShedding),
  );
  return listener;
}
