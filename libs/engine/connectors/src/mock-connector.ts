/**
 * The backend that is none: a MOCK integration's request template says which status it "answered" (data-plane reference §3.12).
 * AWS reads the template's output leniently: names bare or in either quotes, trailing commas; but the status has to be an
 * unquoted integer. Templates are static text, so the answer is known when the route is linked.
 */
import type { UpstreamAnswer } from '@gatehouse/engine-exchange';

/** `null`: no status can be read, which answers 500. */
export function mockAnswer(templateOutput: string): UpstreamAnswer | null {
  const parser = new LenientParser(templateOutput);
  const status = parser.topLevelMember('statusCode');
  return typeof status === 'number' && Number.isInteger(status) ? { status, headers: [], body: null } : null;
}

const DEPTH_MAX = 64;

type Scalar = string | number | boolean | null;
/** What is nested is only skipped. */
const NESTED = Symbol('nested');
/** No sense can be made of the text. */
class Unreadable extends Error {}

class LenientParser {
  private at = 0;

  constructor(private readonly text: string) {}

  /** The last member of that name; `undefined` when there is none or the text is not an object. */
  topLevelMember(name: string): Scalar | typeof NESTED | undefined {
    try {
      let found: Scalar | typeof NESTED | undefined;
      this.space();
      this.object(0, (key, value) => {
        if (key === name) found = value;
      });
      this.space();
      return this.at === this.text.length ? found : undefined;
    } catch (error) {
      if (error instanceof Unreadable) return undefined;
      throw error;
    }
  }

  private object(depth: number, member: (key: string, value: Scalar | typeof NESTED) => void): void {
    this.expect('{');
    for (;;) {
      this.space();
      if (this.take('}')) return;
      const key = this.key();
      this.space();
      this.expect(':');
      member(key, this.value(depth + 1));
      this.space();
      if (!this.take(',')) {
        this.expect('}');
        return;
      }
    }
  }

  private value(depth: number): Scalar | typeof NESTED {
    if (depth > DEPTH_MAX) throw new Unreadable();
    this.space();
    const start = this.text[this.at];
    if (start === '{') {
      this.object(depth, () => undefined);
      return NESTED;
    }
    if (start === '[') {
      this.array(depth);
      return NESTED;
    }
    if (start === '"' || start === "'") return this.quoted();
    const word = this.word(/[^\s,}\]:{["']+/y);
    if (word === 'true' || word === 'false') return word === 'true';
    if (word === 'null') return null;
    if (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(word)) return Number(word);
    throw new Unreadable();
  }

  private array(depth: number): void {
    this.expect('[');
    for (;;) {
      this.space();
      if (this.take(']')) return;
      this.value(depth + 1);
      this.space();
      if (!this.take(',')) {
        this.expect(']');
        return;
      }
    }
  }

  private key(): string {
    const start = this.text[this.at];
    return start === '"' || start === "'" ? this.quoted() : this.word(/[A-Za-z0-9_$.-]+/y);
  }

  private quoted(): string {
    const quote = this.text[this.at++]!;
    let result = '';
    for (;;) {
      const char = this.text[this.at++];
      if (char === undefined) throw new Unreadable();
      if (char === quote) return result;
      if (char === '\\') result += this.text[this.at++] ?? '';
      else result += char;
    }
  }

  private word(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const word = pattern.exec(this.text)?.[0];
    if (word === undefined) throw new Unreadable();
    this.at += word.length;
    return word;
  }

  private space(): void {
    while (this.at < this.text.length && /\s/.test(this.text[this.at]!)) this.at++;
  }

  private take(char: string): boolean {
    if (this.text[this.at] !== char) return false;
    this.at++;
    return true;
  }

  private expect(char: string): void {
    if (!this.take(char)) throw new Unreadable();
  }
}
