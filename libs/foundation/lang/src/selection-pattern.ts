/**
 * Selection patterns of integration responses: tenants' regular expressions, run over the whole text (data-plane reference
 * 3.11), in time proportional to pattern size times text length. Never handed to RegExp, which backtracks.
 *
 * The subset of Java's syntax that can be run so:
 *
 *   x  .  \d \D \w \W \s \S  \n \r \t \f  \xHH \uHHHH  \ before punctuation
 *   [a-z\d_]  [^...]   (...)  (?:...)  (?<name>...)   a|b   ^  $
 *   x*  x+  x?  x{n}  x{n,}  x{n,m}, each also lazy (which pattern matches does not depend on it)
 *   (?i) (?s) (?is) at the very beginning
 *
 * Refused: back references, look-around, possessive quantifiers, atomic groups, word boundaries, class intersection,
 * groups nested more than 50 deep, and patterns that unfold to more than 480 steps (a character, group, choice or repetition
 * is a step, once for each time it is repeated). That is what any node's engine takes, whatever it makes of a step.
 *
 * How it runs: the pattern becomes a list of instructions (Thompson); a set of positions in that list moves over the text.
 *
 *   (a|b)+c   0 fork 1 3 · 1 a · 2 jump 4 · 3 b · 4 fork 0 5 · 5 c · 6 end
 */
export class SelectionPatternError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SelectionPatternError';
  }
}

const CHARS_MAX = 2_000;
const STEPS_MAX = 480;
const DEPTH_MAX = 50;

export class SelectionPattern {
  private constructor(private readonly program: readonly Instruction[]) {}

  /** Throws SelectionPatternError. */
  static parse(text: string): SelectionPattern {
    if (text.length > CHARS_MAX) throw new SelectionPatternError(`longer than ${CHARS_MAX} characters`);
    const program: Instruction[] = [];
    new Writer(program).write(new Parser(text).parse());
    program.push({ kind: 'end' });
    return new SelectionPattern(program);
  }

  /** Does the pattern match all of the text? */
  matches(text: string): boolean {
    const chars = Array.from(text, (char) => char.codePointAt(0)!);
    let here = new Threads(this.program, 0, chars.length);
    here.start(0);
    for (let index = 0; index < chars.length && here.waiting.length > 0; index++) {
      const next = new Threads(this.program, index + 1, chars.length);
      for (const { set, at } of here.waiting) if (set.has(chars[index]!)) next.start(at + 1);
      here = next;
    }
    return here.hasEnded;
  }
}

type Instruction =
  | { readonly kind: 'char'; readonly set: CharSet }
  | { readonly kind: 'fork'; readonly to: readonly number[] }
  | { readonly kind: 'first' }
  | { readonly kind: 'last' }
  | { readonly kind: 'end' };

/** Where in the program the match may stand before the character at `index`. */
class Threads {
  readonly waiting: { readonly set: CharSet; readonly at: number }[] = [];
  hasEnded = false;
  readonly #seen: Uint8Array;

  constructor(
    private readonly program: readonly Instruction[],
    private readonly index: number,
    private readonly length: number,
  ) {
    this.#seen = new Uint8Array(program.length);
  }

  /** Follows everything that consumes no character; each instruction is visited once, so loops over nothing end. */
  start(from: number): void {
    const pending = [from];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (this.#seen[at] === 1) continue;
      this.#seen[at] = 1;
      const instruction = this.program[at]!;
      if (instruction.kind === 'char') this.waiting.push({ set: instruction.set, at });
      else if (instruction.kind === 'fork') pending.push(...instruction.to);
      else if (instruction.kind === 'first' && this.index === 0) pending.push(at + 1);
      else if (instruction.kind === 'last' && this.index === this.length) pending.push(at + 1);
      else if (instruction.kind === 'end') this.hasEnded = this.index === this.length;
    }
  }
}

/** Ranges of code points, both ends included. */
class CharSet {
  constructor(
    private readonly ranges: readonly (readonly [number, number])[],
    private readonly isNegated: boolean,
    private readonly ignoresCase: boolean,
  ) {}

  has(codePoint: number): boolean {
    return this.isNegated !== (this.holds(codePoint) || (this.ignoresCase && this.holdsOtherCase(codePoint)));
  }

  private holds(codePoint: number): boolean {
    return this.ranges.some(([low, high]) => low <= codePoint && codePoint <= high);
  }

  /** ASCII letters, as in Java. */
  private holdsOtherCase(codePoint: number): boolean {
    const letter = codePoint | 0x20;
    return letter >= 0x61 && letter <= 0x7a && this.holds(codePoint ^ 0x20);
  }
}

type Ranges = readonly (readonly [number, number])[];
type Node =
  | { readonly kind: 'char'; readonly set: CharSet }
  | { readonly kind: 'first' }
  | { readonly kind: 'last' }
  | { readonly kind: 'sequence'; readonly parts: readonly Node[] }
  | { readonly kind: 'choice'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly min: number; readonly max: number };

const code = (char: string): number => char.codePointAt(0)!;
const DIGIT: Ranges = [[code('0'), code('9')]];
const WORD: Ranges = [...DIGIT, [code('a'), code('z')], [code('A'), code('Z')], [code('_'), code('_')]];
const SPACE: Ranges = [
  [0x09, 0x0d],
  [0x20, 0x20],
];
/** What `.` leaves out unless (?s). */
const LINE_ENDS: Ranges = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x85, 0x85],
  [0x2028, 0x2029],
];
const CLASSES: Readonly<Record<string, Ranges>> = { d: DIGIT, w: WORD, s: SPACE };
const CONTROLS: Readonly<Record<string, number>> = { n: 0x0a, r: 0x0d, t: 0x09, f: 0x0c };

class Parser {
  #at = 0;
  #depth = 0;
  #ignoresCase = false;
  #dotTakesAll = false;
  readonly #chars: readonly string[];

  constructor(text: string) {
    this.#chars = [...text];
  }

  parse(): Node {
    const flags = /^\(\?([is]{1,2})\)/.exec(this.#chars.slice(0, 5).join(''));
    if (flags !== null) {
      this.#at = flags[0].length;
      this.#ignoresCase = flags[1]!.includes('i');
      this.#dotTakesAll = flags[1]!.includes('s');
    }
    const node = this.#choice();
    if (this.#at < this.#chars.length) throw this.#error('unmatched )');
    return node;
  }

  #choice(): Node {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    for (let char = this.#peek(); char !== undefined && char !== '|' && char !== ')'; char = this.#peek()) {
      parts.push(this.#repeated(this.#atom()));
    }
    return { kind: 'sequence', parts };
  }

  #repeated(part: Node): Node {
    const char = this.#peek();
    let bounds: readonly [number, number];
    if (char === '*') bounds = [0, Infinity];
    else if (char === '+') bounds = [1, Infinity];
    else if (char === '?') bounds = [0, 1];
    else if (char === '{') bounds = this.#bounds();
    else return part;
    if (char !== '{') this.#at++;
    if (part.kind === 'first' || part.kind === 'last') throw this.#error('nothing to repeat');
    if (this.#take('+')) throw this.#error('possessive quantifiers are not supported');
    this.#take('?'); // lazy
    if ('*+?{'.includes(this.#peek() ?? ' ')) throw this.#error('nothing to repeat');
    return { kind: 'repeat', part, min: bounds[0], max: bounds[1] };
  }

  #bounds(): readonly [number, number] {
    const end = this.#chars.indexOf('}', this.#at);
    const match = /^\{(\d{1,4})(,(\d{1,4})?)?\}$/.exec(end === -1 ? '' : this.#chars.slice(this.#at, end + 1).join(''));
    if (match === null) throw this.#error('invalid repetition');
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === undefined ? Infinity : Number(match[3]);
    if (max < min) throw this.#error('invalid repetition');
    this.#at = end + 1;
    return [min, max];
  }

  #atom(): Node {
    const char = this.#next();
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '.':
        return this.#set(this.#dotTakesAll ? [] : LINE_ENDS, true);
      case '^':
        return { kind: 'first' };
      case '$':
        return { kind: 'last' };
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
      case '{':
        throw this.#error('nothing to repeat');
      default:
        return this.#set([[code(char), code(char)]]);
    }
  }

  #group(): Node {
    if (this.#take('?') && !this.#take(':') && !this.#takeName()) {
      throw this.#error('look-around, atomic groups and flags inside the pattern are not supported');
    }
    if (++this.#depth > DEPTH_MAX) throw this.#error(`groups nested more than ${DEPTH_MAX} deep`);
    const node = this.#choice();
    if (!this.#take(')')) throw this.#error('missing )');
    this.#depth--;
    return node;
  }

  #takeName(): boolean {
    const name = /^<[a-zA-Z][a-zA-Z0-9]{0,63}>/.exec(this.#chars.slice(this.#at, this.#at + 66).join(''));
    this.#at += name?.[0].length ?? 0;
    return name !== null;
  }

  #escape(): Node {
    const char = this.#peek() ?? '';
    const ranges = this.#classEscape();
    if (ranges !== null) return this.#set(ranges, char !== char.toLowerCase());
    const literal = this.#literalEscape();
    return this.#set([[literal, literal]]);
  }

  /** `\d` and the like; the upper-case ones mean the complement. */
  #classEscape(): Ranges | null {
    const name = (this.#peek() ?? '').toLowerCase();
    if (!Object.hasOwn(CLASSES, name)) return null;
    this.#at++;
    return CLASSES[name]!;
  }

  #literalEscape(): number {
    const char = this.#next();
    if (Object.hasOwn(CONTROLS, char)) return CONTROLS[char]!;
    if (char === 'x' || char === 'u') {
      const digits = this.#chars.slice(this.#at, this.#at + (char === 'x' ? 2 : 4)).join('');
      if (!(char === 'x' ? /^[0-9a-fA-F]{2}$/ : /^[0-9a-fA-F]{4}$/).test(digits)) throw this.#error('invalid escape');
      this.#at += digits.length;
      return parseInt(digits, 16);
    }
    if (/[a-zA-Z0-9]/.test(char)) throw this.#error(`\\${char} is not supported`);
    return code(char);
  }

  #class(): Node {
    const isNegated = this.#take('^');
    const ranges: (readonly [number, number])[] = [];
    // A class may begin with a bracket that does not close it in other dialects; in Java it must be escaped.
    for (let char = this.#next(); char !== ']'; char = this.#next()) {
      if (char === '[' || (char === '&' && this.#peek() === '&'))
        throw this.#error('class intersection and nesting are not supported');
      const low = this.#classMember(char, ranges);
      if (low === null) continue;
      if (this.#peek() !== '-' || this.#chars[this.#at + 1] === ']') {
        ranges.push([low, low]);
        continue;
      }
      this.#at++;
      const end = this.#next();
      const high = end === '[' ? null : this.#classMember(end, ranges);
      if (high === null || high < low) throw this.#error('invalid range');
      ranges.push([low, high]);
    }
    if (ranges.length === 0) throw this.#error('empty class');
    return this.#set(ranges, isNegated);
  }

  /** A single character, or `null` after adding a whole class such as `\d`. */
  #classMember(char: string, ranges: (readonly [number, number])[]): number | null {
    if (char !== '\\') return code(char);
    const isComplement = 'DWS'.includes(this.#peek() ?? ' ');
    const members = this.#classEscape();
    if (members === null) return this.#literalEscape();
    ranges.push(...(isComplement ? complement(members) : members));
    return null;
  }

  #set(ranges: Ranges, isNegated = false): Node {
    return { kind: 'char', set: new CharSet(ranges, isNegated, this.#ignoresCase) };
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
  #error(reason: string): SelectionPatternError {
    return new SelectionPatternError(`${reason}, at character ${Math.min(this.#at, this.#chars.length)}`);
  }
}

function complement(ranges: Ranges): Ranges {
  const gaps: (readonly [number, number])[] = [];
  let from = 0;
  for (const [low, high] of ranges.toSorted((left, right) => left[0] - right[0])) {
    if (low > from) gaps.push([from, low - 1]);
    from = high + 1;
  }
  return [...gaps, [from, 0x10ffff]];
}

class Writer {
  #steps = 0;

  constructor(private readonly program: Instruction[]) {}

  write(node: Node): void {
    // Steps and not instructions: repetitions of nothing write none.
    if (++this.#steps > STEPS_MAX) throw new SelectionPatternError(`unfolds to more than ${STEPS_MAX} steps`);
    switch (node.kind) {
      case 'sequence':
        for (const part of node.parts) this.write(part);
        break;
      case 'choice':
        this.#choice(node.parts);
        break;
      case 'repeat':
        this.#repeat(node.part, node.min, node.max);
        break;
      default:
        this.program.push(node);
    }
  }

  #choice(parts: readonly Node[]): void {
    const starts: number[] = [];
    const exits: number[][] = [];
    this.#fork(starts);
    for (const part of parts) {
      starts.push(this.program.length);
      this.write(part);
      const exit: number[] = [];
      this.#fork(exit);
      exits.push(exit);
    }
    for (const exit of exits) exit.push(this.program.length);
  }

  #repeat(part: Node, min: number, max: number): void {
    for (let count = 0; count < min; count++) this.write(part);
    if (max === Infinity) {
      const loop = this.program.length;
      const ways = [loop + 1];
      this.#fork(ways);
      this.write(part);
      this.#fork([loop]);
      ways.push(this.program.length);
      return;
    }
    const ways: number[][] = [];
    for (let count = min; count < max; count++) {
      const way = [this.program.length + 1];
      this.#fork(way);
      ways.push(way);
      this.write(part);
    }
    for (const way of ways) way.push(this.program.length);
  }

  /** `to` may be completed later. */
  #fork(to: readonly number[]): void {
    this.program.push({ kind: 'fork', to });
  }
}
