/** `$util` (data-plane reference 5.3). */
import { type Budget, RenderFailure } from './budget.js';
import { JavaObject, textOf, type Value } from './java-values.js';
import { JsonBodyError, parseJson } from './json-body.js';

export class UtilVariable extends JavaObject {
  constructor(private readonly budget: Budget) {
    super();
  }

  override call(method: string, values: readonly Value[]): Value | undefined {
    const [value] = values;
    if (value === undefined || values.length > 1) return undefined;
    if (method === 'escapeJavaScript') return value === null ? 'null' : this.#escaped(textOf(value, this.budget));
    if (typeof value !== 'string') return undefined;
    this.budget.build(value.length);
    switch (method) {
      case 'parseJson':
        this.budget.step(value.length >> 2);
        return parsedJson(value);
      case 'urlEncode':
        return formEncoded(value);
      case 'urlDecode':
        return formDecoded(value);
      case 'base64Encode':
        return Buffer.from(value, 'utf8').toString('base64');
      case 'base64Decode':
        return base64Decoded(value);
      default:
        return undefined;
    }
  }

  #escaped(text: string): string {
    this.budget.build(text.length);
    if (!NEEDS_ESCAPE.test(text)) return text;
    const escaped = text.replace(NEEDS_ESCAPE_ALL, escapeOf);
    this.budget.build(escaped.length);
    return escaped;
  }
}

const NEEDS_ESCAPE = /[^ !#-&(-.0-[\]-~]/;
const NEEDS_ESCAPE_ALL = /[^ !#-&(-.0-[\]-~]/g;
const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  "'": "\\'",
  '/': '\\/',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** As commons-lang writes JavaScript strings: quotes and slashes escaped, everything beyond ASCII as `\uXXXX`. */
function escapeOf(char: string): string {
  return SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

function parsedJson(text: string): Value {
  try {
    return parseJson(text);
  } catch (cause) {
    if (cause instanceof JsonBodyError) throw new RenderFailure('$util.parseJson: not JSON');
    throw cause;
  }
}

/** application/x-www-form-urlencoded, as java.net.URLEncoder: letters, digits and `.-*_` stay. */
function formEncoded(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll('%20', '+')
    .replace(/[!'()~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function formDecoded(text: string): string {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) throw new RenderFailure('$util.urlDecode: malformed percent encoding');
  const bytes = Buffer.from(text.replaceAll('+', ' '), 'utf8');
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    const isEscape = bytes[i] === 0x25;
    bytes[length++] = isEscape ? parseInt(bytes.toString('latin1', i + 1, i + 3), 16) : bytes[i]!;
    if (isEscape) i += 2;
  }
  return bytes.toString('utf8', 0, length);
}

function base64Decoded(text: string): string {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1)
    throw new RenderFailure('$util.base64Decode: not base64');
  return Buffer.from(text, 'base64').toString('utf8');
}
