import type { HeadLimits } from './head-limits.js';
import type { RefusalReason } from './refusals.js';

/** Flat, as on the wire: name, value, name, value. Bytes from 0x80 on stand as the latin1 character of the same number. */
export type RawHeaders = string[];

const COLON = 58;
const SPACE = 32;
const TAB = 9;

/** 1 for the bytes of a token (RFC 9110 §5.6.2). */
export const TOKEN_BYTES = new Uint8Array(256);
for (const c of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") TOKEN_BYTES[c.charCodeAt(0)] = 1;

export function isToken(text: string): boolean {
  if (text === '') return false;
  for (let i = 0; i < text.length; i++) if (TOKEN_BYTES[text.charCodeAt(i)] !== 1) return false;
  return true;
}

/**
 * Lines of `head` from `start` to its empty line, appended to `headers`. The collector has seen to it that lines end in CRLF and
 * hold no control byte but tabs, and only spaces and tabs are trimmed: 0x85 and 0xa0 belong to the value.
 */
export function readHeaderLines(head: string, start: number, limits: HeadLimits, headers: RawHeaders): RefusalReason | null {
  const end = head.length - 2; // of the empty line
  let at = start;
  while (at < end) {
    let colon = at;
    while (TOKEN_BYTES[head.charCodeAt(colon)] === 1) colon++;
    if (head.charCodeAt(colon) !== COLON || colon === at) return nameFault(head, at, colon);
    const lineEnd = head.indexOf('\r', colon);
    if (headers.length === limits.headerCountMax * 2) return 'TOO_MANY_HEADERS';
    headers.push(head.slice(at, colon), trimmed(head, colon + 1, lineEnd));
    at = lineEnd + 2;
  }
  return null;
}

/** Without spaces and tabs at its ends. String.trim would take 0xa0 as well. */
export function trimmed(text: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function nameFault(head: string, at: number, stop: number): RefusalReason {
  const code = head.charCodeAt(stop);
  if (stop === at && isBlank(code)) return 'FOLDED_LINE';
  if (code === COLON) return 'EMPTY_HEADER_NAME';
  const lineEnd = head.indexOf('\r', stop);
  const colon = head.indexOf(':', stop);
  if (colon === -1 || colon > lineEnd) return 'MISSING_COLON';
  return isBlank(code) ? 'SPACE_BEFORE_COLON' : 'MALFORMED_HEADER_NAME';
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
