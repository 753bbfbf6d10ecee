/**
 * Velocity 1.7's syntax, read in one pass over the characters: linear in the template, nesting bounded.
 *
 * Text is everything that is not a reference or a directive; what merely looks like one (`$5`, `# a`, `$.x`, `#unknown`) stays text.
 * Rules that surprise:
 *
 *   - `)` of a directive, `#end` and `#else` take the white space up to and including the end of the line with them; `#set` also
 *     takes the blanks in front, but only where they follow another directive or reference directly.
 *   - `-` belongs to names (`$a-b` is one reference) and to numbers (`5 -1` does not parse, `5 - 1` does).
 *   - A backslash is an ordinary character inside strings; a quote is written twice. `"..."` is a template itself, `'...'` is not.
 *   - `#name(...)` must hold arguments even where no macro of that name exists; without such a macro it prints as it stands.
 *
 * Source: the Velocity 1.7 user guide, checked against the original (tools/vtl-oracle). One difference on purpose: a template that
 * ends with `$` or `#` is text here and an error there.
 */
import { positionOf, VtlSyntaxError } from './errors.js';
import type {
  Access,
  BinaryOperator,
  Block,
  Branch,
  Expression,
  MacroDefinition,
  ParsedTemplate,
  Reference,
  Statement,
} from './syntax.js';

/** API Gateway guide, "Important notes": a mapping template has at most 300 KB. */
const TEMPLATE_CHARS_MAX = 300 * 1024;
/** Blocks, parentheses, lists and strings inside each other. */
const DEPTH_MAX = 100;

/** The template without the white space around it, as API Gateway renders it. Throws VtlSyntaxError. */
export function parseTemplate(template: string, charsMax = TEMPLATE_CHARS_MAX): ParsedTemplate {
  if (template.length > charsMax) throw new VtlSyntaxError(`More than ${charsMax} characters`, 1, 1);
  try {
    const macros = new Map<string, MacroDefinition>();
    const body = new Parser(trimmedEnd(template), { depth: 0, macros }, template.search(NOT_BLANK)).template();
    return { body, macros };
  } catch (cause) {
    if (!(cause instanceof Mismatch)) throw cause;
    const { line, column } = positionOf(template, cause.offset);
    throw new VtlSyntaxError(cause.reason, line, column);
  }
}

/** Java's `trim`: up to and including the blank. */
const NOT_BLANK = /[^\0- ]/;

function trimmedEnd(template: string): string {
  let end = template.length;
  while (end > 0 && template.charCodeAt(end - 1) <= 0x20) end--;
  return template.slice(0, end);
}

/** Becomes a VtlSyntaxError once it is known where in the whole template the offset lies. */
class Mismatch extends Error {
  constructor(
    readonly reason: string,
    readonly offset: number,
  ) {
    super(reason);
  }
}

/** What a template and the templates in its strings have in common. */
interface Surroundings {
  depth: number;
  /** Known so far: decides what a backslash in front of `#name` does. */
  readonly macros: Map<string, MacroDefinition>;
}

const DIRECTIVES = new Set(['break', 'define', 'evaluate', 'foreach', 'include', 'literal', 'macro', 'parse', 'stop']);
const CONTROLS = new Set(['if', 'elseif', 'else', 'end', 'set']);
const IDENTIFIER = /[A-Za-z_][\w-]*/y;
const WORD = /[A-Za-z_@][\w@]*/y;
const NUMBER = /-?(?:\d+\.(?!\.)\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+)/y;
const OPERATOR = /\|\||&&|==|!=|<=|>=|[<>+\-*/%]|(?:or|and|eq|ne|lt|le|gt|ge)(?![\w@])/y;
const BOOLEAN = /(?:true|false)(?![\w@-])/y;
const NOT = /!|not(?![\w@])/y;
const SPACE = /[ \t\r\n]*/y;
const LINE_REST = /[ \t]*(?:\r\n|\n|\r)/y;
const LINE_END = /\r\n|\n|\r/g;
const SET_OPENING = /[ \t]*#(?:set|\{set\}) *\(/y;
const NAMES: Readonly<Record<string, BinaryOperator>> = {
  '||': 'or',
  '&&': 'and',
  eq: '==',
  ne: '!=',
  lt: '<',
  le: '<=',
  gt: '>',
  ge: '>=',
};
/** Loosest first. */
const LEVELS: readonly (readonly BinaryOperator[])[] = [
  ['or'],
  ['and'],
  ['==', '!='],
  ['<', '<=', '>', '>='],
  ['+', '-'],
  ['*', '/', '%'],
];

/** How a block ended. */
type Ending = 'end' | 'else' | 'elseif' | 'eof';
const END_ONLY: readonly Ending[] = ['end'];

class Parser {
  #at: number;
  /** Where the text before the cursor begins that is not yet in the block. */
  #textFrom = 0;
  #block: Statement[] = [];
  #ending: Ending = 'eof';
  #endingAt = 0;

  constructor(
    private readonly text: string,
    private readonly surroundings: Surroundings,
    start = 0,
    /** Of a string: where it stands in the template that it is part of. */
    private readonly base = 0,
    /** False in a string with doubled quotes: everything in it counts as standing at its beginning. */
    private readonly isExact = true,
  ) {
    this.#at = Math.max(start, 0);
  }

  /** The offset in the outermost template. */
  #position(offset: number): number {
    return this.isExact ? this.base + offset : this.base;
  }

  template(): Block {
    return this.#statements(['eof'], 'the template');
  }

  /** Up to one of `endings`, which is consumed; `opener` names the directive that wants it. */
  #statements(endings: readonly Ending[], opener: string, openerAt = 0): Block {
    this.#descend();
    const outer = this.#block;
    this.#block = [];
    this.#textFrom = this.#at;
    for (;;) {
      this.#statement();
      if (this.#ending !== 'eof' || this.#at >= this.text.length) break;
    }
    const ending = this.#ending;
    if (!endings.includes(ending)) {
      if (ending === 'eof') throw new Mismatch(`${opener} has no #end; it begins`, openerAt);
      throw new Mismatch(`Unexpected #${ending}`, this.#endingAt);
    }
    if (ending === 'eof') this.#flush(this.#at);
    const block = this.#block;
    this.#block = outer;
    this.surroundings.depth--;
    return block;
  }

  /** What ended the last block; the cursor stands behind it. */
  #takeEnding(): Ending {
    const ending = this.#ending;
    this.#ending = 'eof';
    return ending;
  }

  #descend(): void {
    if (++this.surroundings.depth > DEPTH_MAX) throw new Mismatch(`Nested more than ${DEPTH_MAX} deep`, this.#at);
  }

  /** The text up to `until` becomes a statement of its own. */
  #flush(until: number): void {
    if (until > this.#textFrom) this.#block.push({ kind: 'text', text: this.text.slice(this.#textFrom, until) });
    this.#textFrom = this.#at;
  }

  /** Moves on to the next thing that is not plain text. */
  #statement(): void {
    const start = this.#at;
    const blanks = this.#match(SET_OPENING);
    if (blanks !== null) return this.#set(start);
    const { text } = this;
    for (; this.#at < text.length; this.#at++) {
      const code = text.charCodeAt(this.#at);
      if (code === 0x24 /* $ */) return this.#dollar(0);
      if (code === 0x23 /* # */) return this.#hash(start);
      if (code === 0x5c /* \ */) return this.#backslashes();
    }
  }

  #dollar(backslashes: number): void {
    const from = this.#at - backslashes;
    const reference = this.#referenceAt(backslashes);
    if (reference === null) {
      this.#at++;
      return;
    }
    this.#flush(from);
    this.#block.push(reference);
  }

  #hash(tokenFrom: number): void {
    const at = this.#at;
    const next = this.text[at + 1];
    if (next === '#') return this.#comment(this.#lineEnd(at));
    if (next === '*') {
      const end = this.text.indexOf('*#', at + 2);
      return this.#comment(end === -1 ? this.text.length : end + 2);
    }
    if (next === '[' && this.text[at + 2] === '[') return this.#unparsed();
    // `#set` not at the beginning of its token keeps the blanks before it.
    if (tokenFrom !== at && this.#match(SET_OPENING) !== null) return this.#set(at);
    const name = this.#directiveName(at);
    if (name === null) {
      this.#at++;
      return;
    }
    this.#at = at + (this.text[at + 1] === '{' ? name.length + 3 : name.length + 1);
    this.#directive(name, at);
  }

  #lineEnd(from: number): number {
    LINE_END.lastIndex = from;
    return LINE_END.test(this.text) ? LINE_END.lastIndex : this.text.length;
  }

  #comment(end: number): void {
    const from = this.#at;
    this.#at = end;
    this.#flush(from);
  }

  #unparsed(): void {
    const from = this.#at;
    const end = this.text.indexOf(']]#', from + 3);
    if (end === -1) throw new Mismatch('#[[ has no ]]#; it begins', from);
    this.#at = end + 3;
    this.#flush(from);
    if (end > from + 3) this.#block.push({ kind: 'text', text: this.text.slice(from + 3, end) });
  }

  /** The name after the `#` at `at`, in braces or not. */
  #directiveName(at: number): string | null {
    const isBraced = this.text[at + 1] === '{';
    WORD.lastIndex = at + (isBraced ? 2 : 1);
    const name = WORD.exec(this.text)?.[0];
    if (name === undefined || (isBraced && (name.startsWith('@') || this.text[WORD.lastIndex] !== '}'))) return null;
    return name;
  }

  /** `\#if` prints `#if`, `\\#if` prints `\` and runs; in front of anything else backslashes are text. */
  #backslashes(): void {
    const from = this.#at;
    while (this.text[this.#at] === '\\') this.#at++;
    const count = this.#at - from;
    const next = this.text[this.#at];
    if (next === '$') return this.#dollar(count);
    if (next !== '#') return;
    const name = this.#directiveName(this.#at);
    if (name === null) return;
    const isKnown = CONTROLS.has(name) || DIRECTIVES.has(name) || this.surroundings.macros.has(name);
    if (count % 2 === 1) {
      const hashAt = this.#at;
      this.#at = hashAt + (this.text[hashAt + 1] === '{' ? name.length + 3 : name.length + 1);
      if (!isKnown) return;
      const end = this.#at;
      this.#flush(from + (count >> 1));
      this.#textFrom = hashAt;
      this.#at = end;
      this.#flush(end);
    } else if (isKnown && name !== 'set') this.#flush(from + (count >> 1));
  }

  #directive(name: string, from: number): void {
    switch (name) {
      case 'if':
        return this.#if(from);
      case 'elseif':
        return this.#endBlock('elseif', from);
      case 'else':
      case 'end':
        this.#match(LINE_REST);
        return this.#endBlock(name, from);
      default:
        return this.#pluggable(name, from);
    }
  }

  #endBlock(ending: Ending, from: number): void {
    this.#flush(from);
    this.#ending = ending;
    this.#endingAt = from;
  }

  #if(from: number): void {
    this.#flush(from);
    const branches: Branch[] = [];
    let otherwise: Block | null = null;
    let ending: Ending = 'elseif';
    while (ending === 'elseif') {
      this.#match(SPACE);
      this.#expect('(', branches.length === 0 ? '#if' : '#elseif');
      const condition = this.#expression();
      this.#closeDirective();
      branches.push({ condition, body: this.#statements(['end', 'else', 'elseif'], '#if', from) });
      ending = this.#takeEnding();
    }
    if (ending === 'else') {
      otherwise = this.#statements(END_ONLY, '#if', from);
      this.#takeEnding();
    }
    this.#textFrom = this.#at;
    this.#block.push({ kind: 'if', branches, otherwise, offset: this.#position(from) });
  }

  /** The cursor stands behind `(`; blanks from `from` on belong to the directive. */
  #set(from: number): void {
    const opening = this.#at;
    this.#at = from;
    this.#flush(from);
    this.#at = opening;
    this.#match(SPACE);
    const offset = this.text.indexOf('#', from);
    const target = this.text[this.#at] === '$' ? this.#referenceAt(0) : null;
    if (target === null) throw this.#unexpected('a reference to set');
    this.#match(SPACE);
    if (this.text[this.#at + 1] === '=') throw this.#unexpected('"="');
    this.#expect('=', 'the reference of #set');
    const value = this.#expression();
    this.#closeDirective();
    this.#textFrom = this.#at;
    this.#block.push({ kind: 'set', target, value, offset: this.#position(offset) });
  }

  #pluggable(name: string, from: number): void {
    const nameEnd = this.#at;
    this.#match(SPACE);
    if (this.text[this.#at] !== '(') {
      this.#at = nameEnd;
      return this.#bare(name, from);
    }
    this.#flush(from);
    const argumentsAt = this.#at++;
    const given = name === 'macro' ? this.#macroHead() : this.#arguments(name);
    const openingEnd = this.#at;
    this.#textFrom = openingEnd;
    switch (name) {
      case 'foreach':
        return this.#foreach(given, from, argumentsAt);
      case 'macro':
        return this.#macro(given, from);
      case 'define':
        return this.#define(given, from, argumentsAt);
      case 'literal':
        return this.#literal(openingEnd, from);
      case 'evaluate':
        return this.#evaluate(given, from, argumentsAt);
      case 'break':
        if (given.length > 0) throw new Mismatch('#break leaves what is innermost, and takes no arguments', argumentsAt);
        this.#block.push({ kind: 'break', offset: this.#position(from) });
        return;
      case 'stop':
        this.#block.push({ kind: 'stop' });
        return;
      case 'include':
      case 'parse':
        throw new Mismatch(`#${name} reads files, and there are none`, from);
      default:
        return this.#call(name, given, from, openingEnd);
    }
  }

  /** Without parentheses. */
  #bare(name: string, from: number): void {
    if (name === 'break' || name === 'stop') {
      this.#flush(from);
      this.#block.push(name === 'stop' ? { kind: 'stop' } : { kind: 'break', offset: this.#position(from) });
    } else if (name !== 'include' && name !== 'parse' && DIRECTIVES.has(name)) {
      throw new Mismatch(`#${name} needs arguments in parentheses`, from);
    } else if (!name.startsWith('@')) {
      this.#flush(from);
      const literal = this.text.slice(from, this.#at);
      this.#block.push({ kind: 'call', name, arguments: [], body: null, literal, offset: this.#position(from) });
    }
  }

  #call(name: string, given: readonly Argument[], from: number, openingEnd: number): void {
    const values = given.filter((argument) => typeof argument !== 'string');
    const isBlock = name.startsWith('@');
    const body = isBlock ? this.#statements(END_ONLY, `#${name}`, from) : null;
    if (isBlock) this.#takeEnding();
    this.#textFrom = this.#at;
    this.#block.push({
      kind: 'call',
      name: isBlock ? name.slice(1) : name,
      arguments: values,
      body,
      literal: this.text.slice(from, isBlock ? this.#at : openingEnd),
      offset: this.#position(from),
    });
  }

  #foreach(given: readonly Argument[], from: number, at: number): void {
    const [item, , list] = given;
    if (given.length < 3 || typeof item === 'string' || item?.kind !== 'reference')
      throw new Mismatch('#foreach expects ($item in $list)', at);
    if (typeof list === 'string' || list === undefined) throw new Mismatch('#foreach expects ($item in $list)', at);
    const body = this.#statements(END_ONLY, '#foreach', from);
    this.#takeEnding();
    this.#textFrom = this.#at;
    this.#block.push({ kind: 'foreach', name: item.name, list, body, offset: this.#position(from) });
  }

  #define(given: readonly Argument[], from: number, at: number): void {
    const [target] = given;
    if (target === undefined || typeof target === 'string' || target.kind !== 'reference' || given.length > 1)
      throw new Mismatch('#define expects one reference', at);
    const body = this.#statements(END_ONLY, '#define', from);
    this.#takeEnding();
    this.#textFrom = this.#at;
    this.#block.push({ kind: 'define', name: target.name, body, offset: this.#position(from) });
  }

  #macro(given: readonly Argument[], from: number): void {
    const [name, ...parameters] = given as readonly [string, ...Reference[]];
    const body = this.#statements(END_ONLY, '#macro', from);
    this.#takeEnding();
    this.#textFrom = this.#at;
    if (this.surroundings.macros.has(name)) return;
    this.surroundings.macros.set(name, { parameters: parameters.map((parameter) => parameter.name), body });
  }

  /** What stands in the block must parse, and prints as written. */
  #literal(openingEnd: number, from: number): void {
    this.#statements(END_ONLY, '#literal', from);
    this.#takeEnding();
    this.#textFrom = this.#at;
    if (this.#endingAt > openingEnd) this.#block.push({ kind: 'text', text: this.text.slice(openingEnd, this.#endingAt) });
  }

  #evaluate(given: readonly Argument[], from: number, at: number): void {
    const [source] = given;
    if (given.length !== 1) throw new Mismatch('#evaluate expects one argument', at);
    if (typeof source === 'string' || !['string', 'interpolated', 'reference'].includes(source!.kind))
      throw new Mismatch('#evaluate expects a string or a reference', at);
    this.#block.push({ kind: 'evaluate', source: source as Expression, offset: this.#position(from) });
  }

  /** `(name $a $b)`, behind the parenthesis. */
  #macroHead(): Argument[] {
    this.#match(SPACE);
    const name = this.#match(WORD);
    if (name === null) throw this.#unexpected('the name of the macro');
    const parameters = this.#arguments('macro');
    for (const parameter of parameters) {
      if (typeof parameter === 'string' || parameter.kind !== 'reference')
        throw new Mismatch('Parameters of #macro must be references', this.#at);
    }
    return [name, ...parameters];
  }

  /** Up to and including the closing parenthesis: values separated by blanks or commas; words (`in`) are strings. */
  #arguments(directive: string): Argument[] {
    const given: Argument[] = [];
    for (;;) {
      this.#match(SPACE);
      const isAfterComma = this.text[this.#at] === ',';
      if (isAfterComma) {
        this.#at++;
        this.#match(SPACE);
      }
      if (!isAfterComma && this.text[this.#at] === ')') break;
      const word = this.#word();
      if (word !== null && DIRECTIVES.has(directive) && (directive !== 'foreach' || given.length !== 1))
        throw new Mismatch(`Unexpected "${word}" in #${directive}`, this.#at - word.length);
      given.push(word ?? this.#value());
    }
    this.#closeDirective();
    return given;
  }

  #word(): string | null {
    WORD.lastIndex = this.#at;
    const word = WORD.exec(this.text)?.[0];
    if (word === undefined || word === 'true' || word === 'false') return null;
    this.#at += word.length;
    return word;
  }

  /** `)` and the rest of its line if that is blank. */
  #closeDirective(): void {
    this.#expect(')', 'the expression');
    this.#match(LINE_REST);
  }

  #expression(level = 0): Expression {
    if (level === LEVELS.length) return this.#unary();
    let left = this.#expression(level + 1);
    for (;;) {
      const offset = this.#at;
      const operator = this.#operatorOf(LEVELS[level]!);
      if (operator === null) return left;
      left = { kind: 'binary', operator, left, right: this.#expression(level + 1), offset: this.#position(offset) };
    }
  }

  /** Takes the operator at the cursor if it is one of `wanted`. */
  #operatorOf(wanted: readonly BinaryOperator[]): BinaryOperator | null {
    OPERATOR.lastIndex = this.#at;
    const text = OPERATOR.exec(this.text)?.[0];
    if (text === undefined) return null;
    const operator = Object.hasOwn(NAMES, text) ? NAMES[text]! : (text as BinaryOperator);
    if (!wanted.includes(operator)) return null;
    if (text === '-' && /^[\d]|^\.\d/.test(this.text.slice(this.#at + 1, this.#at + 3)))
      throw new Mismatch('Unexpected negative number; a difference needs a blank after "-"', this.#at);
    this.#at += text.length;
    return operator;
  }

  #unary(): Expression {
    this.#match(SPACE);
    if (this.#match(NOT) === null) return this.#primary();
    this.#descend();
    const operand = this.#unary();
    this.surroundings.depth--;
    return { kind: 'not', operand };
  }

  #primary(): Expression {
    this.#match(SPACE);
    let value: Expression;
    if (this.text[this.#at] === '(') {
      this.#at++;
      this.#descend();
      value = this.#expression();
      this.surroundings.depth--;
      this.#expect(')', 'the expression');
    } else value = this.#value();
    this.#match(SPACE);
    return value;
  }

  /** A parameter of a method, an item of a list: no operators. A bare name in a reference (`$a.get(b)`) parses, and is null. */
  #parameter(takesNames = false): Expression {
    this.#match(SPACE);
    const from = this.#at;
    const name = takesNames && !this.#isBoolean() ? this.#match(IDENTIFIER) : null;
    const value = name === null ? this.#value() : this.#nothing(name, from);
    this.#match(SPACE);
    return value;
  }

  #isBoolean(): boolean {
    BOOLEAN.lastIndex = this.#at;
    return BOOLEAN.test(this.text);
  }

  #nothing(literal: string, from: number): Reference {
    return { kind: 'reference', name: '', accesses: [], literal, backslashes: 0, offset: this.#position(from) };
  }

  #value(): Expression {
    const first = this.text[this.#at];
    switch (first) {
      case '"':
      case "'":
        return this.#string(first);
      case '[':
        return this.#nested(() => this.#listOrRange());
      case '{':
        return this.#nested(() => this.#map());
      case '\\':
      case '$': {
        const reference = first === '$' ? this.#referenceAt(0) : null;
        if (reference === null) throw this.#unexpected('a value');
        return reference;
      }
      default: {
        const digits = this.#match(NUMBER);
        if (digits !== null) return { kind: /[.eE]/.test(digits) ? 'float' : 'integer', digits };
        const boolean = this.#match(BOOLEAN);
        if (boolean !== null) return { kind: 'boolean', value: boolean === 'true' };
        throw this.#unexpected('a value');
      }
    }
  }

  #nested(read: () => Expression): Expression {
    this.#descend();
    const value = read();
    this.surroundings.depth--;
    return value;
  }

  #listOrRange(): Expression {
    this.#at++;
    if (this.text[this.#at] === ']') {
      this.#at++;
      return { kind: 'list', items: [] };
    }
    const items = [this.#parameter()];
    const { kind } = items[0]!;
    if (this.text.startsWith('..', this.#at) && (kind === 'reference' || kind === 'integer')) {
      this.#at += 2;
      const to = this.#parameter();
      if (to.kind !== 'reference' && to.kind !== 'integer') throw this.#unexpected('the end of the range');
      this.#expect(']', 'the range');
      return { kind: 'range', from: items[0]!, to };
    }
    while (this.text[this.#at] === ',') {
      this.#at++;
      items.push(this.#parameter());
    }
    this.#expect(']', 'the list');
    return { kind: 'list', items };
  }

  #map(): Expression {
    this.#at++;
    const entries: [Expression, Expression][] = [];
    this.#match(SPACE);
    if (this.text[this.#at] !== '}') {
      do {
        const key = this.#parameter();
        this.#expect(':', 'the key');
        entries.push([key, this.#parameter()]);
      } while (this.#take(','));
    }
    this.#expect('}', 'the map');
    return { kind: 'map', entries };
  }

  #string(quote: string): Expression {
    const from = this.#at;
    let end = this.text.indexOf(quote, from + 1);
    let hasDoubled = false;
    while (end !== -1 && this.text[end + 1] === quote) {
      hasDoubled = true;
      end = this.text.indexOf(quote, end + 2);
    }
    if (end === -1) throw new Mismatch(`The string has no closing ${quote}; it begins`, from);
    this.#at = end + 1;
    const raw = this.text.slice(from + 1, end);
    const value = hasDoubled ? raw.replaceAll(quote + quote, quote) : raw;
    if (quote === "'" || !/[$#\\]/.test(value)) return { kind: 'string', value };
    return this.#interpolated(unescapeUnicode(value), raw, from);
  }

  #interpolated(value: string, raw: string, from: number): Expression {
    if (!/[$#]/.test(value)) return { kind: 'string', value };
    try {
      const isExact = this.isExact && raw === value;
      const base = this.#position(isExact ? from + 1 : from);
      const body = new Parser(value, this.surroundings, 0, base, isExact).template();
      if (body.length === 0) return { kind: 'string', value: '' };
      if (body.length === 1 && body[0]!.kind === 'text') return { kind: 'string', value: body[0]!.text };
      return { kind: 'interpolated', body };
    } catch (cause) {
      if (!(cause instanceof Mismatch)) throw cause;
      throw new Mismatch(cause.reason, raw === value ? from + 1 + cause.offset : from);
    }
  }

  /** The reference whose `$` is at the cursor; null, and nothing consumed, if there is none. */
  #referenceAt(backslashes: number): Reference | null {
    const from = this.#at;
    let at = from + 1;
    if (this.text[at] === '!') at++;
    const isFormal = this.text[at] === '{';
    if (isFormal) at++;
    IDENTIFIER.lastIndex = at;
    const name = IDENTIFIER.exec(this.text)?.[0];
    if (name === undefined) return null;
    if (name === 'true' || name === 'false') throw new Mismatch(`$${name} is not a reference`, from);
    this.#at = at + name.length;
    const accesses = this.#accesses();
    if (isFormal) this.#expect('}', 'the reference');
    return {
      kind: 'reference',
      name,
      accesses,
      literal: this.text.slice(from, this.#at),
      backslashes,
      offset: this.#position(from),
    };
  }

  #accesses(): Access[] {
    const accesses: Access[] = [];
    for (;;) {
      const at = this.#at;
      const offset = this.#position(at);
      const char = this.text[at];
      if (char === '[') accesses.push(this.#index(at));
      else if (char === '.' && /[A-Za-z]/.test(this.text[at + 1] ?? '')) {
        this.#at++;
        const name = this.#match(IDENTIFIER)!;
        if (name === 'true' || name === 'false') throw new Mismatch(`.${name} is not a property`, at);
        if (this.text[this.#at] !== '(' || this.#at + 1 === this.text.length) accesses.push({ kind: 'property', name, offset });
        else accesses.push({ kind: 'method', name, arguments: this.#methodArguments(), offset });
      } else return accesses;
    }
  }

  #index(at: number): Access {
    this.#at++;
    this.#descend();
    const index = this.#parameter(true);
    this.surroundings.depth--;
    if (['float', 'list', 'map', 'range'].includes(index.kind)) throw new Mismatch('An index must be a number or a string', at);
    this.#expect(']', 'the index');
    return { kind: 'index', index, offset: this.#position(at) };
  }

  #methodArguments(): Expression[] {
    this.#at++;
    if (this.#take(')')) return [];
    const given: Expression[] = [];
    this.#descend();
    do given.push(this.#parameter(true));
    while (this.#take(','));
    this.surroundings.depth--;
    this.#expect(')', 'the arguments');
    return given;
  }

  #take(char: string): boolean {
    if (this.text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  /** Takes what the sticky pattern matches at the cursor. */
  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    if (found === undefined) return null;
    this.#at += found.length;
    return found;
  }

  #expect(char: string, before: string): void {
    if (!this.#take(char)) throw this.#unexpected(`"${char}" after ${before}`);
  }

  #unexpected(wanted: string): Mismatch {
    const found = this.#at < this.text.length ? `"${String.fromCodePoint(this.text.codePointAt(this.#at)!)}"` : 'the end';
    return new Mismatch(`Expected ${wanted}, found ${found}`, this.#at);
  }
}

/** A value, or a word such as the `in` of #foreach. */
type Argument = Expression | string;

function unescapeUnicode(text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})/g, (_all, digits: string) => String.fromCharCode(parseInt(digits, 16)));
}
