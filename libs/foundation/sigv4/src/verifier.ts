import { createHmac, timingSafeEqual } from 'node:crypto';
import { sha256Hex, type Clock, type Secret } from '@gatehouse/kernel';
import { LRUCache } from 'lru-cache';
import { canonicalHeaders, canonicalPath, canonicalQuery } from './canonical.js';
import { basicIso, type SignatureClaim, type SignedRequest } from './claim.js';
import { expiredToken, invalid, unknownClient, wrongSignature, type SignatureFault } from './faults.js';

/** Signing keys made of a secret beforehand, where the secret itself is not at hand. */
export interface DerivedKeys {
  /** `null`: none for this scope. */
  of(date: string, region: string, service: string): Uint8Array | null;
}

/** What the owner of an access key id signs with. */
export interface SigningCredential {
  readonly secret: Secret | DerivedKeys;
  readonly enabled: boolean;
  /** Of temporary credentials, with the SHA-256 of their token in hex; `null` for long-lived ones. */
  readonly session: { readonly tokenDigest: string; readonly expiresAtMs: number } | null;
}

/** What a signature must be scoped to. */
export interface ScopePolicy {
  readonly services: readonly string[];
  readonly isValidRegion: (region: string) => boolean;
  /** `x-amz-*` headers that somebody on the way may have added. */
  readonly addedOnTheWay?: readonly string[];
}

const SKEW_MINUTES = 5;
const SKEW_MS = SKEW_MINUTES * 60_000;
const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';

/**
 * Decides whether a request was signed by the owner of a credential, now, for this service. Replays inside the time window
 * pass, as they do at AWS. Derived keys are kept, so a busy caller costs one HMAC and two hashes per request.
 */
export class SignatureVerifier {
  private readonly derivedKeys: LRUCache<string, { secret: string; key: Buffer }>;

  constructor(
    private readonly clock: Clock,
    derivedKeysMax = 1_000,
  ) {
    this.derivedKeys = new LRUCache({ max: derivedKeysMax });
  }

  /** `null` when the signature holds. `credential` is what `claim.accessKeyId` was looked up to. */
  verify(
    request: SignedRequest,
    claim: SignatureClaim,
    credential: SigningCredential | null,
    policy: ScopePolicy,
  ): SignatureFault | null {
    return this.checkClaim(request, claim, credential, policy) ?? this.checkSignature(request, claim, credential!);
  }

  /** Everything but the signature: for whoever has no body yet. */
  checkClaim(
    request: Omit<SignedRequest, 'body'>,
    claim: SignatureClaim,
    credential: SigningCredential | null,
    policy: ScopePolicy,
  ): SignatureFault | null {
    return (
      checkScope(claim, policy) ??
      this.checkCredential(claim, credential) ??
      this.checkTime(claim) ??
      checkCoverage(request, claim, policy)
    );
  }

  /** Whether the signature is the credential's over this payload hash. */
  holds(
    request: Omit<SignedRequest, 'body'>,
    claim: SignatureClaim,
    { secret }: SigningCredential,
    payloadHash: string,
  ): boolean {
    const key = 'of' in secret ? secret.of(claim.date, claim.region, claim.service) : this.derivedKey(claim, secret.reveal());
    return key !== null && isSameDigest(signatureOf(request, claim, payloadHash, key), claim.signature);
  }

  private checkCredential(claim: SignatureClaim, credential: SigningCredential | null): SignatureFault | null {
    if (credential === null || !credential.enabled) return unknownClient;
    if (credential.session === null) return claim.sessionToken === null ? null : unknownClient;
    if (claim.sessionToken === null || !isTokenOf(credential.session, claim.sessionToken)) return unknownClient;
    return this.clock.nowMs() >= credential.session.expiresAtMs ? expiredToken : null;
  }

  private checkTime(claim: SignatureClaim): SignatureFault | null {
    const nowMs = this.clock.nowMs();
    const { signedAt } = claim;
    if (claim.signedAtMs > nowMs + SKEW_MS) {
      const [now, latest] = [basicIso(nowMs), basicIso(nowMs + SKEW_MS)];
      return invalid(`Signature not yet current: ${signedAt} is still later than ${latest} (${now} + ${SKEW_MINUTES} min.)`);
    }
    if (claim.expiresSeconds !== null) {
      const expiresAtMs = claim.signedAtMs + claim.expiresSeconds * 1000;
      if (expiresAtMs >= nowMs) return null;
      return invalid(`Signature expired: ${basicIso(expiresAtMs)} is now earlier than ${basicIso(nowMs)}`);
    }
    if (claim.signedAtMs < nowMs - SKEW_MS) {
      const [now, earliest] = [basicIso(nowMs), basicIso(nowMs - SKEW_MS)];
      return invalid(`Signature expired: ${signedAt} is now earlier than ${earliest} (${now} - ${SKEW_MINUTES} min.)`);
    }
    return null;
  }

  private checkSignature(request: SignedRequest, claim: SignatureClaim, credential: SigningCredential): SignatureFault | null {
    const bodyHash = sha256Hex(request.body);
    const isHeld = payloadHashes(claim, bodyHash).some((hash) => this.holds(request, claim, credential, hash));
    return isHeld ? null : wrongSignature;
  }

  private derivedKey({ accessKeyId, date, region, service }: SignatureClaim, secret: string): Buffer {
    const name = `${accessKeyId}/${date}/${region}/${service}`;
    const kept = this.derivedKeys.get(name);
    // A key id whose secret was replaced must not keep working with the old one.
    if (kept !== undefined && kept.secret === secret) return kept.key;
    const key = deriveSigningKey(secret, date, region, service);
    this.derivedKeys.set(name, { secret, key });
    return key;
  }
}

/** What signs requests of one day (`yyyymmdd`), region and service, and no others: the secret cannot be told from it. */
export function deriveSigningKey(secret: string, date: string, region: string, service: string): Buffer {
  let key: Buffer = hmac(`AWS4${secret}`, date);
  for (const part of [region, service, 'aws4_request']) key = hmac(key, part);
  return key;
}

function checkScope(claim: SignatureClaim, policy: ScopePolicy): SignatureFault | null {
  if (!policy.isValidRegion(claim.region)) {
    return invalid(`Credential should be scoped to a valid region, not '${claim.region}'.`);
  }
  if (!policy.services.includes(claim.service)) {
    return invalid(`Credential should be scoped to correct service: '${policy.services[0]}'.`);
  }
  return null;
}

/** An `x-amz-*` header outside the signature could be added by anyone on the way, and change what the request means. */
function checkCoverage(
  request: Omit<SignedRequest, 'body'>,
  claim: SignatureClaim,
  { addedOnTheWay = [] }: ScopePolicy,
): SignatureFault | null {
  const unsigned: string[] = [];
  for (const name of Object.keys(request.headers)) {
    if (!name.startsWith('x-amz-') || request.headers[name] === undefined) continue;
    if (!claim.signedHeaders.includes(name) && !addedOnTheWay.includes(name)) unsigned.push(name);
  }
  if (unsigned.length === 0) return null;
  return invalid(`There were headers present in the request which were not signed: ${unsigned.sort().join(', ')}`);
}

/** What may stand in the last line of the canonical request; a stated hash that is not the body's is no candidate. */
function payloadHashes(claim: SignatureClaim, bodyHash: string): readonly string[] {
  if (claim.payloadHash === UNSIGNED_PAYLOAD) return [UNSIGNED_PAYLOAD];
  if (claim.payloadHash !== null) return claim.payloadHash === bodyHash ? [bodyHash] : [];
  // A presigned request does not say which of the two its signer chose.
  return claim.expiresSeconds === null ? [bodyHash] : [bodyHash, UNSIGNED_PAYLOAD];
}

function signatureOf(request: Omit<SignedRequest, 'body'>, claim: SignatureClaim, payloadHash: string, key: Uint8Array): string {
  const { rawPath, parameters, signedHeaders, signedAt, date, region, service } = claim;
  const headers = canonicalHeaders(request.headers, signedHeaders);
  const canonicalRequest = `${request.method}\n${canonicalPath(rawPath)}\n${canonicalQuery(parameters)}\n${headers}\n${signedHeaders.join(';')}\n${payloadHash}`;
  const scope = `${date}/${region}/${service}/aws4_request`;
  const stringToSign = `AWS4-HMAC-SHA256\n${signedAt}\n${scope}\n${sha256Hex(canonicalRequest)}`;
  return createHmac('sha256', key).update(stringToSign).digest('hex');
}

function hmac(key: string | Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

const isTokenOf = ({ tokenDigest }: { readonly tokenDigest: string }, token: string): boolean =>
  isSameDigest(sha256Hex(token), tokenDigest);

const HEX_CHARS = 64;
const [scratchA, scratchB] = [Buffer.alloc(HEX_CHARS), Buffer.alloc(HEX_CHARS)];

/** In time that does not tell how much of it was right. `ours` is a SHA-256 in hex. */
function isSameDigest(ours: string, given: string): boolean {
  if (given.length !== HEX_CHARS || !HEX.test(given)) return false;
  scratchA.write(ours, 'latin1');
  scratchB.write(given, 'latin1');
  return timingSafeEqual(scratchA, scratchB);
}

const HEX = /^[0-9a-f]*$/;
