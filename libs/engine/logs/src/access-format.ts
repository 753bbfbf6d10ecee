/**
 * The format of a stage's access log, compiled once: text as it stands and readers of `$context` variables, in turn.
 *
 *   $context.identity.sourceIp [$context.requestTime] "$context.httpMethod"
 *   \________ reader _______/ \/\_____ reader _____/\_/\_____ reader ____/
 *
 * A variable's name goes as far as a name that is known; of the names below `authorizer.`, which are the owner's, as far as letters go.
 * What is not known, or has no value, prints `-`. Formats are data: nothing of them becomes source or a regular expression.
 */
import type { Exchange } from '@gatehouse/engine-exchange';
import { ESCAPED_ALREADY, logVariable, type LogVariable } from './access-variables.js';
import { escapeText, escapeXml, oneLine, type Escape } from './escaping.js';

export type AccessFormat = (x: Exchange, latencyMs: number) => string;

const MARK = '$context.';
const ABSENT = '-';
/** CloudWatch's largest event. A format of 3 KB can name a path of 8 KB several hundred times. */
const LINE_CHARS_MAX = 256 * 1024;

/** Total: every text is a format. */
export function compileAccessFormat(text: string): AccessFormat {
  // A line feed may end a format, and our lines anyway; within one it would make two lines of it.
  const format = text.trim().replace(/[\r\n]+/g, ' ');
  const escape = format.startsWith('<') ? escapeXml : escapeText;
  const texts: string[] = [];
  const readers: AccessFormat[] = [];
  let from = 0;
  for (let at = format.indexOf(MARK); at !== -1; at = format.indexOf(MARK, from)) {
    const { reader, end } = readVariable(format, at + MARK.length, escape);
    texts.push(format.slice(from, at));
    readers.push(reader);
    from = end;
  }
  const rest = format.slice(from);
  return (x, latencyMs) => {
    let line = '';
    for (let i = 0; i < readers.length; i++) {
      line += texts[i]! + readers[i]!(x, latencyMs);
      if (line.length > LINE_CHARS_MAX) return line.slice(0, LINE_CHARS_MAX);
    }
    return line + rest;
  };
}

function readVariable(format: string, start: number, escape: Escape): { readonly reader: AccessFormat; readonly end: number } {
  const longest = endOfName(format, start);
  for (let end = longest; end > start; end = format.lastIndexOf('.', end - 1)) {
    const name = format.slice(start, end);
    const variable = logVariable(name);
    if (variable !== null) return { reader: printing(variable, ESCAPED_ALREADY.has(name) ? oneLine : escape), end };
  }
  return { reader: () => ABSENT, end: longest };
}

function printing(variable: LogVariable, escape: Escape): AccessFormat {
  return (x, latencyMs) => {
    const value = variable(x, latencyMs);
    return value === null || value === '' ? ABSENT : escape(value);
  };
}

/** Letters, digits and underscores, and `.`, `-`, `:` between two of those: a full stop that ends a sentence is none of a name. */
function endOfName(format: string, start: number): number {
  const isBelowAuthorizer = format.startsWith('authorizer.', start);
  let end = start;
  while (end < format.length) {
    const char = format[end]!;
    const isJoint = char === '.' || (isBelowAuthorizer && (char === '-' || char === ':'));
    if (!isLetter(char) && !(isJoint && end > start && end + 1 < format.length && isLetter(format[end + 1]!))) break;
    end++;
  }
  return end;
}

const isLetter = (char: string): boolean =>
  (char >= 'a' && char <= 'z') || (char >= 'A' && char <= 'Z') || (char >= '0' && char <= '9') || char === '_';
