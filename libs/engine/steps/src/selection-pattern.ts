/**
 * Regular expressions of integration responses, in bounded time: a pattern is a tenant's text and must not be able to hold a
 * node up. The subset of Java's syntax that means the same here is compiled to a small program; anything else is refused
 * when the route is linked, never guessed at.
 *
 *   understood   literals, `.`, `|`, groups (named ones too), `? * + {n,m}` and their lazy forms, classes, `\d \w \s` and their
 *                opposites, `\n \r \t \f \e \xHH \uHHHH`, `^ $ \b \B`, `(?i)`, `(?s)`, `(?=` and `(?!`
 *   refused      backreferences, lookbehind, possessive quantifiers, `\p`, class intersection and nesting, other flags
 *
 * A pattern has to match the whole text, so greedy and lazy are the same. Every (instruction, position) pair is tried at most
 * once per run: no backtracking blow-up. Lookahead starts runs of its own; all of a match's runs share one budget of steps.
 */
import { LinkRefusal } from '@gatehouse/engine-exchange';

const INSTRUCTIONS_MAX = 1_000;
const DEPTH_MAX = 100;
const STEPS_MAX = 500_000;
/** Longer texts are cut: AWS matches against short ones (a status, an error message). */
const TEXT_LENGTH_MAX = 1_024;

export interface SelectionPattern {
  matches(text: string): boolean;
}

/** Throws LinkRefusal that quotes the pattern and says what is not understood. */
export function compileSelectionPattern(source: string): SelectionPattern {
  const program = new Compiler(source).compile();
  return { matches: (text) => new Matcher(program, text.slice(0, TEXT_LENGTH_MAX)).wholeText() };
}

type CharTest = (code: number) => boolean;

type Instruction =
  | { readonly op: 'char'; readonly test: CharTest }
  | { readonly op: 'split'; first: number; second: number }
  | { readonly op: 'jump'; to: number }
  | { readonly op: 'start' | 'end' | 'wordEdge' | 'noWordEdge' }
  /** The lookahead's own instructions follow, up to `accept`; the match goes on at `next`. */
  | { readonly op: 'look'; readonly negated: boolean; next: number }
  | { readonly op: 'accept' }
  | { readonly op: 'match' };

class Matcher {
  private steps = 0;

  constructor(
    private readonly program: readonly Instruction[],
    private readonly text: string,
  ) {}

  wholeText(): boolean {
    return this.run(0, 0);
  }

  private run(startPc: number, startAt: number): boolean {
    const { program, text } = this;
    const width = text.length + 1;
    const seen = new Uint8Array(program.length * width);
    this.steps += seen.length >> 6; // clearing memory is work too, and lookaheads do it again and again
    const stack = [startPc * width + startAt];
    while (stack.length > 0) {
      const state = stack.pop()!;
      if (seen[state] === 1) continue;
      seen[state] = 1;
      if (++this.steps > STEPS_MAX) return false;
      const pc = Math.floor(state / width);
      const at = state % width;
      const instruction = program[pc]!;
      switch (instruction.op) {
        case 'char':
          if (at < text.length && instruction.test(text.charCodeAt(at))) stack.push((pc + 1) * width + at + 1);
          break;
        case 'split':
          stack.push(instruction.second * width + at, instruction.first * width + at);
          break;
        case 'jump':
          stack.push(instruction.to * width + at);
          break;
        case 'look':
          if (this.run(pc + 1, at) !== instruction.negated) stack.push(instruction.next * width + at);
          break;
        case 'accept':
          return true;
        case 'match':
          if (at === text.length) return true;
          break;
        default:
          if (this.holds(instruction.op, at)) stack.push((pc + 1) * width + at);
      }
    }
    return false;
  }

  private holds(op: 'start' | 'end' | 'wordEdge' | 'noWordEdge', at: number): boolean {
    const { text } = this;
    if (op === 'start') return at === 0;
    if (op === 'end') return at === text.length || (at === text.length - 1 && text[at] === '\n');
    const isEdge = (at > 0 && isWord(text.charCodeAt(at - 1))) !== (at < text.length && isWord(text.charCodeAt(at)));
    return isEdge === (op === 'wordEdge');
  }
}

const isDigit: CharTest = (code) => code >= 48 && code <= 57;
const isWord: CharTest = (code) => isDigit(code) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;
const isSpace: CharTest = (code) => code === 32 || (code >= 9 && code <= 13);
const isLineEnd: CharTest = (code) => code === 10 || code === 13 || code === 0x85 || code === 0x2028 || code === 0x2029;
const not = (test: CharTest): CharTest => (code) => !test(code);

const CLASSES: Readonly<Record<string, CharTest>> = {
  d: isDigit,
  D: not(isDigit),
  w: isWord,
  W: not(isWord),
  s: isSpace,
  S: not(isSpace),
};
const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, e: 27, a: 7 };

/** Emits the instructions of one part; a repeated part is emitted once per copy. */
type Part = () => void;

/** Recursive descent to parts, then instructions: reading is linear, emitting is bounded by INSTRUCTIONS_MAX. */
class Compiler {
  private readonly program: Instruction[] = [];
  private at = 0;
  private depth = 0;
  private copies = 0;
  private ignoresCase = false;
  private dotTakesAll = false;

  constructor(private readonly source: string) {}

  compile(): readonly Instruction[] {
    this.flags();
    const whole = this.alternatives();
    if (this.at < this.source.length) throw this.refusal('an unmatched ")"');
    whole();
    this.emit({ op: 'match' });
    return this.program;
  }

  private flags(): void {
    const match = /^\(\?([a-zA-Z-]+)\)/.exec(this.source);
    if (match === null) return;
    for (const flag of match[1]!) {
      if (flag === 'i') this.ignoresCase = true;
      else if (flag === 's') this.dotTakesAll = true;
      else throw this.refusal(`the flag "${flag}"`);
    }
    this.at = match[0].length;
  }

  private alternatives(): Part {
    if (++this.depth > DEPTH_MAX) throw this.refusal('groups nested so deeply');
    const parts = [this.sequence()];
    while (this.take('|')) parts.push(this.sequence());
    this.depth--;
    return () => {
      const ends: { to: number }[] = [];
      parts.forEach((part, i) => {
        if (i === parts.length - 1) {
          part();
          return;
        }
        const split = this.emit({ op: 'split', first: this.program.length + 1, second: -1 });
        part();
        ends.push(this.emit({ op: 'jump', to: -1 }));
        split.second = this.program.length;
      });
      for (const end of ends) end.to = this.program.length;
    };
  }

  private sequence(): Part {
    const parts: Part[] = [];
    while (this.at < this.source.length && this.source[this.at] !== '|' && this.source[this.at] !== ')') parts.push(this.quantified());
    return () => {
      for (const part of parts) part();
    };
  }

  private quantified(): Part {
    const part = this.atom();
    const bounds = this.quantifier();
    return bounds === null ? part : () => this.repeat(part, bounds.min, bounds.max);
  }

  private repeat(part: Part, min: number, max: number | null): void {
    for (let i = 0; i < min; i++) this.copy(part);
    if (max === null) {
      const loop = this.program.length;
      const split = this.emit({ op: 'split', first: loop + 1, second: -1 });
      this.copy(part);
      this.emit({ op: 'jump', to: loop });
      split.second = this.program.length;
      return;
    }
    const splits: { second: number }[] = [];
    for (let i = min; i < max; i++) {
      splits.push(this.emit({ op: 'split', first: this.program.length + 1, second: -1 }));
      this.copy(part);
    }
    for (const split of splits) split.second = this.program.length;
  }

  /** A part without instructions would make thousands of copies for nothing but time: each copy counts. */
  private copy(part: Part): void {
    if (++this.copies > INSTRUCTIONS_MAX) throw this.refusal('so much repetition');
    part();
  }

  private quantifier(): { min: number; max: number | null } | null {
    const braces = /\{(\d{1,4})(,(\d{0,4}))?\}/y;
    braces.lastIndex = this.at;
    const match = braces.exec(this.source);
    let bounds: { min: number; max: number | null };
    if (this.take('*')) bounds = { min: 0, max: null };
    else if (this.take('+')) bounds = { min: 1, max: null };
    else if (this.take('?')) bounds = { min: 0, max: 1 };
    else if (match !== null) {
      this.at += match[0].length;
      const min = Number(match[1]);
      bounds = { min, max: match[2] === undefined ? min : match[3] === '' ? null : Number(match[3]) };
      if (bounds.max !== null && bounds.max < min) throw this.refusal('a repetition whose end is below its start');
    } else return null;
    this.take('?');
    if (this.source[this.at] === '+') throw this.refusal('possessive quantifiers');
    if (this.source[this.at] === '*' || this.source[this.at] === '?' || this.source[this.at] === '{') throw this.refusal('a repeated repetition');
    return bounds;
  }

  private atom(): Part {
    const char = this.source[this.at++]!;
    switch (char) {
      case '(':
        return this.group();
      case '[':
        return this.char(this.characterClass());
      case '.':
        return this.char(this.dotTakesAll ? () => true : not(isLineEnd));
      case '^':
        return this.assertion('start');
      case '$':
        return this.assertion('end');
      case '\\':
        return this.escape();
      case '*':
      case '+':
      case '?':
      case '{':
        throw this.refusal(`"${char}" with nothing to repeat`);
      default:
        return this.literal(char.charCodeAt(0));
    }
  }

  private group(): Part {
    const look = this.take('?=') ? 'positive' : this.take('?!') ? 'negative' : null;
    if (look === null && !this.take('?:')) {
      const name = /\?<[A-Za-z][A-Za-z0-9]*>/y;
      name.lastIndex = this.at;
      const match = name.exec(this.source);
      if (match !== null) this.at += match[0].length;
      else if (this.source[this.at] === '?') throw this.refusal(`the group "(${this.source.slice(this.at, this.at + 3)}"`);
    }
    const inner = this.alternatives();
    if (!this.take(')')) throw this.refusal('a group without its ")"');
    if (look === null) return inner;
    return () => {
      const start = this.emit({ op: 'look', negated: look === 'negative', next: -1 });
      inner();
      this.emit({ op: 'accept' });
      start.next = this.program.length;
    };
  }

  private escape(): Part {
    const char = this.source[this.at++];
    if (char === 'b') return this.assertion('wordEdge');
    if (char === 'B') return this.assertion('noWordEdge');
    const escaped = this.escaped(char);
    return typeof escaped === 'number' ? this.literal(escaped) : this.char(escaped);
  }

  private escaped(char: string | undefined): CharTest | number {
    if (char === undefined) throw this.refusal('a "\\" at its end');
    if (Object.hasOwn(CLASSES, char)) return CLASSES[char]!;
    if (Object.hasOwn(CONTROLS, char)) return CONTROLS[char]!;
    if (char === 'x' || char === 'u') {
      const digits = this.source.slice(this.at, this.at + (char === 'x' ? 2 : 4));
      if (!/^([0-9a-fA-F]{2}|[0-9a-fA-F]{4})$/.test(digits) || digits.length !== (char === 'x' ? 2 : 4)) throw this.refusal(`"\\${char}" without its digits`);
      this.at += digits.length;
      return Number.parseInt(digits, 16);
    }
    if (/[A-Za-z0-9]/.test(char)) throw this.refusal(`"\\${char}"`);
    return char.charCodeAt(0);
  }

  private characterClass(): CharTest {
    const negated = this.take('^');
    const tests: CharTest[] = [];
    for (let first = true; ; first = false) {
      const char = this.source[this.at++];
      if (char === undefined) throw this.refusal('a class without its "]"');
      if (char === ']' && !first) break;
      if (char === '[') throw this.refusal('a class inside a class');
      if (char === '&' && this.source[this.at] === '&') throw this.refusal('class intersection');
      const low = char === '\\' ? this.escaped(this.source[this.at++]) : char.charCodeAt(0);
      const isRange = typeof low === 'number' && this.source[this.at] === '-' && this.source[this.at + 1] !== ']' && this.at + 1 < this.source.length;
      if (!isRange) {
        tests.push(typeof low === 'number' ? this.anyCase((code) => code === low) : low);
        continue;
      }
      this.at++;
      const next = this.source[this.at++]!;
      const high = next === '\\' ? this.escaped(this.source[this.at++]) : next.charCodeAt(0);
      if (typeof high !== 'number' || next === '[' || high < low) throw this.refusal('a class range that is none');
      tests.push(this.anyCase((code) => code >= low && code <= high));
    }
    const any: CharTest = (code) => tests.some((test) => test(code));
    return negated ? not(any) : any;
  }

  private literal(code: number): Part {
    return this.char(this.anyCase((other) => other === code));
  }

  private char(test: CharTest): Part {
    return () => void this.emit({ op: 'char', test });
  }

  private assertion(op: 'start' | 'end' | 'wordEdge' | 'noWordEdge'): Part {
    return () => void this.emit({ op });
  }

  /** Java's `(?i)` is about ASCII. */
  private anyCase(test: CharTest): CharTest {
    if (!this.ignoresCase) return test;
    return (code) => test(code) || (code >= 65 && code <= 90 && test(code + 32)) || (code >= 97 && code <= 122 && test(code - 32));
  }

  private emit<T extends Instruction>(instruction: T): T {
    if (this.program.length >= INSTRUCTIONS_MAX) throw this.refusal('so much repetition');
    this.program.push(instruction);
    return instruction;
  }

  private take(text: string): boolean {
    if (!this.source.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  private refusal(what: string): LinkRefusal {
    return new LinkRefusal(`selection pattern ${JSON.stringify(this.source)}: ${what} is not supported`);
  }
}
