/** Heads and chunks as they go out. What would break out of its line is refused, never repaired: nothing is written then. */
import { isToken, type RawHeaders } from './header-lines.js';
import { refuse, type Refusal } from './refusals.js';

/** Latin1 without control bytes; a tab may stand inside. */
const UNSAFE_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const UNSAFE_TARGET = /[^!"$-~]/;

/** To be written as latin1. */
export function writeRequestHead(method: string, target: string, headers: Readonly<RawHeaders>): string | Refusal {
  if (!isToken(method) || target === '' || UNSAFE_TARGET.test(target)) return refuse('caller', 'UNSAFE_HEAD');
  return writeLines(`${method} ${target} HTTP/1.1\r\n`, headers);
}

/** To be written as latin1. */
export function writeResponseHead(status: number, reason: string, headers: Readonly<RawHeaders>): string | Refusal {
  const isStatus = Number.isInteger(status) && status >= 100 && status <= 599;
  if (!isStatus || UNSAFE_VALUE.test(reason)) return refuse('caller', 'UNSAFE_HEAD');
  return writeLines(`HTTP/1.1 ${status} ${reason}\r\n`, headers);
}

function writeLines(startLine: string, headers: Readonly<RawHeaders>): string | Refusal {
  const lines = writeHeaderLines(headers);
  return lines === null ? refuse('caller', 'UNSAFE_HEAD') : `${startLine}${lines}\r\n`;
}

/** A token. Most heads have one line of their own, and it is always the trace's. */
let lastName = 'X-Amzn-Trace-Id';

/** `null` when a name is no token or a value holds a control byte. */
export function writeHeaderLines(headers: readonly string[]): string | null {
  let lines = '';
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    const value = headers[i + 1]!;
    if ((name !== lastName && !isToken(name)) || UNSAFE_VALUE.test(value)) return null;
    lastName = name;
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

/** The same for headers that are written again and again: as one piece, so that a write need not put its parts together each time. */
export function writeSharedLines(headers: readonly string[]): string | null {
  const lines = writeHeaderLines(headers);
  return lines === null ? null : inOnePiece(lines);
}

/** Latin1 text that was put together, so that whoever writes it again need not do that again. */
export function inOnePiece(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** Each piece of body goes out as `prefix` and its bytes; the line break behind them leads the next prefix. */
export class ChunkedEncoder {
  private lineBreak = '';

  /** Empty for an empty piece: a chunk of size 0 would end the body. */
  prefix(dataBytes: number): string {
    if (dataBytes === 0) return '';
    const prefix = `${this.lineBreak}${dataBytes.toString(16)}\r\n`;
    this.lineBreak = '\r\n';
    return prefix;
  }

  end(trailers: Readonly<RawHeaders> = []): string | Refusal {
    return writeLines(`${this.lineBreak}0\r\n`, trailers);
  }
}
