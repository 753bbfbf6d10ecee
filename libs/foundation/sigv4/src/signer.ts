/**
 * Signing requests of our own to AWS services, or to servers that take their signatures. The counterpart of the verifier: what is signed here
 * goes over the wire as it is given, so paths and queries come in the strict encoding (`strictPath`, `strictQuery`) in which every reader
 * of them finds the same canonical request.
 */
import { createHash, createHmac } from 'node:crypto';
import type { Clock, Secret } from '@gatehouse/kernel';
import { canonicalHeaders, canonicalPath, canonicalQuery, encodedParameters } from './canonical.js';
import { basicIso } from './claim.js';
import { deriveSigningKey } from './verifier.js';

export interface RequestToSign {
  readonly httpMethod: string;
  /** As the Host header has it. */
  readonly host: string;
  /** In the strict encoding. */
  readonly path: string;
  /** Without the question mark, in the strict encoding. */
  readonly query: string;
  /** Name, value, name, value, ...; those that are signed: `Content-Type` and all `X-Amz-*`. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secret: Secret;
  /** Of temporary credentials. */
  readonly sessionToken: Secret | null;
}

export interface SigningScope {
  readonly region: string;
  readonly service: string;
}

/** For requests of one kind: the key that was derived last is kept, so that each costs one HMAC and two hashes. */
export class RequestSigner {
  private kept: { readonly name: string; readonly secret: string; readonly key: Buffer } | null = null;

  constructor(private readonly clock: Clock) {}

  /** Name, value, ...: the headers that make the request a signed one. Those of their names in `headers` must not be sent. */
  sign(request: RequestToSign, credentials: Credentials, scope: SigningScope): string[] {
    const time = basicIso(this.clock.nowMs());
    const date = time.slice(0, 8);
    const payloadHash = createHash('sha256').update(request.body).digest('hex');
    const added = ['X-Amz-Date', time, 'X-Amz-Content-Sha256', payloadHash];
    if (credentials.sessionToken !== null) added.push('X-Amz-Security-Token', credentials.sessionToken.reveal());
    const headers = signedHeaders(request, added);
    const names = Object.keys(headers).sort();
    const canonicalRequest = [
      request.httpMethod,
      // S3 takes a path as it is, empty and dot segments included; all others encode it once more.
      scope.service === 's3' ? request.path : canonicalPath(request.path),
      canonicalQuery(encodedParameters(request.query)),
      canonicalHeaders(headers, names),
      names.join(';'),
      payloadHash,
    ].join('\n');
    const name = `${date}/${scope.region}/${scope.service}/aws4_request`;
    const text = `AWS4-HMAC-SHA256\n${time}\n${name}\n${createHash('sha256').update(canonicalRequest).digest('hex')}`;
    const signature = createHmac('sha256', this.key(credentials, date, scope))
      .update(text)
      .digest('hex');
    const claim = `Credential=${credentials.accessKeyId}/${name}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
    added.push('Authorization', `AWS4-HMAC-SHA256 ${claim}`);
    return added;
  }

  private key({ accessKeyId, secret: sealed }: Credentials, date: string, { region, service }: SigningScope): Buffer {
    const secret = sealed.reveal();
    const name = `${accessKeyId}/${date}/${region}/${service}`;
    if (this.kept?.name !== name || this.kept.secret !== secret) {
      this.kept = { name, secret, key: deriveSigningKey(secret, date, region, service) };
    }
    return this.kept.key;
  }
}

/** By lower-case name; several values of one name are one list, as HTTP has it. */
function signedHeaders({ host, headers }: RequestToSign, added: readonly string[]): Record<string, string> {
  const signed: Record<string, string> = { host };
  const put = (name: string, value: string, isLast: boolean): void => {
    signed[name] = isLast || signed[name] === undefined ? value : `${signed[name]},${value}`;
  };
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase();
    if (name === 'content-type' || name.startsWith('x-amz-')) put(name, headers[i + 1]!, false);
  }
  for (let i = 0; i < added.length; i += 2) put(added[i]!.toLowerCase(), added[i + 1]!, true);
  return signed;
}
