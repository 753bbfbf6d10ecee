/**
 * Answers that nodes share, in Redis. It is asked once per stampede, and never waited for: what has not come within `answerMs` is not there, and
 * after that, or after an error, nobody asks for `restMs`. Writes are sent and forgotten, up to a bound of bytes on their way.
 */
import type { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { CacheScope, ResponseStore, StoredResponse } from '@gatehouse/engine-response-cache';
import { PASS } from '@gatehouse/engine-response-cache';
import { Redis } from 'ioredis';
import { Sealer } from './sealer.js';

export interface RedisResponsesOptions {
  /** `redis://user:password@host:6379/0`, `rediss://...` */
  readonly url: string;
  readonly nodeToken: string;
  /** A miss may take so much longer. */
  readonly answerMs?: number;
  readonly restMs?: number;
  /** Told at the first failure after a time without. */
  readonly onTrouble?: (cause: Error) => void;
}

const ANSWER_MS = 5;
const REST_MS = 1_000;
const RETRY_MAX_MS = 2_000;
/** Of writes: what comes beyond is not shared. */
const SENDING_BYTES_MAX = 16 * 1024 * 1024;

export class RedisResponses implements ResponseStore {
  private readonly client: Redis;
  private readonly sealer: Sealer;
  private readonly answerMs: number;
  private readonly restMs: number;
  private restsUntilMs = -Infinity;
  private isTroubled = false;
  private sendingBytes = 0;

  constructor(private readonly options: RedisResponsesOptions) {
    this.answerMs = options.answerMs ?? ANSWER_MS;
    this.restMs = options.restMs ?? REST_MS;
    this.sealer = new Sealer(options.nodeToken);
    this.client = new Redis(options.url, {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      commandTimeout: REST_MS,
      connectTimeout: REST_MS,
      retryStrategy: (attempt) => Math.min(100 * attempt, RETRY_MAX_MS),
    });
    this.client.on('error', (cause: Error) => this.trouble(cause));
  }

  /** Whether it would be asked now. */
  get isAtWork(): boolean {
    return this.client.status === 'ready' && performance.now() >= this.restsUntilMs;
  }

  async find(scope: CacheScope, key: string, nowMs: number): Promise<StoredResponse | null> {
    if (!this.isAtWork) return null;
    const name = nameOf(scope, key);
    const asked = this.ask(name).catch((cause: Error) => {
      this.trouble(cause);
      return null;
    });
    const found = await this.inTime(asked);
    if (found === null) return null;
    const opened = this.sealer.open(name, found.sealed);
    return opened === null ? null : { ...opened, startedAtMs: nowMs, expiresAtMs: nowMs + found.ttlMs };
  }

  keep(scope: CacheScope, key: string, response: StoredResponse, nowMs: number): Promise<boolean> {
    const ttlMs = Math.floor(response.expiresAtMs - nowMs);
    if (response.kind === PASS || ttlMs < 1 || !this.isAtWork) return Promise.resolve(false);
    const name = nameOf(scope, key);
    const sealed = this.sealer.seal(name, response);
    if (this.sendingBytes + sealed.length > SENDING_BYTES_MAX) return Promise.resolve(false);
    this.sendingBytes += sealed.length;
    return this.client
      .set(name, sealed, 'PX', ttlMs)
      .then(
        () => {
          this.isTroubled = false;
          return true;
        },
        (cause: Error) => {
          this.trouble(cause);
          return false;
        },
      )
      .finally(() => (this.sendingBytes -= sealed.length));
  }

  close(): void {
    this.client.disconnect();
  }

  private async ask(name: string): Promise<{ readonly sealed: Buffer; readonly ttlMs: number } | null> {
    const [sealed, ttlMs] = await Promise.all([this.client.getBuffer(name), this.client.pttl(name)]);
    this.isTroubled = false;
    return sealed === null || ttlMs < 1 ? null : { sealed, ttlMs };
  }

  private inTime<T>(answer: Promise<T | null>): Promise<T | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.trouble(new Error(`no answer within ${this.answerMs} ms`));
        resolve(null);
      }, this.answerMs);
      void answer.then((found) => {
        clearTimeout(timer);
        resolve(found);
      });
    });
  }

  private trouble(cause: Error): void {
    this.restsUntilMs = performance.now() + this.restMs;
    if (this.isTroubled) return;
    this.isTroubled = true;
    this.options.onTrouble?.(cause);
  }
}

/** Tells nothing of the values in the key. */
function nameOf({ id }: CacheScope, key: string): string {
  return `gatehouse:response:${createHash('sha256').update(`${id}\n${key}`, 'utf8').digest('base64url')}`;
}
