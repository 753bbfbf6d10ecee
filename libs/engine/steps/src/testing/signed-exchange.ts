/** Requests signed by the SDK's own signer, as an Exchange sees them. */
import { Buffer } from 'node:buffer';
import { createHash, createHmac } from 'node:crypto';
import { Readable } from 'node:stream';
import { Exchange, type AccessKeyView } from '@gatehouse/engine-exchange';
import type { StageSnapshot } from '@gatehouse/contracts';
import { deriveSigningKey } from '@gatehouse/sigv4';
import { SignatureV4 } from '@smithy/signature-v4';

export const NOW = Date.UTC(2026, 10, 20, 10, 11, 12);
export const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
export const ACCESS_KEY_ID = 'AKIAIOSFODNN7EXAMPLE';
const HOST = 'abc123defg.execute-api.localhost';
const DAY_MS = 86_400_000;

class Sha256 {
  private readonly hash;
  constructor(secret?: ArrayBuffer | ArrayBufferView | string) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }
  update(bytes: Uint8Array): void {
    this.hash.update(bytes);
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.hash.digest());
  }
  reset(): void {}
}

function bytesOf(data: ArrayBuffer | ArrayBufferView | string): Uint8Array | string {
  if (typeof data === 'string') return data;
  return data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** With signing keys of the seven days before and of today. */
export function accessKey(over: Partial<AccessKeyView> = {}): AccessKeyView {
  return {
    accessKeyId: ACCESS_KEY_ID,
    tenant: '123456789012',
    principalArn: 'arn:aws:iam::123456789012:user/ann',
    userId: ACCESS_KEY_ID,
    policy: null,
    session: null,
    signingKey: (date, region) => {
      const ageMs = NOW - Date.parse(`${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}T00:00:00Z`);
      return ageMs < 0 || ageMs > 8 * DAY_MS ? null : deriveSigningKey(SECRET, date, region, 'execute-api');
    },
    ...over,
  };
}

export interface Signing {
  readonly method?: string;
  readonly path?: string;
  readonly query?: Record<string, string | string[]>;
  readonly headers?: Record<string, string>;
  /** A character, a byte. */
  readonly body?: string;
  readonly host?: string;
  readonly presignedForSeconds?: number;
  readonly atMs?: number;
  readonly service?: string;
  readonly region?: string;
  readonly accessKeyId?: string;
  readonly secret?: string;
  readonly sessionToken?: string;
  /** botocore and others state no hash of the body. */
  readonly statesPayloadHash?: boolean;
  /** False: no signature at all. */
  readonly isSigned?: boolean;
}

export interface SentRequest {
  method: string;
  path: string;
  rawQuery: string;
  headers: Record<string, string>;
  body: string | undefined;
}

const strictly = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

export async function signedRequest(signing: Signing = {}): Promise<SentRequest> {
  const { method = 'GET', path = '/dev/pets', query = {}, headers = {}, body, host = HOST } = signing;
  const signer = new SignatureV4({
    service: signing.service ?? 'execute-api',
    region: signing.region ?? 'us-east-1',
    sha256: Sha256,
    applyChecksum: signing.statesPayloadHash ?? true,
    credentials: {
      accessKeyId: signing.accessKeyId ?? ACCESS_KEY_ID,
      secretAccessKey: signing.secret ?? SECRET,
      ...(signing.sessionToken !== undefined && { sessionToken: signing.sessionToken }),
    },
  });
  const bytes = body === undefined ? undefined : Buffer.from(body, 'latin1');
  const unsigned = { method, protocol: 'http:', hostname: host, path, query, headers: { host, ...headers }, body: bytes };
  const signingDate = new Date(signing.atMs ?? NOW);
  const expiresIn = signing.presignedForSeconds;
  let result: { readonly headers: Record<string, string>; readonly query?: unknown } = unsigned;
  if (signing.isSigned !== false)
    result = await (expiresIn === undefined
      ? signer.sign(unsigned, { signingDate })
      : signer.presign(unsigned, { signingDate, expiresIn }));
  const rawQuery = Object.entries((result.query ?? {}) as typeof query)
    .flatMap(([name, value]) => [value].flat().map((item) => `${strictly(name)}=${strictly(item)}`))
    .join('&');
  return { method, path, rawQuery, headers: { ...result.headers }, body };
}

/** As it arrives; `reads` counts how often the body was opened. */
export function exchangeOf(
  request: SentRequest,
  stage: StageSnapshot,
  key: AccessKeyView | null,
  reads: { count: number } = { count: 0 },
): Exchange {
  const x = new Exchange();
  x.httpMethod = request.method;
  x.path = request.path;
  x.resourcePath = request.path.replace(/^\/dev/, '') || '/';
  x.host = (request.headers['host'] ?? HOST).replace(/:\d+$/, '');
  x.rawQuery = request.rawQuery;
  x.receivedAtMs = NOW;
  x.sourceIp = '203.0.113.9';
  x.requestHeaders = Object.entries(request.headers).flat();
  x.stage = {
    digest: '',
    snapshot: stage,
    faults: { render: () => undefined },
    metrics: { record: () => undefined },
    match: () => null,
    isCanary: false,
    canary: null,
  };
  x.world = {
    revision: 1,
    apiKey: () => null,
    usagePlan: () => null,
    serviceAccess: () => null,
    accessKey: (id) => (key !== null && key.accessKeyId === id ? key : null),
  };
  if (request.body !== undefined) {
    const bytes = Buffer.from(request.body, 'latin1');
    const open = (): Readable => {
      reads.count++;
      return Readable.from([bytes]);
    };
    x.requestBody = { declaredBytes: bytes.length, atHand: null, open };
  }
  return x;
}
