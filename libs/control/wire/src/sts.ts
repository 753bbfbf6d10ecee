/**
 * Of STS, GetCallerIdentity, which Terraform and the CLI ask before anything else, and GetSessionToken. It speaks AWS's query protocol: a form or
 * query with `Action`, an XML answer, and error codes of its own for the same refusals.
 */
import type { QueryParameter, WireResponse } from '@gatehouse/aws-api';
import { readQuery } from '@gatehouse/aws-api';
import { ApiError, type Caller } from '@gatehouse/domain';

export const STS_SIGNING_NAME = 'sts';
const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';
const XML = { 'content-type': 'text/xml' };

const ERROR_CODES: Readonly<Record<string, string>> = {
  MissingAuthenticationTokenException: 'MissingAuthenticationToken',
  IncompleteSignatureException: 'IncompleteSignature',
  UnrecognizedClientException: 'InvalidClientTokenId',
  ExpiredTokenException: 'ExpiredToken',
  InvalidSignatureException: 'SignatureDoesNotMatch',
};

export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiresAtMs: number;
}

/** Makes temporary credentials of the caller. */
export interface SessionSource {
  create(caller: Caller, durationSeconds: number): Promise<SessionCredentials>;
}

const DURATION_SECONDS = { min: 900, max: 129_600, default: 43_200, ofRoot: 3_600 };

/** What a request to `/` asks in its query or its form; of one that is asked twice, the first. */
export function readParameters(
  query: readonly QueryParameter[],
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): ReadonlyMap<string, string> {
  const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;
  // A form this long holds no action of ours.
  const form = isForm && body.length <= 10_000 ? readQuery(Buffer.from(body).toString('latin1')) : [];
  return new Map([...query, ...form].reverse());
}

export async function answerSts(
  asked: ReadonlyMap<string, string>,
  caller: Caller,
  sessions: SessionSource,
  requestId: string,
): Promise<WireResponse> {
  const action = asked.get('Action')!;
  if (action === 'GetCallerIdentity') return callerIdentity(caller, requestId);
  if (action === 'GetSessionToken') return sessionToken(asked, caller, sessions, requestId);
  throw new ApiError('InvalidAction', 400, `The action ${action} is not valid for this endpoint.`);
}

function callerIdentity({ principalArn, tenant, accessKeyId, madeBy = accessKeyId }: Caller, requestId: string): WireResponse {
  // IAM's own unique ids are not ours to make; the id of a long-lived access key is as stable.
  const userId = isRoot(principalArn) ? tenant : madeBy;
  const result = `<Arn>${escaped(principalArn)}</Arn><UserId>${escaped(userId)}</UserId><Account>${tenant}</Account>`;
  return answer('GetCallerIdentity', result, requestId);
}

async function sessionToken(
  asked: ReadonlyMap<string, string>,
  caller: Caller,
  sessions: SessionSource,
  requestId: string,
): Promise<WireResponse> {
  if (caller.madeBy !== undefined)
    throw new ApiError('AccessDenied', 403, 'Cannot call GetSessionToken with session credentials');
  const durationSeconds = durationOf(asked.get('DurationSeconds') ?? null, isRoot(caller.principalArn));
  // Principals have no devices here, so none of them has shown this code.
  if (asked.has('SerialNumber') || asked.has('TokenCode'))
    throw new ApiError('AccessDenied', 403, 'MultiFactorAuthentication failed with invalid MFA one time pass code.');
  const made = await sessions.create(caller, durationSeconds);
  const expiration = new Date(made.expiresAtMs).toISOString().replace('.000Z', 'Z');
  const result =
    `<Credentials><AccessKeyId>${made.accessKeyId}</AccessKeyId><SecretAccessKey>${made.secretAccessKey}</SecretAccessKey>` +
    `<SessionToken>${made.sessionToken}</SessionToken><Expiration>${expiration}</Expiration></Credentials>`;
  return answer('GetSessionToken', result, requestId);
}

/** The root of an account gets an hour at most, whatever it asks for. */
function durationOf(text: string | null, ofRoot: boolean): number {
  const { min, max } = DURATION_SECONDS;
  if (text === null) return ofRoot ? DURATION_SECONDS.ofRoot : DURATION_SECONDS.default;
  const seconds = /^-?\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds >= min)) throw invalidDuration(text, `greater than or equal to ${min}`);
  if (seconds > max) throw invalidDuration(text, `less than or equal to ${max}`);
  return ofRoot ? Math.min(seconds, DURATION_SECONDS.ofRoot) : seconds;
}

function invalidDuration(text: string, expected: string): ApiError {
  const found = `Value '${text}' at 'durationSeconds' failed to satisfy constraint`;
  return new ApiError('ValidationError', 400, `1 validation error detected: ${found}: Member must have value ${expected}`);
}

const isRoot = (principalArn: string): boolean => principalArn.endsWith(':root');

function answer(action: string, result: string, requestId: string): WireResponse {
  const body =
    `<${action}Response xmlns="${NAMESPACE}"><${action}Result>${result}</${action}Result>` +
    `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${action}Response>`;
  return { status: 200, headers: XML, body };
}

export function stsError(error: { type: string; status: number; message: string }, requestId: string): WireResponse {
  const body =
    `<ErrorResponse xmlns="${NAMESPACE}"><Error><Type>${error.status < 500 ? 'Sender' : 'Receiver'}</Type>` +
    `<Code>${ERROR_CODES[error.type] ?? error.type}</Code><Message>${escaped(error.message)}</Message></Error>` +
    `<RequestId>${requestId}</RequestId></ErrorResponse>`;
  return { status: error.status, headers: XML, body };
}

function escaped(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
