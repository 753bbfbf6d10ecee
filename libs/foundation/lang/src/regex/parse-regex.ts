/**
 * Tenants' regular expressions, read into a tree. Two dialects, both without what cannot be run in linear time:
 *
 *   x  .  \d \D \w \W \s \S  \b \B  \n \r \t \f  \xHH \uHHHH  \ before punctuation
 *   [a-z\d_]  [^...]   (...)  (?:...)  (?<name>...)   a|b   ^  $
 *   x*  x+  x?  x{n}  x{n,}  x{n,m}, each also lazy (whether a pattern matches does not depend on it)
 *
 *   java   also (?i) (?s) (?is) at the very beginning; nested classes and `&&` are refused
 *   ecma   also \v \0 \cX, [\b], [] and [^]; a `{` that begins no repetition, and a `[` in a class, stand for themselves;
 *          \s is Unicode's
 *
 * Refused by name: look-ahead, look-behind, back references, possessive quantifiers, atomic groups, \p and groups nested more than
 * 50 deep.
 */
import { ASCII_SPACE, complement, DIGIT, normalised, UNICODE_SPACE, withOtherCase, WORD, type Ranges } from './char-set.js';

export class RegexError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RegexError';
  }
}

export type Dialect = 'java' | 'ecma';

export type RegexNode =
  | { readonly kind: 'char'; readonly set: Ranges }
  | { readonly kind: 'first' | 'last' | 'boundary' | 'noBoundary' }
  | { readonly kind: 'sequence'; readonly parts: readonly RegexNode[] }
  | { readonly kind: 'choice'; readonly parts: readonly RegexNode[] }
  | { readonly kind: 'group'; readonly part: RegexNode; readonly index: number }
  | {
      readonly kind: 'repeat';
      readonly part: RegexNode;
      readonly min: number;
      readonly max: number;
      readonly isLazy: boolean;
    };

const DEPTH_MAX = 50;
const BOUNDS = /^\{(\d{1,4})(,(\d{1,4})?)?\}$/;
const CONTROLS: Readonly<Record<string, number>> = { n: 0x0a, r: 0x0d, t: 0x09, f: 0x0c };
const code = (char: string): number => char.codePointAt(0)!;

/** What `.` leaves out unless (?s). */
const LINE_ENDS: Readonly<Record<Dialect, Ranges>> = {
  java: [
    [0x0a, 0x0a],
    [0x0d, 0x0d],
    [0x85, 0x85],
    [0x2028, 0x2029],
  ],
  ecma: [
    [0x0a, 0x0a],
    [0x0d, 0x0d],
    [0x2028, 0x2029],
  ],
};

/** Throws RegexError. */
export function parseRegex(text: string, dialect: Dialect): RegexNode {
  return new Parser(text, dialect).parse();
}

class Parser {
  #at = 0;
  #depth = 0;
  #groupCount = 0;
  #ignoresCase = false;
  #dotTakesAll = false;
  readonly #chars: readonly string[];
  readonly #isJava: boolean;

  constructor(
    text: string,
    private readonly dialect: Dialect,
  ) {
    this.#chars = [...text];
    this.#isJava = dialect === 'java';
  }

  parse(): RegexNode {
    const flags = this.#isJava ? /^\(\?([is]{1,2})\)/.exec(this.#chars.slice(0, 5).join('')) : null;
    if (flags !== null) {
      this.#at = flags[0].length;
      this.#ignoresCase = flags[1]!.includes('i');
      this.#dotTakesAll = flags[1]!.includes('s');
    }
    const node = this.#choice();
    if (this.#at < this.#chars.length) throw this.#error('unmatched )');
    return node;
  }

  #choice(): RegexNode {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts };
  }

  #sequence(): RegexNode {
    const parts: RegexNode[] = [];
    for (let char = this.#peek(); char !== undefined && char !== '|' && char !== ')'; char = this.#peek()) {
      parts.push(this.#repeated(this.#atom()));
    }
    return { kind: 'sequence', parts };
  }

  #repeated(part: RegexNode): RegexNode {
    const bounds = this.#quantifier();
    if (bounds === null) return part;
    if (part.kind === 'first' || part.kind === 'last' || part.kind === 'boundary' || part.kind === 'noBoundary')
      throw this.#error('nothing to repeat');
    if (this.#take('+')) throw this.#error('possessive quantifiers are not supported');
    const isLazy = this.#take('?');
    if ('*+?'.includes(this.#peek() ?? ' ') || this.#beginsBounds()) throw this.#error('nothing to repeat');
    return { kind: 'repeat', part, min: bounds[0], max: bounds[1], isLazy };
  }

  #quantifier(): readonly [number, number] | null {
    if (this.#take('*')) return [0, Infinity];
    if (this.#take('+')) return [1, Infinity];
    if (this.#take('?')) return [0, 1];
    return this.#beginsBounds() ? this.#bounds() : null;
  }

  /** In Java a `{` always does; what follows may then be wrong. */
  #beginsBounds(): boolean {
    return this.#peek() === '{' && (this.#isJava || BOUNDS.test(this.#boundsText()));
  }

  #boundsText(): string {
    const end = this.#chars.indexOf('}', this.#at);
    return end === -1 || end - this.#at > 12 ? '' : this.#chars.slice(this.#at, end + 1).join('');
  }

  #bounds(): readonly [number, number] {
    const match = BOUNDS.exec(this.#boundsText());
    if (match === null) throw this.#error('invalid repetition');
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === undefined ? Infinity : Number(match[3]);
    if (max < min) throw this.#error('invalid repetition');
    this.#at += match[0].length;
    return [min, max];
  }

  #atom(): RegexNode {
    if (this.#beginsBounds()) throw this.#error('nothing to repeat');
    const char = this.#next();
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '.':
        return this.#set(this.#dotTakesAll ? [] : LINE_ENDS[this.dialect], true);
      case '^':
        return { kind: 'first' };
      case '$':
        return { kind: 'last' };
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        throw this.#error('nothing to repeat');
      default:
        return this.#set([[code(char), code(char)]]);
    }
  }

  #group(): RegexNode {
    const isPlain = this.#take('?') && this.#take(':');
    const captures = !isPlain && (this.#chars[this.#at - 1] !== '?' || this.#takeName());
    if (!isPlain && !captures) throw this.#unsupportedGroup();
    if (++this.#depth > DEPTH_MAX) throw this.#error(`groups nested more than ${DEPTH_MAX} deep`);
    // Groups are counted from the left, by their opening parentheses.
    const index = captures ? ++this.#groupCount : 0;
    const part = this.#choice();
    if (!this.#take(')')) throw this.#error('missing )');
    this.#depth--;
    return captures ? { kind: 'group', part, index } : part;
  }

  #unsupportedGroup(): RegexError {
    const char = this.#peek() ?? '';
    const following = this.#chars[this.#at + 1] ?? '';
    if (char === '=' || char === '!') return this.#error('look-ahead is not supported');
    if (char === '<' && (following === '=' || following === '!')) return this.#error('look-behind is not supported');
    if (char === '>') return this.#error('atomic groups are not supported');
    return this.#error('flags inside the pattern are not supported');
  }

  #takeName(): boolean {
    const name = /^<[a-zA-Z][a-zA-Z0-9_]{0,63}>/.exec(this.#chars.slice(this.#at, this.#at + 66).join(''));
    this.#at += name?.[0].length ?? 0;
    return name !== null;
  }

  #escape(): RegexNode {
    if (this.#take('b')) return { kind: 'boundary' };
    if (this.#take('B')) return { kind: 'noBoundary' };
    const set = this.#classEscape();
    if (set !== null) return this.#set(set);
    const literal = this.#literalEscape();
    return this.#set([[literal, literal]]);
  }

  /** `\d` and the like; the upper-case ones mean the complement. */
  #classEscape(): Ranges | null {
    const char = this.#peek() ?? '';
    const lower = char.toLowerCase();
    const space = this.#isJava ? ASCII_SPACE : UNICODE_SPACE;
    const set = lower === 'd' ? DIGIT : lower === 'w' ? WORD : lower === 's' ? space : null;
    if (set === null) return null;
    this.#at++;
    return char === lower ? set : complement(set);
  }

  #literalEscape(): number {
    const char = this.#next();
    if (Object.hasOwn(CONTROLS, char)) return CONTROLS[char]!;
    if (char === 'x' || char === 'u') return this.#hexadecimal(char === 'x' ? 2 : 4);
    if (!this.#isJava && char === 'v') return 0x0b;
    if (!this.#isJava && char === '0' && !/[0-9]/.test(this.#peek() ?? '')) return 0;
    if (!this.#isJava && char === 'c' && /[a-zA-Z]/.test(this.#peek() ?? '')) return code(this.#next()) % 32;
    if (/[1-9k]/.test(char)) throw this.#error('back references are not supported');
    if (/[a-zA-Z0-9]/.test(char)) throw this.#error(`\\${char} is not supported`);
    return code(char);
  }

  /** Two `\u` may write one character beyond U+FFFF. */
  #hexadecimal(length: 2 | 4): number {
    const unit = this.#hexadecimalDigits(length);
    if (length === 2 || unit < 0xd800 || unit > 0xdbff) return unit;
    if (this.#peek() !== '\\' || this.#chars[this.#at + 1] !== 'u') return unit;
    const before = this.#at;
    this.#at += 2;
    const low = this.#hexadecimalDigits(4);
    if (low >= 0xdc00 && low <= 0xdfff) return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    this.#at = before;
    return unit;
  }

  #hexadecimalDigits(length: number): number {
    const digits = this.#chars.slice(this.#at, this.#at + length).join('');
    if (digits.length !== length || !/^[0-9a-fA-F]+$/.test(digits)) throw this.#error('invalid escape');
    this.#at += length;
    return parseInt(digits, 16);
  }

  #class(): RegexNode {
    const isNegated = this.#take('^');
    const ranges: (readonly [number, number])[] = [];
    for (let char = this.#next(); char !== ']'; char = this.#next()) {
      this.#checkMember(char);
      const low = this.#classMember(char, ranges);
      if (this.#peek() !== '-' || this.#chars[this.#at + 1] === ']') {
        if (low !== null) ranges.push([low, low]);
        continue;
      }
      // `\d-x` is no range: the dash stands for itself, and is read next.
      if (low === null) continue;
      this.#at++;
      const end = this.#next();
      this.#checkMember(end);
      const high = this.#classMember(end, ranges);
      if (high === null && !this.#isJava) ranges.push([low, low], [code('-'), code('-')]);
      else if (high === null || high < low) throw this.#error('invalid range');
      else ranges.push([low, high]);
    }
    if (ranges.length === 0 && this.#isJava) throw this.#error('empty class');
    return this.#set(ranges, isNegated);
  }

  #checkMember(char: string): void {
    if (this.#isJava && (char === '[' || (char === '&' && this.#peek() === '&')))
      throw this.#error('class intersection and nesting are not supported');
  }

  /** A single character, or `null` after adding a whole class such as `\d`. */
  #classMember(char: string, ranges: (readonly [number, number])[]): number | null {
    if (char !== '\\') return code(char);
    if (!this.#isJava && this.#take('b')) return 0x08;
    const members = this.#classEscape();
    if (members === null) return this.#literalEscape();
    ranges.push(...members);
    return null;
  }

  #set(ranges: Ranges, isNegated = false): RegexNode {
    const set = normalised(this.#ignoresCase ? withOtherCase(ranges) : ranges);
    return { kind: 'char', set: isNegated ? complement(set) : set };
  }

  #peek(): string | undefined {
    return this.#chars[this.#at];
  }
  #next(): string {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw this.#error('the pattern ends too early');
    return char;
  }
  #take(char: string): boolean {
    const isThere = this.#peek() === char;
    if (isThere) this.#at++;
    return isThere;
  }
  #error(reason: string): RegexError {
    return new RegexError(`${reason}, at character ${Math.min(this.#at, this.#chars.length)}`);
  }
}
