/**
 * JSON text read once, without making values: where each key and value stands. What a template does not touch costs no more than that.
 *
 * The tape is a list of pairs, in the order of the text: `kind << 27 | start` and what is behind it. Of a text (its start is behind the
 * quote) and a number that is the end in the text; of an object and an array the place on the tape behind its last member. Keys are texts
 * that stand before their values.
 */

/** The text is no JSON. */
export class JsonBodyError extends Error {}

export const NULL = 0;
export const TRUE = 1;
export const FALSE = 2;
/** Of fewer than sixteen digits and nothing else. */
export const WHOLE = 3;
export const NUMBER = 4;
export const TEXT = 5;
export const ESCAPED_TEXT = 6;
export const OBJECT = 7;
export const ARRAY = 8;

const KIND_SHIFT = 27;
const START_MASK = (1 << KIND_SHIFT) - 1;
const DEPTH_MAX = 200;
const NUMBER_PATTERN = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** Used for every text: a list that has grown is not made again. */
const scratch: number[] = [];
/** What may stay of it between two texts. */
const SCRATCH_MAX = 1 << 16;

export class JsonTape {
  private constructor(
    readonly text: string,
    private readonly pairs: readonly number[],
  ) {}

  /** Throws JsonBodyError. */
  static read(text: string): JsonTape {
    if (text.length > START_MASK) throw new JsonBodyError('too long');
    const scanner = new Scanner(text);
    const tape = new JsonTape(text, scratch.slice(0, scanner.document()));
    if (scratch.length > SCRATCH_MAX) scratch.length = 0;
    return tape;
  }

  kind(at: number): number {
    return this.pairs[at]! >>> KIND_SHIFT;
  }

  start(at: number): number {
    return this.pairs[at]! & START_MASK;
  }

  /** In the text. */
  end(at: number): number {
    return this.pairs[at + 1]!;
  }

  /** The place behind a value and all it holds. */
  next(at: number): number {
    return this.kind(at) >= OBJECT ? this.pairs[at + 1]! : at + 2;
  }

  /** Whether the text at this place is `wanted`. */
  isText(at: number, wanted: string): boolean {
    const { text } = this;
    const start = this.start(at);
    if (this.kind(at) === ESCAPED_TEXT) return this.textOf(at) === wanted;
    return this.end(at) - start === wanted.length && text.startsWith(wanted, start);
  }

  textOf(at: number): string {
    const start = this.start(at);
    return this.kind(at) === TEXT
      ? this.text.slice(start, this.end(at))
      : (JSON.parse(this.text.slice(start - 1, this.end(at) + 1)) as string);
  }
}

class Scanner {
  #at = 0;
  #depth = 0;
  #length = 0;

  constructor(private readonly text: string) {}

  /** How long the tape is. */
  document(): number {
    this.#skip();
    this.#value();
    this.#skip();
    if (this.#at < this.text.length) throw error();
    return this.#length;
  }

  #note(kind: number, start: number, end: number): void {
    scratch[this.#length++] = (kind << KIND_SHIFT) | start;
    scratch[this.#length++] = end;
  }

  #value(): void {
    switch (this.text.charCodeAt(this.#at)) {
      case 0x22: // "
        return this.#string();
      case 0x7b: // {
        return this.#object();
      case 0x5b: // [
        return this.#array();
      case 0x74: // t
        return this.#word('true', TRUE);
      case 0x66: // f
        return this.#word('false', FALSE);
      case 0x6e: // n
        return this.#word('null', NULL);
      default:
        return this.#number();
    }
  }

  #word(word: string, kind: number): void {
    const start = this.#at;
    if (!this.text.startsWith(word, start)) throw error();
    this.#at += word.length;
    this.#note(kind, start, this.#at);
  }

  /** Digits and fractions, which most are, without the pattern. */
  #number(): void {
    const { text } = this;
    const start = this.#at;
    let at = start;
    let code = text.charCodeAt(at);
    while (code >= 0x30 && code <= 0x39) code = text.charCodeAt(++at);
    const digits = at - start;
    let kind = WHOLE;
    if (code === 0x2e) {
      const fraction = at + 1;
      kind = NUMBER;
      code = text.charCodeAt(++at);
      while (code >= 0x30 && code <= 0x39) code = text.charCodeAt(++at);
      if (at === fraction) throw error();
    }
    const isPlain = digits > 0 && digits < 16 && (code === 0x2c || code === 0x7d || code === 0x5d);
    if (!isPlain || (digits > 1 && text.charCodeAt(start) === 0x30)) return this.#anyNumber(start);
    this.#at = at;
    this.#note(kind, start, at);
  }

  #anyNumber(start: number): void {
    NUMBER_PATTERN.lastIndex = start;
    if (!NUMBER_PATTERN.test(this.text)) throw error();
    this.#at = NUMBER_PATTERN.lastIndex;
    this.#note(NUMBER, start, this.#at);
  }

  #object(): void {
    const own = this.#open(OBJECT);
    if (this.text.charCodeAt(this.#at) === 0x7d) return this.#close(own);
    for (;;) {
      if (this.text.charCodeAt(this.#at) !== 0x22) throw error();
      this.#string();
      this.#skip();
      if (this.text.charCodeAt(this.#at++) !== 0x3a) throw error();
      this.#skip();
      this.#value();
      this.#skip();
      const code = this.text.charCodeAt(this.#at);
      if (code === 0x7d) return this.#close(own);
      if (code !== 0x2c) throw error();
      this.#at++;
      this.#skip();
    }
  }

  #array(): void {
    const own = this.#open(ARRAY);
    if (this.text.charCodeAt(this.#at) === 0x5d) return this.#close(own);
    for (;;) {
      this.#value();
      this.#skip();
      const code = this.text.charCodeAt(this.#at);
      if (code === 0x5d) return this.#close(own);
      if (code !== 0x2c) throw error();
      this.#at++;
      this.#skip();
    }
  }

  /** Its place on the tape; goes to what is behind the bracket. */
  #open(kind: number): number {
    if (++this.#depth > DEPTH_MAX) throw error();
    const own = this.#length;
    this.#note(kind, this.#at, 0);
    this.#at++;
    this.#skip();
    return own;
  }

  #close(own: number): void {
    scratch[own + 1] = this.#length;
    this.#at++;
    this.#depth--;
  }

  #string(): void {
    const { text } = this;
    const { length } = text;
    const start = this.#at + 1;
    for (let at = start; at < length; at++) {
      const code = text.charCodeAt(at);
      if (code === 0x22) {
        this.#at = at + 1;
        return this.#note(TEXT, start, at);
      }
      if (code === 0x5c) return this.#escapedString(start, at);
      if (code < 0x20) break;
    }
    throw error();
  }

  #escapedString(start: number, firstEscape: number): void {
    const { text } = this;
    let end = firstEscape;
    while (end < text.length && text.charCodeAt(end) !== 0x22) end += text.charCodeAt(end) === 0x5c ? 2 : 1;
    if (end >= text.length) throw error();
    this.#at = end + 1;
    try {
      JSON.parse(text.slice(start - 1, end + 1));
    } catch {
      throw error();
    }
    this.#note(ESCAPED_TEXT, start, end);
  }

  #skip(): void {
    const { text } = this;
    for (;;) {
      const code = text.charCodeAt(this.#at);
      if (code > 0x20 || (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09)) return;
      this.#at++;
    }
  }
}

const error = (): JsonBodyError => new JsonBodyError('not JSON');
