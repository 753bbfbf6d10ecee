/**
 * Finds a tenant's regular expression in a text, with what its groups matched: Java's `replaceAll`, `split` and `matches`, in time
 * proportional to pattern size times text length. Which match is found, and which groups, is as in Java: the leftmost, and there the
 * way a backtracking engine would take first (Pike's algorithm: threads in order of preference, one per instruction).
 */
import { holds, WORD, type Ranges } from './char-set.js';
import { parseRegex, RegexError, type RegexNode } from './parse-regex.js';
import { WorkLimitExceeded, type RegexLimits, type WorkBudget } from './regex.js';

type Instruction =
  | { readonly kind: 'char'; readonly set: Ranges }
  | { readonly kind: 'split'; first: number; second: number }
  | { readonly kind: 'jump'; to: number }
  | { readonly kind: 'save'; readonly slot: number }
  | { readonly kind: 'first' | 'last' | 'boundary' | 'noBoundary' | 'match' };

/** Offsets in UTF-16 units: `[from, to, group 1 from, group 1 to, ...]`, -1 where a group matched nothing. */
export type Match = readonly number[];

export class Finder {
  readonly groupCount: number;
  readonly #program: readonly Instruction[];
  /** The text itself when the pattern is one: most patterns in templates are. */
  readonly #literal: string | null;
  /** What a match may begin with, by ASCII character; null when it may be empty or begins with an assertion. */
  readonly #beginnings: Uint8Array | null;
  /** Kept between searches: a search ends before the next begins. */
  readonly #here: Threads;
  readonly #next: Threads;

  private constructor(program: readonly Instruction[], groupCount: number, literal: string | null) {
    this.#program = program;
    this.groupCount = groupCount;
    this.#literal = literal;
    this.#beginnings = beginningsOf(program);
    this.#here = new Threads(program);
    this.#next = new Threads(program);
  }

  /** Throws RegexError. */
  static java(text: string, limits: RegexLimits): Finder {
    if (text.length > limits.charsMax) throw new RegexError(`longer than ${limits.charsMax} characters`);
    const node = parseRegex(text, 'java');
    const writer = new Writer(limits.stepsMax);
    writer.write(node);
    writer.program.push({ kind: 'match' });
    return new Finder(writer.program, writer.groupCount, literalOf(node));
  }

  /** Instructions it is made of. */
  get size(): number {
    return this.#program.length;
  }

  /** The next match that begins at `from` or later. Throws WorkLimitExceeded. */
  find(text: string, from: number, budget: WorkBudget): Match | null {
    if (this.#literal !== null) {
      const at = text.indexOf(this.#literal, from);
      budget.left -= ((at === -1 ? text.length : at) - from) >> 4;
      return at === -1 ? null : [at, at + this.#literal.length];
    }
    return this.#run(text, from, false, budget);
  }

  /** Does it match all of the text? Throws WorkLimitExceeded. */
  matches(text: string, budget: WorkBudget): boolean {
    if (this.#literal !== null) return text === this.#literal;
    return this.#run(text, 0, true, budget) !== null;
  }

  #run(text: string, from: number, isWhole: boolean, budget: WorkBudget): Match | null {
    const slots = (this.groupCount + 1) * 2;
    let [here, next] = [this.#here, this.#next];
    here.clear();
    let found: number[] | null = null;
    for (let at = from; ;) {
      if (here.count === 0 && found === null && !isWhole && this.#beginnings !== null) {
        const start = skipTo(text, at, this.#beginnings);
        budget.left -= (start - at) >> 3;
        at = start;
      }
      if (found === null && (!isWhole || at === from)) here.add(0, at, freshCaptures(slots, at), text);
      if (here.count === 0 && (found !== null || isWhole)) break;
      budget.left -= here.count + 1;
      if (budget.left < 0) throw new WorkLimitExceeded();
      const codePoint = at < text.length ? text.codePointAt(at)! : -1;
      const after = at + (codePoint > 0xffff ? 2 : 1);
      next.clear();
      for (let i = 0; i < here.count; i++) {
        const instruction = this.#program[here.at[i]!]!;
        if (instruction.kind === 'match') {
          if (isWhole && at < text.length) continue;
          found = here.captures[i]!;
          found[1] = at;
          break; // threads behind this one are preferred less
        }
        if (codePoint !== -1 && instruction.kind === 'char' && holds(instruction.set, codePoint))
          next.add(here.at[i]! + 1, after, here.captures[i]!, text);
      }
      if (codePoint === -1) break;
      [here, next] = [next, here];
      at = after;
    }
    return found;
  }
}

/** The next position at which a match may begin, or the end of the text. */
function skipTo(text: string, from: number, beginnings: Uint8Array): number {
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code > 127 || beginnings[code] === 1) break;
    at++;
  }
  return at;
}

function beginningsOf(program: readonly Instruction[]): Uint8Array | null {
  const beginnings = new Uint8Array(128);
  const seen = new Set<number>();
  const pending = [0];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    const instruction = program[at]!;
    if (instruction.kind === 'char')
      for (let code = 0; code < 128; code++) beginnings[code]! |= holds(instruction.set, code) ? 1 : 0;
    else if (instruction.kind === 'jump') pending.push(instruction.to);
    else if (instruction.kind === 'split') pending.push(instruction.first, instruction.second);
    else if (instruction.kind === 'save') pending.push(at + 1);
    else return null;
  }
  return beginnings;
}

function freshCaptures(slots: number, at: number): number[] {
  const captures = Array.from({ length: slots }, () => -1);
  captures[0] = at;
  return captures;
}

/** Threads in order of preference, at most one per instruction. */
class Threads {
  count = 0;
  readonly at: number[] = [];
  readonly captures: number[][] = [];
  readonly #visited: Uint32Array;
  #round = 1;

  constructor(private readonly program: readonly Instruction[]) {
    this.#visited = new Uint32Array(program.length);
  }

  clear(): void {
    this.count = 0;
    if (++this.#round === 2 ** 32) {
      this.#visited.fill(0);
      this.#round = 1;
    }
  }

  /** Follows everything that consumes no character, first ways first. */
  add(start: number, position: number, from: number[], text: string): void {
    const simple = this.program[start]!;
    if (simple.kind === 'char') return this.#stand(start, from);
    const pending: [number, number[]][] = [[start, from]];
    for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
      const [at, captures] = entry;
      if (this.#visited[at] === this.#round) continue;
      this.#visited[at] = this.#round;
      const instruction = this.program[at]!;
      switch (instruction.kind) {
        case 'jump':
          pending.push([instruction.to, captures]);
          break;
        case 'split':
          pending.push([instruction.second, captures], [instruction.first, captures]);
          break;
        case 'save':
          pending.push([at + 1, captures.with(instruction.slot, position)]);
          break;
        case 'char':
          this.at[this.count] = at;
          this.captures[this.count++] = captures;
          break;
        case 'match':
          this.at[this.count] = at;
          this.captures[this.count++] = captures.slice(); // its end is written into it
          break;
        default:
          if (isAssertionMet(instruction.kind, text, position)) pending.push([at + 1, captures]);
      }
    }
  }

  #stand(at: number, captures: number[]): void {
    if (this.#visited[at] === this.#round) return;
    this.#visited[at] = this.#round;
    this.at[this.count] = at;
    this.captures[this.count++] = captures;
  }
}

function isAssertionMet(kind: 'first' | 'last' | 'boundary' | 'noBoundary', text: string, position: number): boolean {
  if (kind === 'first') return position === 0;
  if (kind === 'last') return isBeforeLastLineEnd(text, position);
  return (isWord(text, position - 1) !== isWord(text, position)) === (kind === 'boundary');
}

function isWord(text: string, index: number): boolean {
  return index >= 0 && index < text.length && holds(WORD, text.charCodeAt(index));
}

/** Java's `$`: at the end, or before the line end that ends the text. */
function isBeforeLastLineEnd(text: string, position: number): boolean {
  const rest = text.length - position;
  return rest === 0 || (rest === 1 && /[\n\r\u0085\u2028\u2029]/.test(text[position]!)) || (rest === 2 && text.endsWith('\r\n'));
}

function literalOf(node: RegexNode): string | null {
  if (node.kind === 'char') {
    const [range, ...others] = node.set;
    return others.length === 0 && range !== undefined && range[0] === range[1] ? String.fromCodePoint(range[0]) : null;
  }
  if (node.kind !== 'sequence' || node.parts.length === 0) return null;
  let text = '';
  for (const part of node.parts) {
    const literal = literalOf(part);
    if (literal === null) return null;
    text += literal;
  }
  return text;
}

class Writer {
  readonly program: Instruction[] = [];
  groupCount = 0;
  #steps = 0;

  constructor(private readonly stepsMax: number) {}

  write(node: RegexNode): void {
    if (++this.#steps > this.stepsMax) throw new RegexError(`unfolds to more than ${this.stepsMax} steps`);
    switch (node.kind) {
      case 'sequence':
        for (const part of node.parts) this.write(part);
        break;
      case 'choice':
        this.#choice(node.parts);
        break;
      case 'group':
        this.groupCount = Math.max(this.groupCount, node.index);
        this.program.push({ kind: 'save', slot: node.index * 2 });
        this.write(node.part);
        this.program.push({ kind: 'save', slot: node.index * 2 + 1 });
        break;
      case 'repeat':
        this.#repeat(node);
        break;
      default:
        this.program.push(node);
    }
  }

  #choice(parts: readonly RegexNode[]): void {
    const jumps: Extract<Instruction, { kind: 'jump' }>[] = [];
    parts.forEach((part, i) => {
      const split = i < parts.length - 1 ? this.#split() : null;
      this.write(part);
      if (split === null) return;
      const jump = { kind: 'jump' as const, to: -1 };
      this.program.push(jump);
      jumps.push(jump);
      split.second = this.program.length;
    });
    for (const jump of jumps) jump.to = this.program.length;
  }

  #repeat({ part, min, max, isLazy }: Extract<RegexNode, { kind: 'repeat' }>): void {
    for (let count = 0; count < min; count++) this.write(part);
    if (max === Infinity) {
      const from = this.program.length;
      const split = this.#split();
      this.write(part);
      this.program.push({ kind: 'jump', to: from });
      split.second = this.program.length;
      if (isLazy) swap(split);
      return;
    }
    const splits: Extract<Instruction, { kind: 'split' }>[] = [];
    for (let count = min; count < max; count++) {
      splits.push(this.#split());
      this.write(part);
    }
    for (const split of splits) {
      split.second = this.program.length;
      if (isLazy) swap(split);
    }
  }

  /** Goes on behind itself; the other way is filled in later. */
  #split(): Extract<Instruction, { kind: 'split' }> {
    const split = { kind: 'split' as const, first: this.program.length + 1, second: -1 };
    this.program.push(split);
    return split;
  }
}

function swap(split: { first: number; second: number }): void {
  [split.first, split.second] = [split.second, split.first];
}
