/**
 * The public keys of token issuers, as their discovery documents say (OpenID Connect Discovery 1.0). Read when they are first needed, again
 * when a token names one that is not among them, and every two hours; while the issuer does not answer, what is known stays in use.
 */
import { Buffer } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import { readAll, type CallerPresence, type Connector, type UpstreamAnswer } from '@gatehouse/engine-exchange';
import { readKey, type SigningKey } from './json-web-token.js';

/** API Gateway guide, "Quotas for HTTP APIs"; REST APIs have none of their own. */
const FRESH_MS = 2 * 60 * 60 * 1000;
const TIMEOUT_MS = 1_500;
const DOCUMENT_BYTES_MAX = 150_000;
const KEYS_MAX = 100;
/** Ours: tokens with names of keys that nobody has are not to be so many questions to the issuer. */
const PAUSE_MS = 10_000;
const ISSUERS_MAX = 1_000;

/** Of no caller's request. */
const TRACE_ID = 'Root=1-00000000-000000000000000000000000';
/** Of nobody in particular: others wait for the keys as well. */
const staying = (): CallerPresence => ({ isCallerGone: false, onCallerLeft: null, signal: new AbortController().signal });

export class IssuerKeys {
  private keys: ReadonlyMap<string, SigningKey> | null = null;
  private readAtMs = Number.NEGATIVE_INFINITY;
  private triedAtMs = Number.NEGATIVE_INFINITY;
  private reading: Promise<void> | null = null;

  constructor(
    private readonly issuer: string,
    private readonly tenant: string,
    private readonly http: Connector,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** `null`: the issuer has no such key; `UNKNOWN`: its keys could not be read. */
  find(keyId: string): SigningKey | null | Promise<SigningKey | null | 'UNKNOWN'> {
    const nowMs = this.nowMs();
    const known = this.keys?.get(keyId) ?? null;
    const isStale = nowMs - this.readAtMs >= FRESH_MS;
    const mayTry = nowMs - this.triedAtMs >= PAUSE_MS;
    if (known !== null) {
      if (isStale && mayTry) void this.read(); // for the next one
      return known;
    }
    if (this.reading === null && !mayTry) return this.keys === null ? Promise.resolve('UNKNOWN') : null;
    return this.read().then(() => (this.keys === null ? 'UNKNOWN' : (this.keys.get(keyId) ?? null)));
  }

  /** One at a time. Never rejects. */
  private read(): Promise<void> {
    if (this.reading !== null) return this.reading;
    this.triedAtMs = this.nowMs();
    this.reading = this.readNow()
      .catch(() => undefined) // keys that are known stay
      .finally(() => (this.reading = null));
    return this.reading;
  }

  private async readNow(): Promise<void> {
    const { issuer, jwks_uri: keysUrl } = await this.document(
      `${this.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
    );
    if (issuer !== this.issuer || typeof keysUrl !== 'string' || !keysUrl.startsWith('https://'))
      throw new Error('the discovery document is of somebody else');
    const { keys } = await this.document(keysUrl);
    if (!Array.isArray(keys)) throw new Error('there are no keys');
    const read = keys.slice(0, KEYS_MAX).flatMap((jwk) => readKey(jwk) ?? []);
    this.keys = new Map(read.map((key) => [key.keyId, key]));
    this.readAtMs = this.nowMs();
  }

  private async document(url: string): Promise<Record<string, unknown>> {
    const answer = await this.http.call(
      {
        httpMethod: 'GET',
        url,
        tenant: this.tenant,
        traceId: TRACE_ID,
        block: null,
        headers: ['Host', new URL(url).host, 'Accept', 'application/json'],
        body: null,
        timeoutMs: TIMEOUT_MS,
      },
      staying(),
    );
    if ('failure' in answer) throw new Error(answer.failure);
    const bytes = await bytesOf(answer);
    if (answer.status !== 200 || bytes.length > DOCUMENT_BYTES_MAX) throw new Error(`status ${answer.status}`);
    const document = JSON.parse(bytes.toString('utf8')) as unknown;
    if (typeof document !== 'object' || document === null) throw new Error('no object');
    return document as Record<string, unknown>;
  }
}

async function bytesOf({ body }: UpstreamAnswer): Promise<Buffer> {
  if (body === null || Buffer.isBuffer(body)) return body ?? Buffer.alloc(0);
  try {
    return await readAll(body, DOCUMENT_BYTES_MAX);
  } finally {
    body.on('error', () => undefined).destroy(); // of one that is too long nothing more is read
  }
}

/** Of all routes of this process, by tenant and issuer: what a tenant may reach is its own. In the order of use. */
const known = new Map<string, { readonly keys: IssuerKeys; readonly http: Connector }>();

export function keysOf(issuer: string, tenant: string, http: Connector): IssuerKeys {
  const name = `${tenant} ${issuer}`;
  const entry = known.get(name);
  known.delete(name);
  const keys = entry?.http === http ? entry.keys : new IssuerKeys(issuer, tenant, http);
  known.set(name, { keys, http });
  if (known.size > ISSUERS_MAX) known.delete(known.keys().next().value!);
  return keys;
}
