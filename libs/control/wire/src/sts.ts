/**
 * STS's GetCallerIdentity, which Terraform and the CLI ask before anything else. It speaks AWS's query protocol: a form or
 * query with `Action`, an XML answer, and error codes of its own for the same refusals.
 */
import type { QueryParameter, WireResponse } from '@gatehouse/aws-api';
import { readQuery } from '@gatehouse/aws-api';
import type { Caller } from '@gatehouse/domain';

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

/** The `Action` of a request to `/`, from its query or its form; `null` when it is none. */
export function readAction(
  query: readonly QueryParameter[],
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): string | null {
  const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;
  // A form this long holds no action of ours.
  const form = isForm && body.length <= 10_000 ? readQuery(Buffer.from(body).toString('latin1')) : [];
  return [...query, ...form].find(([name]) => name === 'Action')?.[1] ?? null;
}

export function callerIdentity(caller: Caller, requestId: string): WireResponse {
  // IAM's own unique ids are not ours to make; the access key id is as stable.
  const userId = caller.principalArn.endsWith(':root') ? caller.tenant : caller.accessKeyId;
  const body =
    `<GetCallerIdentityResponse xmlns="${NAMESPACE}"><GetCallerIdentityResult>` +
    `<Arn>${escaped(caller.principalArn)}</Arn><UserId>${escaped(userId)}</UserId><Account>${caller.tenant}</Account>` +
    `</GetCallerIdentityResult><ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></GetCallerIdentityResponse>`;
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
