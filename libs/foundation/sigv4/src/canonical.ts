/**
 * The canonical request of Signature Version 4, from the request as it came over the wire: paths and queries are taken raw
 * and never decoded first, so that `%2F` and `/` stay different things.
 * IAM guide, "Create a signed AWS API request".
 */

const UNRESERVED = /^[A-Za-z0-9\-_.~]*$/;
/** Without a segment that is empty or begins with a dot, and without anything to encode. */
const IS_CANONICAL = /^(?:\/[A-Za-z0-9\-_~][A-Za-z0-9\-_.~]*)+\/?$/;
const ESCAPE_OR_RESERVED = /%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-_.~]/g;

/**
 * The path is encoded once more on top of what the client sent (all services but S3 do), after empty and dot segments are
 * gone: `/tags/arn%3Aaws` becomes `/tags/arn%253Aaws`.
 */
export function canonicalPath(rawPath: string): string {
  if (IS_CANONICAL.test(rawPath)) return rawPath;
  const segments = pathSegments(rawPath);
  if (segments.length === 0) return '/';
  const encoded = segments.map((segment) => segment.replace(/[^A-Za-z0-9\-_.~]/g, percentEncode));
  return `/${encoded.join('/')}${rawPath.endsWith('/') ? '/' : ''}`;
}

/**
 * The segments of a raw path, still percent-encoded, as the signature sees them. Whoever routes a signed request must route
 * these: on the raw path, `/a/../b` would carry a signature for `/b` to another place.
 */
export function pathSegments(rawPath: string): string[] {
  const segments: string[] = [];
  for (const segment of rawPath.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') segments.pop();
    else segments.push(segment);
  }
  return segments;
}

export type QueryParameter = readonly [name: string, value: string];

/** The parameters of a raw query, each part in strict percent-encoding. `+` is a space, as in AWS's own decoding. */
export function encodedParameters(rawQuery: string): QueryParameter[] {
  const parameters: QueryParameter[] = [];
  for (const part of rawQuery.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    parameters.push(equals < 0 ? [strictly(part), ''] : [strictly(part.slice(0, equals)), strictly(part.slice(equals + 1))]);
  }
  return parameters;
}

/** Sorted by name, then value; the signature itself is left out. */
export function canonicalQuery(parameters: readonly QueryParameter[]): string {
  if (parameters.length === 0) return '';
  return parameters
    .filter(([name]) => name !== 'X-Amz-Signature')
    .sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** `name:value` lines of the signed headers, which must come sorted; a header that is not there counts as empty. */
export function canonicalHeaders(
  headers: Readonly<Record<string, string | undefined>>,
  signedHeaders: readonly string[],
): string {
  let lines = '';
  for (const name of signedHeaders) lines += `${name}:${trimmedAll(headers[name] ?? '')}\n`;
  return lines;
}

/** Runs of white space are one blank, and none at either end. */
function trimmedAll(value: string): string {
  return HAS_SPACE.test(value) ? value.replace(/[ \t\r\n]+/g, ' ').trim() : value;
}

const HAS_SPACE = /[^\x21-\x7e]/;

/** The same path, with nothing in it but slashes, unreserved characters and the escapes of all others. */
export function strictPath(rawPath: string): string {
  return rawPath.replace(/%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-_.~/]/g, (match) => (match === '+' ? '%2B' : normaliseEscape(match)));
}

/** The same query, each name and value of it in strict percent-encoding, in its own order. */
export function strictQuery(rawQuery: string): string {
  return encodedParameters(rawQuery)
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function strictly(text: string): string {
  return UNRESERVED.test(text) ? text : text.replace(ESCAPE_OR_RESERVED, normaliseEscape);
}

function normaliseEscape(match: string): string {
  if (match === '+') return '%20';
  if (match.length !== 3) return percentEncode(match);
  const character = String.fromCharCode(Number.parseInt(match.slice(1), 16));
  return UNRESERVED.test(character) ? character : match.toUpperCase();
}

function percentEncode(character: string): string {
  // Node delivers request targets as Latin-1: one character is one byte.
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
