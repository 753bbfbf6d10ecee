/** The HTTPS port and the certificates behind it. */
import { CertificateStore, createTlsServer, FolderCertificates } from '@gatehouse/engine-tls';
import type { Clock } from '@gatehouse/kernel';
import type { MetricsRegistry } from '@gatehouse/telemetry';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { Config } from './config.js';

export interface TlsPort {
  readonly port: number;
  /** Takes no new connections. */
  close(): void;
}

export interface TlsPortDependencies {
  readonly sharesPort: boolean;
  readonly clock: Clock;
  readonly metrics: MetricsRegistry;
  readonly log: Logger;
  readonly onHttp1: (socket: TLSSocket) => void;
  readonly onHttp2: (socket: TLSSocket) => void;
}

/** Before a certificate runs out; time enough for somebody to act. */
const ALARM_DAYS = 30;
const ALARM_EVERY_MS = 24 * 60 * 60 * 1_000;

/** Rejects when the port is in use. A folder without a usable certificate is logged: they may come. */
export async function openTlsPort(config: Config, dependencies: TlsPortDependencies): Promise<TlsPort> {
  const { sharesPort, clock, metrics, log, onHttp1, onHttp2 } = dependencies;
  const folder = await FolderCertificates.open(config.tlsDir, {
    clock,
    onRead: ({ certificateCount, problems }) => {
      for (const problem of problems) log.error({ problem }, 'certificate cannot be used');
      log.info({ certificateCount, folder: config.tlsDir }, 'certificates read');
    },
  });
  const store = new CertificateStore({
    sources: [folder],
    clock,
    onUnusable: ({ label }, cause) => log.error({ certificate: label, err: cause }, 'certificate cannot be used'),
  });
  const failed = metrics.counter('gatehouse_tls_failed_handshakes_total', 'TLS handshakes of callers that came to nothing');
  metrics.gauge('gatehouse_tls_expiring_certificates', `Certificates that end within ${ALARM_DAYS} days`, () => {
    return [...store.expiringWithin(ALARM_DAYS)].length;
  });
  const alarm = (): void => {
    for (const { label, expiresAtMs } of store.expiringWithin(ALARM_DAYS))
      log.warn({ certificate: label, endsAt: new Date(expiresAtMs).toISOString() }, 'certificate ends soon');
  };
  alarm();
  const alarms = setInterval(alarm, ALARM_EVERY_MS).unref();
  const server = createTlsServer({
    store,
    onHttp1,
    onHttp2,
    connectionsMax: config.connectionsMax,
    onHandshakeFailure: () => failed.add(1),
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const isTaken = cause.code === 'EADDRINUSE';
      reject(isTaken ? new Error(`Port ${config.tlsPort} is in use. Set GATEHOUSE_TLS_PORT to another one.`, { cause }) : cause);
    });
    server.listen({ port: config.tlsPort, host: config.bind, reusePort: sharesPort }, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      clearInterval(alarms);
      server.close();
      folder.close();
    },
  };
}
