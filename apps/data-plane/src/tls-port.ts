/** The HTTPS port and the certificates behind it. */
import { CertificateStore, createTlsServer, FolderCertificates } from '@gatehouse/engine-tls';
import type { Clock } from '@gatehouse/kernel';
import type { MetricsRegistry } from '@gatehouse/telemetry';
import type { AddressInfo } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { Config } from './config.js';
import type { WorldCertificates } from './world-certificates.js';

export interface TlsPortDependencies {
  readonly worldCertificates: WorldCertificates;
  readonly sharesPort: boolean;
  readonly clock: Clock;
  readonly metrics: MetricsRegistry;
  readonly log: Logger;
  readonly onHttp1: (socket: TLSSocket) => void;
  readonly onHttp2: (socket: TLSSocket) => void;
}

/** Before a certificate runs out; time enough for somebody to act. */
const ALARM_DAYS = 30;
/** After a failure to listen. */
const RETRY_MS = 10_000;
const ALARM_EVERY_MS = 24 * 60 * 60 * 1_000;

export class TlsPort {
  private server: Server | null = null;
  private retry: NodeJS.Timeout | null = null;
  private isClosed = false;

  private constructor(
    private readonly config: Config,
    private readonly dependencies: TlsPortDependencies,
    private readonly folder: FolderCertificates | null,
    private readonly store: CertificateStore,
    private readonly onHandshakeFailure: () => void,
    private readonly alarms: NodeJS.Timeout,
  ) {}

  /**
   * With a folder the port is open on return, and a port in use rejects: the operator asked for it. Without one it opens with the first
   * certificate of a domain name, at any later time, and a port in use is logged and tried again: no tenant's domain name keeps a node
   * from serving everybody else.
   */
  static async open(config: Config, dependencies: TlsPortDependencies): Promise<TlsPort> {
    const { clock, metrics, log, worldCertificates } = dependencies;
    const folder = config.tlsDir === '' ? null : await openFolder(config.tlsDir, clock, log);
    const store = new CertificateStore({
      // A host that the operator has a certificate for is the operator's.
      sources: folder === null ? [worldCertificates] : [folder, worldCertificates],
      clock,
      onUnusable: ({ label }, cause) => log.error({ certificate: label, err: cause }, 'certificate cannot be used'),
    });
    const failed = metrics.counter('gatehouse_tls_failed_handshakes_total', 'TLS handshakes of callers that came to nothing');
    metrics.gauge('gatehouse_tls_expiring_certificates', `Certificates that end within ${ALARM_DAYS} days`, () => {
      return store.expiringWithin(ALARM_DAYS).length;
    });
    const alarm = (): void => {
      for (const { label, expiresAtMs } of store.expiringWithin(ALARM_DAYS))
        log.warn({ certificate: label, endsAt: new Date(expiresAtMs).toISOString() }, 'certificate ends soon');
    };
    alarm();
    const alarms = setInterval(alarm, ALARM_EVERY_MS).unref();
    const port = new TlsPort(config, dependencies, folder, store, () => failed.add(1), alarms);
    if (folder !== null) await port.listen();
    else {
      await port.listenIfNeeded();
      store.onChange(() => void port.listenIfNeeded());
    }
    return port;
  }

  /** `null` while nobody needs it. */
  get port(): number | null {
    const address = this.server?.address() ?? null;
    return address === null ? null : (address as AddressInfo).port;
  }

  /** Takes no new connections. */
  close(): void {
    this.isClosed = true;
    clearInterval(this.alarms);
    if (this.retry !== null) clearTimeout(this.retry);
    this.server?.close();
    this.folder?.close();
  }

  private async listenIfNeeded(): Promise<void> {
    if (this.server !== null || this.retry !== null || this.isClosed || this.dependencies.worldCertificates.isEmpty) return;
    const { log } = this.dependencies;
    try {
      await this.listen();
      log.info({ port: this.port }, 'HTTPS opened for custom domain names');
    } catch (cause) {
      log.error({ err: cause }, 'HTTPS cannot be opened; custom domain names are served over HTTP alone');
      this.retry = setTimeout(() => {
        this.retry = null;
        void this.listenIfNeeded();
      }, RETRY_MS).unref();
    }
  }

  /** Rejects when the port is in use. */
  private async listen(): Promise<void> {
    const { config, store, onHandshakeFailure } = this;
    const { sharesPort, onHttp1, onHttp2 } = this.dependencies;
    const { connectionsMax } = config;
    const server = createTlsServer({ store, onHttp1, onHttp2, connectionsMax, onHandshakeFailure });
    this.server = server;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port: config.tlsPort, host: config.bind, reusePort: sharesPort }, () => {
          server.removeAllListeners('error');
          resolve();
        });
      });
    } catch (cause) {
      this.server = null;
      server.close(); // it never listened, and lets go of the store
      if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
      throw new Error(`Port ${config.tlsPort} is in use. Set GATEHOUSE_TLS_PORT to another one.`, { cause });
    }
  }
}

function openFolder(folder: string, clock: Clock, log: Logger): Promise<FolderCertificates> {
  return FolderCertificates.open(folder, {
    clock,
    onRead: ({ certificateCount, problems }) => {
      for (const problem of problems) log.error({ problem }, 'certificate cannot be used');
      log.info({ certificateCount, folder }, 'certificates read');
    },
  });
}
