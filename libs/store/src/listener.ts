import pg from 'pg';
import type { StoreLogger } from './prisma-store.js';

const RECONNECT_MS = 500;

/** Hears NOTIFY on one channel over a connection of its own, which it replaces when it breaks. */
export class Listener {
  readonly #subscribers = new Set<(text: string) => void>();
  #client: Promise<pg.Client> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(
    private readonly databaseUrl: string,
    private readonly channel: string,
    private readonly logger: StoreLogger,
  ) {}

  /** Resolves when the connection listens; rejects when it cannot be made. Told nothing (`''`) when something may have been missed. Call what comes back to stop. */
  async subscribe(onNotified: (text: string) => void): Promise<() => Promise<void>> {
    const subscriber = (text: string) => onNotified(text);
    this.#subscribers.add(subscriber);
    try {
      await (this.#client ??= this.#connect());
    } catch (error) {
      this.#subscribers.delete(subscriber);
      if (this.#subscribers.size === 0) this.#client = null;
      throw error;
    }
    return async () => {
      this.#subscribers.delete(subscriber);
      if (this.#subscribers.size === 0) await this.#disconnect();
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#subscribers.clear();
    await this.#disconnect();
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.databaseUrl, keepAlive: true, keepAliveInitialDelayMillis: 10_000 });
    client.on('notification', ({ payload }) => this.#tell(payload ?? ''));
    client.on('error', (error) => this.logger.warn({ error: error.message }, 'the connection that hears of publications broke'));
    await client.connect();
    try {
      await client.query(`LISTEN ${pg.escapeIdentifier(this.channel)}`);
    } catch (error) {
      await client.end();
      throw error;
    }
    client.on('end', () => this.#reconnectLater());
    return client;
  }

  #reconnectLater(): void {
    if (this.#isClosed || this.#subscribers.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#client = this.#connect();
      this.#client.then(
        () => this.#tell(''), // whatever was published in between was not heard
        () => this.#reconnectLater(),
      );
    }, RECONNECT_MS);
  }

  async #disconnect(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const client = this.#client;
    this.#client = null;
    await client?.then(
      (connected) => connected.removeAllListeners('end').end(),
      () => undefined,
    );
  }

  #tell(text: string): void {
    for (const subscriber of this.#subscribers) subscriber(text);
  }
}
