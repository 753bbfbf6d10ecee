/**
 * Runs a tenant's regular expression in time proportional to pattern size times text length. Never handed to RegExp, which
 * backtracks.
 *
 * A set of positions in the program moves over the text. Sets met before are remembered as states with their transitions, by class of
 * characters that no part of the pattern tells apart, so that most characters cost one look-up. What is remembered is bounded; when
 * it is full it is forgotten, and grows anew.
 *
 * Assertions look at the characters on both sides, and so are decided when the next character, or the end, is known: a state is what
 * stands behind the last character, before anything that consumes none was followed.
 */
import { holds, WORD } from './char-set.js';
import { parseRegex, RegexError, type Dialect } from './parse-regex.js';
import { writeProgram, type Instruction } from './regex-program.js';

/** Work that may still be done; whoever runs several patterns shares one between them. */
export interface WorkBudget {
  left: number;
}

/** The budget is used up. */
export class WorkLimitExceeded extends Error {
  constructor() {
    super('more work than allowed');
    this.name = 'WorkLimitExceeded';
  }
}

export interface RegexLimits {
  readonly charsMax: number;
  readonly stepsMax: number;
}

/** Classes and positions, over all states of one pattern: some hundred kilobytes. */
const REMEMBERED_MAX = 32_768;
/** Making a state costs some fifty nanoseconds for each instruction, a budget's unit is about ten. */
const VISIT_WORK = 4;
const START_OF_TEXT = 0;
const AFTER_WORD = 1;
const AFTER_OTHER = 2;
const END_OF_TEXT = -1;

interface State {
  readonly positions: readonly number[];
  readonly before: number;
  /** By class of the next character; `null` where nobody has been yet. */
  readonly next: (State | null)[];
  /** Whether the pattern has matched when the text ends here. */
  isMatchAtEnd: boolean | null;
}

const ACCEPTED: State = { positions: [], before: 0, next: [], isMatchAtEnd: true };
const DEAD: State = { positions: [], before: 0, next: [], isMatchAtEnd: false };

export class Regex {
  readonly #program: readonly Instruction[];
  /** Whether a match may begin at any character; else only at the first. */
  readonly #floats: boolean;
  /** First code points of the classes. */
  readonly #classStarts: readonly number[];
  readonly #asciiClasses: Uint16Array;
  readonly #looksAtWords: boolean;
  readonly #states = new Map<string, State>();
  #remembered = 0;
  #start: State | null = null;
  /** Which positions were visited in this round: `#visited[at] === #round`. */
  readonly #visited: Uint32Array;
  #round = 0;

  private constructor(
    program: readonly Instruction[],
    private readonly matchesWhole: boolean,
  ) {
    this.#program = program;
    this.#visited = new Uint32Array(program.length);
    this.#looksAtWords = program.some(({ kind }) => kind === 'boundary' || kind === 'noBoundary');
    this.#classStarts = classStarts(program, this.#looksAtWords);
    this.#asciiClasses = Uint16Array.from({ length: 128 }, (_, codePoint) => this.#searchClass(codePoint));
    this.#floats = !matchesWhole && !this.#beginsAtStart();
  }

  /** Must match all of the text. Throws RegexError. */
  static whole(text: string, dialect: Dialect, limits: RegexLimits): Regex {
    return new Regex(compile(text, dialect, limits), true);
  }

  /** May match anywhere in the text. Throws RegexError. */
  static search(text: string, dialect: Dialect, limits: RegexLimits): Regex {
    return new Regex(compile(text, dialect, limits), false);
  }

  /** In instructions. */
  get size(): number {
    return this.#program.length;
  }

  /** Throws WorkLimitExceeded when there is a budget and it is used up. */
  test(text: string, budget: WorkBudget | null = null): boolean {
    let state = (this.#start ??= this.#remember(this.matchesWhole || !this.#floats ? [0] : [], START_OF_TEXT));
    const { length } = text;
    const asciiClasses = this.#asciiClasses;
    for (let i = 0; i < length; i++) {
      let codePoint = text.charCodeAt(i);
      let classIndex: number;
      if (codePoint < 128) classIndex = asciiClasses[codePoint]!;
      else {
        codePoint = text.codePointAt(i)!;
        if (codePoint > 0xffff) i++;
        classIndex = this.#searchClass(codePoint);
      }
      const next = state.next[classIndex] ?? this.#step(state, codePoint, classIndex, budget);
      if (next === ACCEPTED) return true;
      if (next === DEAD) return false;
      state = next;
    }
    return (state.isMatchAtEnd ??= this.#isMatchAtEnd(state));
  }

  /** The same for a text of ASCII characters alone, as bytes. */
  testAscii(bytes: Uint8Array, from: number, to: number, budget: WorkBudget | null = null): boolean {
    let state = (this.#start ??= this.#remember(this.matchesWhole || !this.#floats ? [0] : [], START_OF_TEXT));
    const asciiClasses = this.#asciiClasses;
    for (let i = from; i < to; i++) {
      const code = bytes[i]!;
      const classIndex = asciiClasses[code]!;
      const next = state.next[classIndex] ?? this.#step(state, code, classIndex, budget);
      if (next === ACCEPTED) return true;
      if (next === DEAD) return false;
      state = next;
    }
    return (state.isMatchAtEnd ??= this.#isMatchAtEnd(state));
  }

  #step(state: State, codePoint: number, classIndex: number, budget: WorkBudget | null): State {
    const isWord = this.#looksAtWords && holds(WORD, codePoint);
    if (budget !== null) budget.left -= this.#classStarts.length >> 2; // a new state is as long as there are classes
    const reached: number[] = [];
    const isMatch = this.#follow(state, codePoint, isWord, reached, budget);
    let next: State;
    if (isMatch) next = ACCEPTED;
    else if (reached.length === 0 && !this.#floats) next = DEAD;
    else next = this.#remember(reached, isWord ? AFTER_WORD : AFTER_OTHER);
    state.next[classIndex] = next;
    return next;
  }

  #isMatchAtEnd(state: State): boolean {
    return this.#follow(state, END_OF_TEXT, false, [], null);
  }

  /**
   * Follows everything that consumes no character, then the character: `reached` gets what stands behind it. True when the pattern has
   * matched before the character. Each instruction is visited once, so loops over nothing end.
   */
  #follow(
    { positions, before }: State,
    codePoint: number,
    isWord: boolean,
    reached: number[],
    budget: WorkBudget | null,
  ): boolean {
    const round = this.#nextRound();
    const pending = this.#floats ? [...positions, 0] : [...positions];
    let visits = 0;
    let isMatch = false;
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (this.#visited[at] === round) continue;
      this.#visited[at] = round;
      visits++;
      const instruction = this.#program[at]!;
      if (instruction.kind === 'char') {
        if (codePoint !== END_OF_TEXT && holds(instruction.set, codePoint)) reached.push(at + 1);
      } else if (instruction.kind === 'fork') pending.push(...instruction.to);
      else if (instruction.kind === 'end') isMatch ||= !this.matchesWhole || codePoint === END_OF_TEXT;
      else if (isTrue(instruction.kind, before, codePoint, isWord)) pending.push(at + 1);
    }
    if (budget !== null && (budget.left -= VISIT_WORK * visits) < 0) throw new WorkLimitExceeded();
    return isMatch;
  }

  #remember(positions: number[], before: number): State {
    positions.sort((left, right) => left - right);
    const key = `${before}:${positions.join()}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const size = this.#classStarts.length + 4 * positions.length + 16;
    if (this.#remembered + size > REMEMBERED_MAX) {
      this.#states.clear();
      this.#start = null;
      this.#remembered = 0;
    }
    this.#remembered += size;
    const next = new Array<State | null>(this.#classStarts.length).fill(null);
    const state: State = { positions, before, next, isMatchAtEnd: null };
    this.#states.set(key, state);
    return state;
  }

  /** Every way into the pattern leads through `^`. */
  #beginsAtStart(): boolean {
    const pending = [0];
    const seen = new Set<number>();
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      const instruction = this.#program[at]!;
      if (instruction.kind === 'char' || instruction.kind === 'end') return false;
      if (instruction.kind === 'fork') pending.push(...instruction.to);
      else if (instruction.kind !== 'first') pending.push(at + 1);
    }
    return true;
  }

  #searchClass(codePoint: number): number {
    let from = 0;
    let to = this.#classStarts.length - 1;
    while (from < to) {
      const middle = (from + to + 1) >> 1;
      if (this.#classStarts[middle]! <= codePoint) from = middle;
      else to = middle - 1;
    }
    return from;
  }

  #nextRound(): number {
    if (this.#round === 0xffffffff) {
      this.#visited.fill(0);
      this.#round = 0;
    }
    return ++this.#round;
  }
}

function compile(text: string, dialect: Dialect, { charsMax, stepsMax }: RegexLimits): readonly Instruction[] {
  if (text.length > charsMax) throw new RegexError(`longer than ${charsMax} characters`);
  return writeProgram(parseRegex(text, dialect), stepsMax);
}

function isTrue(assertion: 'first' | 'last' | 'boundary' | 'noBoundary', before: number, next: number, isWord: boolean): boolean {
  if (assertion === 'first') return before === START_OF_TEXT;
  if (assertion === 'last') return next === END_OF_TEXT;
  return ((before === AFTER_WORD) !== isWord) === (assertion === 'boundary');
}

function classStarts(program: readonly Instruction[], looksAtWords: boolean): number[] {
  const starts = new Set([0]);
  const add = ([low, high]: readonly [number, number]): void => {
    starts.add(low);
    starts.add(high + 1);
  };
  if (looksAtWords) WORD.forEach(add);
  for (const instruction of program) if (instruction.kind === 'char') instruction.set.forEach(add);
  return [...starts].sort((left, right) => left - right);
}
