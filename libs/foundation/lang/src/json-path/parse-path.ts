/**
 * JSONPath in the dialect of Jayway JsonPath 2.0.0, which mapping templates and mapping expressions of API Gateway use.
 *
 *   $  .name  ['name']  ['a','b']  [0]  [0,2]  [1:3]  [:2]  [-2:]  [*]  .*  ..name  ..*  ..[0]  [?(filter)]  [(@.length-1)]
 *
 *   filter   @.a  @['a']  !@.a  ==  !=  <  <=  >  >=  =~ /pattern/i  in [..]  nin [..]  size n  empty true  contains x  &&  ||  (..)
 *            with 'text', numbers, true, false, null and $.paths on either side
 *
 * `$` may be left out. Names in double quotes, and the operators that are words, are of later releases; 2.0.0 refuses them.
 */
export class JsonPathError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'JsonPathError';
  }
}

export type PathPart =
  | { readonly kind: 'names'; readonly names: readonly string[] }
  | { readonly kind: 'indexes'; readonly indexes: readonly number[] }
  | { readonly kind: 'slice'; readonly from: number | null; readonly to: number | null }
  | { readonly kind: 'fromEnd'; readonly count: number }
  | { readonly kind: 'all' }
  | { readonly kind: 'scan' }
  | { readonly kind: 'filter'; readonly filter: Filter };

export type Operand =
  | { readonly kind: 'constant'; readonly value: string | number | boolean | null }
  | { readonly kind: 'list'; readonly values: readonly (string | number | boolean | null)[] }
  | { readonly kind: 'pattern'; readonly pattern: string }
  | { readonly kind: 'path'; readonly fromRoot: boolean; readonly parts: readonly PathPart[] };

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=' | '=~' | 'in' | 'nin' | 'size' | 'empty' | 'contains';

export type Filter =
  | { readonly kind: 'or' | 'and'; readonly left: Filter; readonly right: Filter }
  | { readonly kind: 'not'; readonly operand: Filter }
  | { readonly kind: 'exists'; readonly operand: Operand }
  | { readonly kind: 'compare'; readonly operator: Comparison; readonly left: Operand; readonly right: Operand };

const CHARS_MAX = 2_000;
const DEPTH_MAX = 20;
const NAME = /[^.[\]() '"=<>!&|,]+/y;
const QUOTED = /'([^']*)'|"([^"]*)"/y;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const INTEGER = /-?\d{1,9}(?:\.\d+)?/y;
const COMPARISON = /==|!=|<=|>=|=~|<|>|(?:in|nin|size|empty|contains)\b/y;

/** Throws JsonPathError. */
export function parsePath(text: string): readonly PathPart[] {
  if (text.length > CHARS_MAX) throw new JsonPathError(`Path longer than ${CHARS_MAX} characters`);
  return new Parser(text.trim()).path();
}

/** Whether a path selects one value; else it selects a list. */
export function isDefinite(parts: readonly PathPart[]): boolean {
  return parts.every(
    (part) => part.kind === 'names' || part.kind === 'fromEnd' || (part.kind === 'indexes' && part.indexes.length === 1),
  );
}

class Parser {
  #at = 0;
  #depth = 0;

  constructor(private readonly text: string) {}

  path(): PathPart[] {
    if (this.text === '') throw this.#error('is empty');
    const hasRoot = /^[$@]/.test(this.text);
    if (hasRoot) this.#at++;
    const parts: PathPart[] = [];
    if (!hasRoot && !this.text.startsWith('[')) parts.push(this.#dotted());
    parts.push(...this.#parts());
    if (this.#at < this.text.length) throw this.#error(this.#peek() === ' ' ? 'has a space' : `goes on with "${this.#peek()}"`);
    if (parts.at(-1)?.kind === 'scan') throw this.#error('ends with a scan');
    return parts;
  }

  /** As far as they go. */
  #parts(): PathPart[] {
    const parts: PathPart[] = [];
    for (;;) {
      const char = this.#peek();
      if (char === '[') parts.push(this.#bracketed());
      else if (char === '.') {
        this.#at++;
        const isScan = this.#take('.');
        if (isScan) {
          parts.push({ kind: 'scan' });
          this.#take('.');
        }
        const next = this.#peek();
        if (isScan && (next === '[' || next === undefined)) continue;
        parts.push(this.#dotted());
      } else return parts;
    }
  }

  #dotted(): PathPart {
    if (this.#take('*')) return { kind: 'all' };
    const name = this.#match(NAME);
    if (name === null) throw this.#error(this.#peek() === ' ' ? 'has a space' : 'lacks a name');
    // What looks like a function of later releases is the name of a member here.
    const call = this.#match(/\(\)/y) ?? '';
    return { kind: 'names', names: [name + call] };
  }

  #bracketed(): PathPart {
    this.#at++;
    this.#skip();
    const part = this.#inBrackets();
    this.#skip();
    this.#expect(']');
    return part;
  }

  #inBrackets(): PathPart {
    if (this.#take('*')) return { kind: 'all' };
    const char = this.#peek();
    if (char === "'" || char === '"') return { kind: 'names', names: this.#separated(() => this.#quoted()) };
    if (char === '?') return this.#filterPart();
    if (char === '(') return this.#fromEnd();
    const from = this.#integer();
    this.#skip();
    if (this.#take(':')) {
      this.#skip();
      const to = this.#integer();
      if (from === null && to === null) throw this.#error('has a slice without bounds');
      return { kind: 'slice', from, to };
    }
    if (from === null) throw this.#error('has brackets that say nothing');
    const indexes = [from];
    while (this.#take(',')) {
      this.#skip();
      indexes.push(this.#integer() ?? this.#fail('lacks an index'));
      this.#skip();
    }
    return { kind: 'indexes', indexes };
  }

  #fromEnd(): PathPart {
    const count = this.#match(/\(@\.length\s*-\s*\d{1,9}\)/y);
    if (count === null) throw this.#error('has an expression other than (@.length-n)');
    return { kind: 'fromEnd', count: Number(/\d+/.exec(count)![0]) };
  }

  #filterPart(): PathPart {
    this.#at++;
    this.#skip();
    this.#expect('(');
    const filter = this.#or();
    this.#expect(')');
    return { kind: 'filter', filter };
  }

  #or(): Filter {
    let left = this.#and();
    while (this.#takeText('||')) left = { kind: 'or', left, right: this.#and() };
    return left;
  }

  #and(): Filter {
    let left = this.#condition();
    while (this.#takeText('&&')) left = { kind: 'and', left, right: this.#condition() };
    return left;
  }

  #condition(): Filter {
    if (++this.#depth > DEPTH_MAX) throw this.#error(`nests more than ${DEPTH_MAX} deep`);
    this.#skip();
    const filter = this.#plainCondition();
    this.#skip();
    this.#depth--;
    return filter;
  }

  #plainCondition(): Filter {
    if (this.#peek() === '!' && this.text[this.#at + 1] !== '=') {
      this.#at++;
      return { kind: 'not', operand: this.#condition() };
    }
    if (this.#take('(')) {
      const inner = this.#or();
      this.#expect(')');
      return inner;
    }
    const left = this.#operand();
    this.#skip();
    const operator = this.#match(COMPARISON) as Comparison | null;
    if (operator === null) return { kind: 'exists', operand: left };
    this.#skip();
    return { kind: 'compare', operator, left, right: operator === '=~' ? this.#pattern() : this.#operand() };
  }

  #operand(): Operand {
    const char = this.#peek();
    if (char === '@' || char === '$') {
      this.#at++;
      const parts = this.#parts();
      if (!isDefinite(parts)) throw this.#error('has a filter with a path that selects many');
      return { kind: 'path', fromRoot: char === '$', parts };
    }
    if (!this.#take('[')) return { kind: 'constant', value: this.#constant() };
    this.#skip();
    const values = this.#peek() === ']' ? [] : this.#separated(() => this.#constant());
    this.#skip();
    this.#expect(']');
    return { kind: 'list', values };
  }

  #constant(): string | number | boolean | null {
    const char = this.#peek();
    if (char === "'" || char === '"') return this.#quoted();
    const number = this.#match(NUMBER);
    if (number !== null) return Number(number);
    const word = this.#match(/(?:true|false|null)\b/y);
    if (word === null) throw this.#error('has a filter that cannot be read');
    return word === 'null' ? null : word === 'true';
  }

  /** `/pattern/` or `/pattern/i`; `\/` for a slash. */
  #pattern(): Operand {
    const literal = this.#match(/\/(?:[^/\\]|\\.)*\/i?/y);
    if (literal === null) throw this.#error('lacks a pattern after =~');
    const end = literal.lastIndexOf('/');
    const pattern = literal.slice(1, end).replaceAll('\\/', '/');
    return { kind: 'pattern', pattern: literal.endsWith('i') ? `(?i)${pattern}` : pattern };
  }

  #separated<T>(read: () => T): T[] {
    const values = [read()];
    this.#skip();
    while (this.#take(',')) {
      this.#skip();
      values.push(read());
      this.#skip();
    }
    return values;
  }

  #quoted(): string {
    const literal = this.#match(QUOTED);
    if (literal === null) throw this.#error('lacks a name in quotes');
    return literal.slice(1, -1);
  }

  #integer(): number | null {
    const digits = this.#match(INTEGER);
    return digits === null ? null : Math.trunc(Number(digits));
  }

  #peek(): string | undefined {
    return this.text[this.#at];
  }
  #skip(): void {
    while (this.text[this.#at] === ' ') this.#at++;
  }
  #take(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at++;
    return true;
  }
  #takeText(text: string): boolean {
    this.#skip();
    if (!this.text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }
  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    if (found === undefined) return null;
    this.#at += found.length;
    return found;
  }
  #expect(char: string): void {
    if (!this.#take(char)) throw this.#error(`lacks "${char}"`);
  }
  #fail(reason: string): never {
    throw this.#error(reason);
  }
  #error(reason: string): JsonPathError {
    return new JsonPathError(`JSONPath "${this.text.slice(0, 100)}" ${reason}, at character ${this.#at + 1}`);
  }
}
