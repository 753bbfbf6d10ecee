/**
 * Which answers are kept, and which questions others may get the answer of. AWS documents only the size, and that errors are not kept;
 * what else stands here keeps one caller's answer from another, where what HTTP says about shared caches (RFC 9111) is reason enough.
 */
import { Buffer } from 'node:buffer';
import { allHeaders, HeaderBlock, type Exchange } from '@gatehouse/engine-exchange';

/** API Gateway guide, "Cache settings for REST APIs": the largest response that can be cached. */
export const STORED_BODY_BYTES_MAX = 1_048_576;

export interface SharingRules {
  /** The gateway itself decides who may call: what is kept is for all of them, as on AWS. */
  readonly isGuarded: boolean;
  /** As on AWS: whatever the headers of question and answer say of privacy. */
  readonly sharesPrivate: boolean;
  /** What answers of the route differ by, whether they say so or not. */
  readonly alwaysVariesOn: readonly string[];
  /** Headers that are in the key. */
  readonly keyed: ReadonlySet<string>;
}

/** Whether others may get what this caller is answered. */
export function maySpread(x: Exchange, { isGuarded, sharesPrivate, keyed }: SharingRules): boolean {
  // A body is in no key, and the backend gets it.
  if (x.httpMethod === 'GET' && x.requestBody !== null && x.requestBody.declaredBytes !== 0) return false;
  const { requestHeaders } = x;
  for (let i = 0; i < requestHeaders.length; i += 2) {
    const name = requestHeaders[i]!;
    switch (name.length) {
      case 5:
      case 8:
      case 13:
      case 17:
      case 19:
        break;
      default:
        continue;
    }
    const lowerName = name.toLowerCase();
    if (PARTIAL.has(lowerName)) return false;
    if (lowerName === 'authorization' && !isGuarded && !sharesPrivate && !keyed.has(lowerName)) return false;
  }
  return true;
}

/** Who asks so gets a part, or nothing, where others get all. */
const PARTIAL = new Set(['range', 'if-match', 'if-none-match', 'if-range', 'if-modified-since', 'if-unmodified-since']);

/** Not a success, or a part of one. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300 && status !== 206;
}

/** `null` for an answer that is kept for nobody; else the headers it differs by, in lower case and sorted. */
export function variesOn(
  fields: readonly string[],
  { sharesPrivate, keyed, alwaysVariesOn }: SharingRules,
): readonly string[] | null {
  let names: Set<string> | null = alwaysVariesOn.length === 0 ? null : new Set(alwaysVariesOn);
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase();
    const value = fields[i + 1]!;
    if (name === 'set-cookie' && !sharesPrivate) return null;
    if (name === 'cache-control' && !sharesPrivate && hasDirective(value, PRIVATE)) return null;
    if (name === 'content-range') return null;
    if (name === 'content-type' && value.toLowerCase().startsWith('text/event-stream')) return null;
    // A backend that forgot to say so: whoever did not ask for gzip cannot read it.
    if (name === 'content-encoding' && value.toLowerCase() !== 'identity') (names ??= new Set()).add('accept-encoding');
    if (name === 'vary') for (const listed of value.split(',')) (names ??= new Set()).add(listed.trim().toLowerCase());
  }
  if (names === null) return NOTHING;
  if (names.has('*')) return null;
  return [...names].filter((name) => name !== '' && !keyed.has(name)).sort();
}

const NOTHING: readonly string[] = [];
const PRIVATE: ReadonlySet<string> = new Set(['private', 'no-store']);

/** The caller wants the backend's answer, and everybody to have it from then on: API Gateway guide, "Invalidate an API Gateway cache entry". */
export function asksForFresh(headers: readonly string[]): boolean {
  return allHeaders(headers, 'cache-control').some((value) => hasDirective(value, MAX_AGE_0));
}

const MAX_AGE_0: ReadonlySet<string> = new Set(['max-age=0']);

/** `private="x"` counts as `private`; white space around `=` does not make another directive. */
function hasDirective(value: string, wanted: ReadonlySet<string>): boolean {
  return value.split(',').some((directive) => {
    const text = directive.replaceAll(/[ \t"]/g, '').toLowerCase();
    return wanted.has(text) || wanted.has(text.split('=', 1)[0]!);
  });
}

const TRACE_HEADER = 'x-amzn-trace-id';

/** The headers that every hit gets, in memory of their own: those of an answer are pieces of a much larger text. */
export function storedBlock(x: Exchange): { readonly block: HeaderBlock; readonly isTraced: boolean } {
  const fields: string[] = [];
  let isTraced = false;
  for (const from of [x.responseBlock?.fields ?? NOTHING, x.responseHeaders]) {
    for (let i = 0; i < from.length; i += 2) {
      if (from[i]!.toLowerCase() === TRACE_HEADER) isTraced = true;
      else fields.push(ownText(from[i]!), ownText(from[i + 1]!));
    }
  }
  return { block: new HeaderBlock(fields), isTraced };
}

/** Of headers, which are Latin-1. */
const ownText = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');

/** Bytes that hold on to nothing but themselves. */
export function ownBytes(chunks: readonly Buffer[], bytes: number): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  for (const chunk of chunks) at += chunk.copy(own, at);
  return own;
}
