/**
 * Whether a request is signed, and by whom (data-plane reference §1.4, §6.7): SigV4 for `execute-api`, in the Authorization header or in a
 * presigned query. Replays within the time window pass, as they do at AWS.
 *
 * The body is read only when there is one: its hash is part of every signature, because `UNSIGNED-PAYLOAD` is no hash here. A hash that
 * the caller states is checked against the signature before the body is held in memory.
 */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { StageSnapshot } from '@gatehouse/contracts';
import {
  BodyTooLarge,
  CONTINUE,
  lastHeader,
  readAll,
  removeHeader,
  type AccessKeyView,
  type Exchange,
  type FaultKind,
  type RequestBody,
  type Verdict,
  type WorldView,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import type { Clock } from '@gatehouse/kernel';
import {
  readClaim,
  SignatureVerifier,
  wrongSignature,
  type ScopePolicy,
  type SignatureFault,
  type SignedRequest,
  type SigningCredential,
} from '@gatehouse/sigv4';
import { decodeBody } from '../decode-body.js';

const SERVICE = 'execute-api';
const EMPTY_HASH = createHash('sha256').digest('hex');
/** CloudFront adds it to what it was handed. */
const ADDED_ON_THE_WAY = ['x-amz-cf-id'];

const FAULT_OF: Readonly<Record<SignatureFault['type'], FaultKind>> = {
  MissingAuthenticationTokenException: FAULTS.MISSING_AUTHENTICATION_TOKEN,
  IncompleteSignatureException: FAULTS.INCOMPLETE_SIGNATURE,
  UnrecognizedClientException: FAULTS.UNKNOWN_ACCESS_KEY,
  ExpiredTokenException: FAULTS.EXPIRED_TOKEN,
  InvalidSignatureException: FAULTS.INVALID_SIGNATURE,
};

/** One for each clock: it remembers keys that it derived, of which nodes make none. */
const verifiers = new WeakMap<Clock, SignatureVerifier>();

function verifierFor(clock: Clock): SignatureVerifier {
  let verifier = verifiers.get(clock);
  if (verifier === undefined) verifiers.set(clock, (verifier = new SignatureVerifier(clock, 1)));
  return verifier;
}

/** Sets `x.accessKey`, and takes the signature out of what backends see. */
export function checkSignature(stage: StageSnapshot, clock: Clock): (x: Exchange) => Verdict | Promise<Verdict> {
  const { region } = stage;
  const verifier = verifierFor(clock);
  const policy: ScopePolicy = {
    services: [SERVICE],
    isValidRegion: (name) => name === region,
    addedOnTheWay: ADDED_ON_THE_WAY,
  };
  return (x) => {
    const request = signedRequest(x);
    const read = readClaim(request);
    if ('fault' in read) return refuse(x, read.fault);
    const { claim } = read;
    const key = keyOf(x.world!, claim.accessKeyId);
    const credential = key === null ? null : credentialOf(key);
    const fault = verifier.checkClaim(request, claim, credential, policy);
    if (fault !== null) return refuse(x, fault);
    const holds = (payloadHash: string): boolean => verifier.holds(request, claim, credential!, payloadHash);
    const { requestBody } = x;
    if (requestBody === null) return decide(x, key!, EMPTY_HASH, holds);
    if (requestBody.atHand !== null) return decide(x, key!, hashOf(requestBody.atHand), holds);
    if (claim.payloadHash !== null && !holds(claim.payloadHash)) return refuse(x, wrongSignature);
    return readBody(x, requestBody).then((body) => (typeof body === 'number' ? body : decide(x, key!, hashOf(body), holds)));
  };
}

function decide(x: Exchange, key: AccessKeyView, bodyHash: string, holds: (payloadHash: string) => boolean): Verdict {
  if (!holds(bodyHash)) return refuse(x, wrongSignature);
  x.accessKey = key;
  hideSignature(x);
  const isEncoded = x.requestBody !== null && lastHeader(x.requestHeaders, 'content-encoding') !== null;
  return isEncoded ? decodeBody(x, x.requestBody!, x.bodyLimitBytes) : CONTINUE;
}

function refuse(x: Exchange, { type, message }: SignatureFault): Verdict {
  return x.fail(FAULT_OF[type], null, 'checking the signature', message);
}

const credentialOf = (key: AccessKeyView): SigningCredential => ({
  secret: { of: (date, region, service) => (service === SERVICE ? key.signingKey(date, region) : null) },
  enabled: true,
  session: key.session,
});

/** A session is there as long as the key that it was made with. */
function keyOf(world: WorldView, accessKeyId: string): AccessKeyView | null {
  const key = world.accessKey(accessKeyId);
  const isLeft = key !== null && key.session !== null && world.accessKey(key.session.madeBy) === null;
  return isLeft ? null : key;
}

const hashOf = (body: Buffer): string => createHash('sha256').update(body).digest('hex');

/** The request as the caller signed it. */
function signedRequest(x: Exchange): Omit<SignedRequest, 'body'> {
  return {
    method: x.httpMethod,
    rawUrl: x.rawQuery === '' ? signedPath(x) : `${signedPath(x)}?${x.rawQuery}`,
    headers: signedHeaders(x),
  };
}

/** The host of an API names it; on any other but a custom domain name, the path does, before what `x.path` has. */
const API_HOST = /^[a-z0-9-]+\.execute-api(?:\.|$)/;

function signedPath({ host, basePath, path, stage }: Exchange): string {
  return basePath !== null || API_HOST.test(host) ? path : `/_aws/execute-api/${stage!.snapshot.apiId}${path}`;
}

function signedHeaders({ requestHeaders, requestBody }: Exchange): Record<string, string> {
  const headers: Record<string, string> = Object.create(null);
  for (let i = 0; i < requestHeaders.length; i += 2) {
    const name = requestHeaders[i]!.toLowerCase();
    const value = requestHeaders[i + 1]!;
    headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`;
  }
  // No step sees it, and some signers sign it.
  headers['content-length'] = String(requestBody === null ? 0 : (requestBody.declaredBytes ?? ''));
  return headers;
}

/** API Gateway guide, "Known issues": Authorization does not reach backends of methods with AWS_IAM. */
function hideSignature(x: Exchange): void {
  const headers = x.requestHeaders.slice();
  removeHeader(headers, 'authorization');
  x.requestHeaders = headers;
  x.requestBlock = null;
}

async function readBody(x: Exchange, body: RequestBody): Promise<Buffer | Verdict> {
  try {
    const bytes = await readAll(body.open(x.bodyLimitBytes), x.bodyLimitBytes);
    x.requestBody = new HeldBody(bytes);
    x.journal?.note({ type: 'BODY_READ', body: bytes });
    return bytes;
  } catch (cause) {
    return x.fail(cause instanceof BodyTooLarge ? FAULTS.REQUEST_TOO_LARGE : FAULTS.CALLER_LEFT, cause, 'reading the body');
  }
}

/** What was read, for the steps behind. */
class HeldBody implements RequestBody {
  readonly declaredBytes: number;

  constructor(readonly atHand: Buffer) {
    this.declaredBytes = atHand.length;
  }

  open(): Readable {
    return Readable.from([this.atHand]);
  }
}
