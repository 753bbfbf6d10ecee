/**
 * Where a message ends and what becomes of its connection: the one place that decides it (RFC 9112 §6, §9).
 *
 * Stricter than the RFC wherever a second reader could frame the message differently: Content-Length twice is refused even when
 * equal, and `chunked` stands alone. `Connection` is reported, not obeyed: a caller must not take headers away.
 */
import { isToken, trimmed } from './header-lines.js';
import { refuse, type Refusal, type RefusalReason } from './refusals.js';
import type { RequestHead } from './request-head.js';
import type { ResponseHead } from './response-head.js';

export type BodyFraming = 'none' | 'length' | 'chunked' | 'until-close';

export interface Framing {
  readonly body: BodyFraming;
  /** With `length`: at least 1. Otherwise 0. */
  readonly bodyBytes: number;
  /** The peer lets the connection live on behind this message. */
  readonly isKeptAlive: boolean;
  /** What Connection lists, in lower case. */
  readonly connectionNames: readonly string[];
  /** Value of Upgrade where Connection lists it, and the message allows it. */
  readonly upgrade: string | null;
}

export interface RequestFraming extends Framing {
  /** The caller waits for a 100 before it sends its body. */
  readonly expectsContinue: boolean;
  /** `TE: trailers`, whether Connection lists it or not. */
  readonly takesTrailers: boolean;
}

export function frameRequest(head: RequestHead): RequestFraming | Refusal {
  const found = readFraming(head.headers, head.minorVersion);
  if (typeof found === 'string') return refuse('caller', found);
  const { body, bodyBytes, isKeptAlive, connectionNames } = found;
  const isExpecting = head.minorVersion === 1 && found.expect !== null; // HTTP/1.0: to be ignored, RFC 9110 §10.1.1
  if (isExpecting && found.expect!.toLowerCase() !== '100-continue') return refuse('caller', 'UNKNOWN_EXPECTATION');
  const mayUpgrade = head.minorVersion === 1 && body === 'none' && connectionNames.includes('upgrade');
  const upgrade = mayUpgrade ? found.upgrade : null;
  const takesTrailers = head.minorVersion === 1 && found.te !== null && listsTrailers(found.te);
  return {
    body,
    bodyBytes,
    isKeptAlive,
    connectionNames,
    upgrade,
    expectsContinue: isExpecting && body !== 'none',
    takesTrailers,
  };
}

/** `requestMethod` of the request it answers. */
export function frameResponse(head: ResponseHead, requestMethod: string): Framing | Refusal {
  const found = readFraming(head.headers, head.minorVersion);
  if (typeof found === 'string') return refuse('upstream', found);
  const { isKeptAlive, connectionNames } = found;
  const { status } = head;
  const isBodiless = status < 200 || status === 204;
  if (status < 200 && found.body !== 'none') return refuse('upstream', 'UNEXPECTED_BODY');
  const upgrade = status === 101 && connectionNames.includes('upgrade') ? found.upgrade : null;
  if (isBodiless || status === 304 || requestMethod === 'HEAD')
    // A 204 that announces a body may send it all the same: nothing behind it is read (RFC 9110 §15.3.5).
    return {
      body: 'none',
      bodyBytes: 0,
      isKeptAlive: isKeptAlive && !(status === 204 && found.body !== 'none'),
      connectionNames,
      upgrade,
    };
  if (found.body === 'none' && !found.hasLength)
    return { body: 'until-close', bodyBytes: 0, isKeptAlive: false, connectionNames, upgrade };
  return { body: found.body, bodyBytes: found.bodyBytes, isKeptAlive, connectionNames, upgrade };
}

interface Found {
  body: 'none' | 'length' | 'chunked';
  bodyBytes: number;
  hasLength: boolean;
  isKeptAlive: boolean;
  connectionNames: readonly string[];
  upgrade: string | null;
  expect: string | null;
  te: string | null;
}

const NO_NAMES: readonly string[] = Object.freeze([]);
const KEEP_ALIVE: readonly string[] = Object.freeze(['keep-alive']);
const CLOSE: readonly string[] = Object.freeze(['close']);

function readFraming(headers: readonly string[], minorVersion: 0 | 1): Found | RefusalReason {
  let length: string | null = null;
  let coding: string | null = null;
  let connection: string | null = null;
  let upgrade: string | null = null;
  let expect: string | null = null;
  let te: string | null = null;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    // Length and first letter rule out most names without making a string.
    switch (name.length) {
      case 2:
        if (isNamed(name, 'te')) te = joined(te, headers[i + 1]!);
        break;
      case 6:
        if (isNamed(name, 'expect')) expect = joined(expect, headers[i + 1]!);
        break;
      case 7:
        if (isNamed(name, 'upgrade')) upgrade = joined(upgrade, headers[i + 1]!);
        break;
      case 10:
        if (isNamed(name, 'connection')) connection = joined(connection, headers[i + 1]!);
        break;
      case 14:
        if (!isNamed(name, 'content-length')) break;
        if (length !== null) return 'SEVERAL_CONTENT_LENGTHS';
        length = headers[i + 1]!;
        break;
      case 17:
        if (!isNamed(name, 'transfer-encoding')) break;
        if (coding !== null) return 'MALFORMED_TRANSFER_ENCODING';
        coding = headers[i + 1]!;
        break;
      default:
    }
  }
  if (length !== null && coding !== null) return 'LENGTH_AND_CODING';
  if (coding !== null) {
    const fault = codingFault(coding, minorVersion);
    if (fault !== null) return fault;
  }
  const bodyBytes = length === null ? 0 : readLength(length);
  if (bodyBytes === -1) return 'MALFORMED_CONTENT_LENGTH';
  const connectionNames = connection === null ? NO_NAMES : readConnection(connection);
  if (connectionNames === null) return 'MALFORMED_CONNECTION';
  const isKeptAlive = !connectionNames.includes('close') && (minorVersion === 1 || connectionNames.includes('keep-alive'));
  const body = coding !== null ? 'chunked' : bodyBytes > 0 ? 'length' : 'none';
  return { body, bodyBytes, hasLength: length !== null, isKeptAlive, connectionNames, upgrade, expect, te };
}

function listsTrailers(te: string): boolean {
  return te
    .toLowerCase()
    .split(',')
    .some((part) => trimmed(part, 0, part.length) === 'trailers');
}

function isNamed(name: string, lowerName: string): boolean {
  return (name.charCodeAt(0) | 0x20) === lowerName.charCodeAt(0) && name.toLowerCase() === lowerName;
}

function joined(before: string | null, value: string): string {
  return before === null ? value : `${before}, ${value}`;
}

function codingFault(coding: string, minorVersion: 0 | 1): RefusalReason | null {
  if (minorVersion === 0) return 'CODING_IN_HTTP_1_0';
  if (coding.toLowerCase() === 'chunked') return null;
  return isToken(coding) ? 'UNKNOWN_TRANSFER_CODING' : 'MALFORMED_TRANSFER_ENCODING';
}

/** -1 for what is no length. `010` is refused: some read it as octal. */
function readLength(text: string): number {
  return /^(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : -1;
}

function readConnection(value: string): readonly string[] | null {
  if (value === 'keep-alive') return KEEP_ALIVE;
  if (value === 'close') return CLOSE;
  const names: string[] = [];
  for (const part of value.toLowerCase().split(',')) {
    const name = trimmed(part, 0, part.length);
    if (name === '') continue; // empty list members mean nothing: RFC 9110 §5.6.1.2
    if (!isToken(name)) return null;
    names.push(name);
  }
  return names;
}
