/**
 * JSON Web Tokens as user pools sign them (RFC 7515, 7518, 7519). The algorithm is the key's business: what a token says of it has to
 * agree, so that nobody chooses a weaker one, or none.
 */
import { Buffer } from 'node:buffer';
import { createPublicKey, verify, type JsonWebKeyInput, type KeyObject } from 'node:crypto';

export type Claims = Readonly<Record<string, unknown>>;

export interface ReadToken {
  readonly algorithm: string;
  readonly keyId: string;
  readonly claims: Claims;
  readonly signed: string;
  readonly signature: Buffer;
}

const TOKEN = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/** `null` for what is no signed token, or one whose meaning depends on extensions. Nothing of it is to be believed yet. */
export function readToken(text: string): ReadToken | null {
  const parts = TOKEN.exec(text);
  if (parts === null) return null;
  const [, head, body, signature] = parts;
  const header = readJson(head!);
  const claims = readJson(body!);
  if (header === null || claims === null) return null;
  const { alg: algorithm, kid: keyId, crit } = header;
  if (typeof algorithm !== 'string' || typeof keyId !== 'string' || crit !== undefined) return null;
  return { algorithm, keyId, claims, signed: `${head}.${body}`, signature: Buffer.from(signature!, 'base64url') };
}

function readJson(part: string): Record<string, unknown> | null {
  try {
    const value = JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

export interface SigningKey {
  readonly keyId: string;
  /** Those it may sign by. */
  readonly algorithms: readonly string[];
  readonly key: KeyObject;
}

const CURVES: Readonly<Record<string, string>> = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' };
const DIGESTS: Readonly<Record<string, string>> = {
  RS256: 'sha256',
  RS384: 'sha384',
  RS512: 'sha512',
  ES256: 'sha256',
  ES384: 'sha384',
  ES512: 'sha512',
};
const RSA_BITS_MIN = 2048;

/** `null` for a key that signs nothing here: for encryption, symmetric, too short, of another kind. */
export function readKey(jwk: unknown): SigningKey | null {
  if (typeof jwk !== 'object' || jwk === null) return null;
  const { kid, kty, crv, alg, use, n, e, x, y } = jwk as Record<string, unknown>;
  if (typeof kid !== 'string' || (use !== undefined && use !== 'sig')) return null;
  const possible = kty === 'RSA' ? ['RS256', 'RS384', 'RS512'] : kty === 'EC' ? [CURVES[String(crv)] ?? ''] : [];
  const algorithms = alg === undefined ? possible : possible.filter((name) => name === alg);
  if (algorithms.length === 0 || algorithms[0] === '') return null;
  try {
    const members = kty === 'RSA' ? { kty, n, e } : { kty, crv, x, y }; // what is private in it does not get here
    const key = createPublicKey({ key: members, format: 'jwk' } as JsonWebKeyInput);
    if (kty === 'RSA' && (key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS_MIN) return null;
    return { keyId: kid, algorithms, key };
  } catch {
    return null;
  }
}

export function isSignedBy({ algorithm, signed, signature }: ReadToken, { algorithms, key }: SigningKey): boolean {
  if (!algorithms.includes(algorithm)) return false;
  return verify(DIGESTS[algorithm]!, Buffer.from(signed, 'latin1'), { key, dsaEncoding: 'ieee-p1363' }, signature);
}
