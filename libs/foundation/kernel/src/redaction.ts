/**
 * What of a request may be kept and shown. Two rules, both of which a text goes through:
 *
 *   by name    the value of a header, query parameter, form field or JSON member whose name sounds like a secret, or is on the list of the
 *              operator or the API's owner, is hidden: in JSON by its structure, in any other text by what stands behind the name
 *   by value   what such a header or parameter of this request held is hidden wherever it turns up again, as in a template's output
 */
import { Buffer } from 'node:buffer';

export const HIDDEN = '[redacted]';

/** A name sounds like a secret when it holds one of these, whatever its case and punctuation. */
const PARTS = [
  'authorization',
  'token',
  'secret',
  'password',
  'passwd',
  'passphrase',
  'apikey',
  'accesskey',
  'privatekey',
  'credential',
  'signature',
  'cookie',
  'session',
  'assertion',
];
/** Or when it is one of these. */
const NAMES = new Set(['auth', 'jwt', 'pwd', 'pin', 'cvv', 'cvc', 'otp', 'sig']);
/** Of query parameters and form fields also these: in JSON they mean too much else. */
const PARAMETER_NAMES = new Set(['key', 'code']);
/** A shorter value would be found in too many places. */
const VALUE_CHARS_MIN = 6;
/** Values that are looked for in every text. */
const VALUES_MAX = 32;
const TEXT_BYTES_MAX = 4 * 1024;
/** A longer body is no longer read as JSON; what of it is shown goes by the rule for other text. */
const JSON_BYTES_MAX = 32 * 1024;
const NAME_CHARS_MAX = 128;

const bare = (name: string): string =>
  name
    .slice(0, NAME_CHARS_MAX)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '');

/** Which names are secret: ours, and those of the operator or of an API's owner. */
export class SecretNames {
  private readonly own: ReadonlySet<string>;
  /** Names come again and again; beyond this many they are looked at anew. */
  private readonly known = new Map<string, boolean>();
  private static readonly KNOWN_MAX = 4_096;

  constructor(names: readonly string[] = []) {
    this.own = new Set(names.map(bare).filter((name) => name !== ''));
  }

  has(name: string): boolean {
    let isSecret = this.known.get(name);
    if (isSecret === undefined) {
      isSecret = this.isSecret(bare(name));
      if (this.known.size < SecretNames.KNOWN_MAX && name.length <= NAME_CHARS_MAX) this.known.set(name, isSecret);
    }
    return isSecret;
  }

  hasParameter(name: string): boolean {
    return this.has(name) || PARAMETER_NAMES.has(bare(name));
  }

  private isSecret(name: string): boolean {
    return NAMES.has(name) || this.own.has(name) || PARTS.some((part) => name.includes(part));
  }
}

export class Redaction {
  /** What a secret looks like wherever it may stand, and what is shown in its place. */
  private readonly values: { readonly form: string; readonly shown: string }[] = [];

  /** Members of JSON that were hidden by their names. */
  private namedCount = 0;

  /** `show` says what is shown of a secret: nothing, unless it lets something through. */
  constructor(
    private readonly names: SecretNames,
    private readonly show: (secret: string) => string = () => HIDDEN,
  ) {}

  /** What secret headers and parameters of the request hold; to be told before anything is shown. */
  learn(headers: readonly string[], query: readonly string[]): void {
    for (let i = 0; i < headers.length; i += 2) {
      if (!this.names.has(headers[i]!)) continue;
      const value = headers[i + 1]!;
      this.hide(value);
      // `Bearer abc`: without the scheme it is the secret, too.
      const space = value.indexOf(' ');
      if (space !== -1) this.hide(value.slice(space + 1));
    }
    for (let i = 0; i < query.length; i += 2) if (this.names.hasParameter(query[i]!)) this.hide(query[i + 1]!);
  }

  hide(value: string | null): void {
    if (value === null || value.length < VALUE_CHARS_MIN || this.values.length >= VALUES_MAX) return;
    const forms = [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value.toWellFormed())];
    const shown = this.show(value);
    for (const form of new Set(forms)) this.values.push({ form, shown });
  }

  /** Name, value, name, value, ... */
  headers(headers: readonly string[]): string[] {
    return headers.map((text, i) =>
      i % 2 === 0 ? text : this.names.has(headers[i - 1]!) ? this.show(text) : cutText(this.withoutValues(text), 1_024),
    );
  }

  query(query: readonly string[]): string[] {
    return query.map((text, i) =>
      i % 2 === 0 ? text : this.names.hasParameter(query[i - 1]!) ? this.show(text) : cutText(this.withoutValues(text), 1_024),
    );
  }

  /** Without its credentials, and with its parameters as `query` shows them. */
  url(url: string): string {
    const mark = url.indexOf('?');
    const path = (mark === -1 ? url : url.slice(0, mark)).replace(/^([a-z]+:\/\/)[^/]*@/, '$1');
    return cutText(this.withoutValues(mark === -1 ? path : `${path}?${this.form(url.slice(mark + 1))}`), 2_048);
  }

  /** A body, or what a template printed; cut. */
  text(body: Buffer | string): string {
    const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
    return cutText(this.shown(bytes, TEXT_BYTES_MAX), TEXT_BYTES_MAX, bytes.length);
  }

  /** The same as it was written, unless something had to be hidden; what is no JSON, up to so many bytes. */
  shown(bytes: Buffer, bytesMax: number): string {
    const json = bytes.length <= JSON_BYTES_MAX ? this.json(bytes) : null;
    return this.withoutValues(json ?? this.withoutNamed(bytes.subarray(0, bytesMax).toString('utf8')));
  }

  /** Any value that came from JSON. */
  value(value: unknown): unknown {
    if (typeof value === 'string') return this.withoutValues(value);
    if (Array.isArray(value)) return value.map((item) => this.value(item));
    if (typeof value !== 'object' || value === null) return value;
    const members = Object.entries(value).map(([name, member]) => [
      name,
      this.names.has(name) ? this.member(member) : this.value(member),
    ]);
    return Object.fromEntries(members) as unknown;
  }

  private member(secret: unknown): string {
    this.namedCount++;
    return this.show(typeof secret === 'string' ? secret : JSON.stringify(secret));
  }

  /** `null`: it is no JSON, or nested too deeply to walk through. */
  private json(bytes: Buffer): string | null {
    const [first] = bytes;
    if (first !== 0x7b && first !== 0x5b && first !== 0x20 && first !== 0x0a) return null; // { [ and blanks
    try {
      const text = bytes.toString('utf8');
      const before = this.namedCount;
      const shown = this.value(JSON.parse(text));
      return this.namedCount === before ? text : JSON.stringify(shown);
    } catch {
      return null;
    }
  }

  /** `a=b&c=d`, as it stands. */
  private form(text: string): string {
    return text
      .split('&')
      .map((part) => {
        const equals = part.indexOf('=');
        const name = equals === -1 ? part : part.slice(0, equals);
        return equals !== -1 && this.names.hasParameter(decoded(name))
          ? `${name}=${this.show(decoded(part.slice(equals + 1)))}`
          : part;
      })
      .join('&');
  }

  /** What stands behind a secret name and `=`, `:` or `>` goes, up to the end of the value: a quote, a separator, the end of the line. */
  private withoutNamed(text: string): string {
    const name = /[A-Za-z0-9_.-]+/g;
    const between = /["'\\]{0,4}[ \t]{0,8}(?:[:=>]|%3[ADad])[ \t]{0,8}/y;
    let shown = '';
    let from = 0;
    for (let match = name.exec(text); match !== null; match = name.exec(text)) {
      if (!this.names.hasParameter(match[0])) continue;
      between.lastIndex = name.lastIndex;
      if (!between.test(text)) continue;
      const value = between.lastIndex;
      const end = endOfValue(text, value);
      if (end === value) continue; // as in `</password><`
      shown += text.slice(from, value) + this.show(text.slice(value, end));
      from = end;
      name.lastIndex = end;
    }
    return shown + text.slice(from);
  }

  private withoutValues(text: string): string {
    for (const { form, shown } of this.values) text = text.replaceAll(form, () => shown);
    return text;
  }
}

/** Quoted: with its quotes. Else up to what cannot stand in a value; a blank can, in `Bearer abc`. */
function endOfValue(text: string, start: number): number {
  const quote = text[start];
  const stops = quote === '"' || quote === "'" ? quote : '\r\n&,;<>"\'}]';
  let i = stops === quote ? start + 1 : start;
  while (i < text.length && !stops.includes(text[i]!)) i++;
  return stops === quote ? Math.min(i + 1, text.length) : i;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return name;
  }
}

const cutText = (text: string, chars: number, wholeBytes = text.length): string =>
  text.length <= chars && wholeBytes <= Math.max(chars, text.length) ? text : `${text.slice(0, chars)}... [${wholeBytes} bytes]`;
