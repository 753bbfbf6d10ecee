/** A call of the admin API, signed with Signature Version 4. IAM guide, "Create a signed AWS API request". */
import { createHmac } from 'node:crypto';
import { sha256Hex, type Clock, type Secret } from '@gatehouse/kernel';

export interface AdminAccess {
  /** `http://host:port`. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  /** Of temporary credentials; empty for long-lived ones. */
  readonly sessionToken: string;
}

export interface AdminCall {
  readonly method?: 'GET' | 'POST';
  /** Encoded; see `pathOf`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
}

const TIMEOUT_MS = 60_000;

/** `/admin/v1/` and these parts, none of which can lead elsewhere. */
export const pathOf = (...parts: readonly string[]): string => `/admin/v1/${parts.map(strictly).join('/')}`;

/** Throws with what the control plane answered, or why it did not. */
export async function signedCall(access: AdminAccess, call: AdminCall, clock: Clock): Promise<unknown> {
  const url = new URL(call.path, access.endpoint);
  url.search = canonicalQuery(call.query ?? {});
  const method = call.method ?? 'GET';
  const body = call.body === undefined ? '' : JSON.stringify(call.body);
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers: signedHeaders(access, method, url, body, clock.nowMs()),
      ...(body !== '' && { body }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    const reason = ((cause as Error).cause ?? cause) as Error;
    throw new Error(`No answer from the control plane at ${access.endpoint}: ${reason.message}`, { cause });
  }
  const text = await response.text();
  if (response.status !== 200)
    throw new Error(`The control plane at ${access.endpoint} answers ${response.status}: ${text.slice(0, 500)}`);
  return JSON.parse(text) as unknown;
}

function signedHeaders(access: AdminAccess, method: string, url: URL, body: string, nowMs: number): Record<string, string> {
  const time = `${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '')}`;
  const scope = `${time.slice(0, 8)}/${access.region}/apigateway/aws4_request`;
  const headers: Record<string, string> = { host: url.host, 'x-amz-date': time };
  if (access.sessionToken !== '') headers['x-amz-security-token'] = access.sessionToken;
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join('');
  // Encoded once more: all of AWS but S3 does so with a path that is encoded already.
  const path = url.pathname.split('/').map(strictly).join('/');
  const canonical = [method, path, url.search.slice(1), lines, names.join(';'), sha256Hex(body)].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256Hex(canonical)].join('\n');
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${access.secretAccessKey.reveal()}`);
  const signature = hmac(key, toSign).toString('hex');
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${access.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  };
}

function canonicalQuery(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${strictly(name)}=${strictly(value)}`)
    .join('&');
}

const strictly = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
