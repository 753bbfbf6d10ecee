/**
 * Reading who claims to have signed a request, and what: from the Authorization header or from a presigned query. Nothing
 * is believed yet; `SignatureVerifier` decides.
 */
import { encodedParameters, type QueryParameter } from './canonical.js';
import { incomplete, invalid, missingToken, type SignatureFault } from './faults.js';

export interface SignedRequest {
  readonly method: string;
  /** Path and query exactly as received. */
  readonly rawUrl: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

export interface SignatureClaim {
  readonly accessKeyId: string;
  /** `yyyymmdd` of the credential scope. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  /** Lower-case, sorted. */
  readonly signedHeaders: readonly string[];
  /** Lower-case hex. */
  readonly signature: string;
  readonly signedAtMs: number;
  /** The same as `yyyymmddThhmmssZ`. */
  readonly signedAt: string;
  /** Of a presigned request: how long it may be used. */
  readonly expiresSeconds: number | null;
  readonly sessionToken: string | null;
  /** Of `X-Amz-Content-Sha256`, wherever it was sent. */
  readonly payloadHash: string | null;
  readonly rawPath: string;
  readonly parameters: readonly QueryParameter[];
}

export type ClaimResult = { readonly claim: SignatureClaim } | { readonly fault: SignatureFault };

const ALGORITHM = 'AWS4-HMAC-SHA256';
const PRESIGNED_PARAMETERS = ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Signature', 'X-Amz-SignedHeaders', 'X-Amz-Date'];
const EXPIRES_MAX_SECONDS = 7 * 24 * 3600;

/** Reads the claim of a request. A fault names what is missing or malformed. */
export function readClaim(request: Omit<SignedRequest, 'body'>): ClaimResult {
  const queryIndex = request.rawUrl.indexOf('?');
  const rawPath = queryIndex < 0 ? request.rawUrl : request.rawUrl.slice(0, queryIndex);
  const parameters = queryIndex < 0 ? [] : encodedParameters(request.rawUrl.slice(queryIndex + 1));
  const isPresigned = parameters.some(([name]) => name === 'X-Amz-Algorithm' || name === 'X-Amz-Signature');
  const authorization = request.headers['authorization'];
  if (isPresigned && authorization !== undefined) {
    return {
      fault: incomplete('Only one auth mechanism allowed: either the X-Amz query parameters or the Authorization header.'),
    };
  }
  if (isPresigned) return readQuery(request, rawPath, parameters);
  if (authorization === undefined || authorization === '') return { fault: missingToken };
  return readHeader(request, authorization, rawPath, parameters);
}

/** What an Authorization header lacks that nobody can have been signed by it; `null` when it lacks nothing. */
export function incompleteAuthorization(authorization: string, dateText: string | undefined): SignatureFault | null {
  return incompleteParts(authorizationParts(authorization), dateText);
}

function incompleteParts(parts: ReadonlyMap<string, string>, dateText: string | undefined): SignatureFault | null {
  if (dateText !== undefined && parts.has('Credential') && parts.has('Signature') && parts.has('SignedHeaders')) return null;
  const missing = ['Credential', 'Signature', 'SignedHeaders']
    .filter((name) => !parts.has(name))
    .map((name) => `Authorization header requires '${name}' parameter.`);
  if (dateText === undefined)
    missing.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  return incomplete(missing.join(' '));
}

function readHeader(
  request: Omit<SignedRequest, 'body'>,
  authorization: string,
  rawPath: string,
  parameters: readonly QueryParameter[],
): ClaimResult {
  const parts = authorizationParts(authorization);
  const dateText = request.headers['x-amz-date'] ?? request.headers['date'];
  const fault = incompleteParts(parts, dateText);
  if (fault !== null) return { fault };
  const isAmzDate = request.headers['x-amz-date'] !== undefined;
  const result = assemble({
    credential: parts.get('Credential')!,
    signedHeaders: parts.get('SignedHeaders')!,
    signature: parts.get('Signature')!,
    signedAtMs: isAmzDate ? basicIsoMs(dateText!) : httpDateMs(dateText!),
    dateText: dateText!,
    expiresSeconds: null,
    sessionToken: request.headers['x-amz-security-token'] ?? null,
    payloadHash: request.headers['x-amz-content-sha256'] ?? null,
    rawPath,
    parameters,
  });
  if ('claim' in result && !isAmzDate && !result.claim.signedHeaders.includes('date')) {
    return { fault: invalid("'Date' must be a 'SignedHeader' in the AWS Authorization.") };
  }
  return result;
}

function readQuery(request: Omit<SignedRequest, 'body'>, rawPath: string, parameters: readonly QueryParameter[]): ClaimResult {
  const values = new Map<string, string>();
  for (const [name, value] of parameters) {
    if (!/^X-Amz-/i.test(name)) continue;
    // Two different answers to "who signed this" have no right reading.
    if (values.has(name)) return { fault: incomplete(`AWS query-string parameter '${name}' must be given once.`) };
    values.set(name, decoded(value));
  }
  const missing = PRESIGNED_PARAMETERS.filter((name) => !values.has(name)).map(
    (name) => `AWS query-string parameters must include '${name}'.`,
  );
  if (missing.length > 0) return { fault: incomplete(`${missing.join(' ')} Re-examine the query-string parameters.`) };
  if (values.get('X-Amz-Algorithm') !== ALGORITHM) {
    return { fault: incomplete(`X-Amz-Algorithm only supports '${ALGORITHM}'.`) };
  }
  const expiresText = values.get('X-Amz-Expires') ?? '';
  const expiresSeconds = /^\d{1,6}$/.test(expiresText) ? Number(expiresText) : 0;
  if (expiresSeconds < 1 || expiresSeconds > EXPIRES_MAX_SECONDS) {
    return { fault: incomplete(`X-Amz-Expires must be a number of seconds from 1 to ${EXPIRES_MAX_SECONDS}.`) };
  }
  const dateText = values.get('X-Amz-Date')!;
  return assemble({
    credential: values.get('X-Amz-Credential')!,
    signedHeaders: values.get('X-Amz-SignedHeaders')!,
    signature: values.get('X-Amz-Signature')!,
    signedAtMs: basicIsoMs(dateText),
    dateText,
    expiresSeconds,
    sessionToken: values.get('X-Amz-Security-Token') ?? request.headers['x-amz-security-token'] ?? null,
    payloadHash:
      values.get('X-Amz-Content-Sha256') ?? values.get('x-amz-content-sha256') ?? request.headers['x-amz-content-sha256'] ?? null,
    rawPath,
    parameters,
  });
}

interface RawClaim {
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly signedAtMs: number | null;
  readonly dateText: string;
  readonly expiresSeconds: number | null;
  readonly sessionToken: string | null;
  readonly payloadHash: string | null;
  readonly rawPath: string;
  readonly parameters: readonly QueryParameter[];
}

function assemble(raw: RawClaim): ClaimResult {
  const { credential, signedHeaders, signedAtMs, dateText } = raw;
  const scope = credential.split('/');
  const [accessKeyId, date, region, service, terminator] = scope;
  if (scope.length !== 5 || !accessKeyId || !date || !region || !service || !terminator) {
    return {
      fault: incomplete('Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.'),
    };
  }
  if (terminator !== 'aws4_request') {
    return { fault: invalid("Credential should be scoped with a valid terminator: 'aws4_request'.") };
  }
  if (signedAtMs === null) {
    return {
      fault: incomplete(`Date must be in ISO-8601 'basic format'. Got '${dateText}'. See http://en.wikipedia.org/wiki/ISO_8601`),
    };
  }
  const signedAt = basicIso(signedAtMs);
  const dateOfRequest = signedAt.slice(0, 8);
  if (date !== dateOfRequest) {
    return {
      fault: invalid(
        `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != ` +
          `'${dateOfRequest}', from '${signedAt}'.`,
      ),
    };
  }
  const names = signedHeaders.toLowerCase().split(';');
  if (!names.includes('host')) {
    return { fault: invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.") };
  }
  // Member by member: to copy the rest of an object takes as long as all the rest of this.
  return {
    claim: {
      accessKeyId,
      date,
      region,
      service,
      signedHeaders: names.sort(),
      signature: raw.signature,
      signedAtMs,
      signedAt,
      expiresSeconds: raw.expiresSeconds,
      sessionToken: raw.sessionToken,
      payloadHash: raw.payloadHash,
      rawPath: raw.rawPath,
      parameters: raw.parameters,
    },
  };
}

/** `Credential=…, SignedHeaders=…, Signature=…` of an Authorization header; empty when the scheme is another one. */
function authorizationParts(authorization: string): Map<string, string> {
  const parts = new Map<string, string>();
  if (!authorization.startsWith(`${ALGORITHM} `)) return parts;
  for (const part of authorization.slice(ALGORITHM.length + 1).split(',')) {
    const equals = part.indexOf('=');
    if (equals > 0) parts.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim());
  }
  return parts;
}

/** What is no UTF-8 stays encoded: it equals nothing that we would accept. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

let lastMs = Number.NaN;
let lastIso = '';

/** `20261120T101112Z`. Remembers the last one: what is signed in one second has one time. */
export function basicIso(ms: number): string {
  if (ms !== lastMs) {
    lastIso = new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
    lastMs = ms;
  }
  return lastIso;
}

let lastText: string | null = null;
let lastTextMs: number | null = null;

function basicIsoMs(text: string): number | null {
  if (text !== lastText) {
    lastTextMs = parseBasicIso(text);
    lastText = text.length === BASIC_ISO_CHARS ? text : null; // not whatever a caller sends
  }
  return lastTextMs;
}

const BASIC_ISO_CHARS = '20261120T101112Z'.length;

function parseBasicIso(text: string): number | null {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [number, number, number, number, number, number];
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC rolls 31 February over; what does not come back as it went in never was a date.
  return basicIso(ms) === text ? ms : null;
}

function httpDateMs(text: string): number | null {
  const ms = Date.parse(text);
  return Number.isFinite(ms) && new Date(ms).toUTCString() === text ? ms : null;
}
