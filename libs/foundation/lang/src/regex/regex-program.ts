/**
 * A pattern as a list of instructions (Thompson):
 *
 *   (a|b)+c   0 fork 1 3 · 1 a · 2 fork 4 · 3 b · 4 fork 0 5 · 5 c · 6 end
 */
import type { Ranges } from './char-set.js';
import { RegexError, type RegexNode } from './parse-regex.js';

export type Instruction =
  | { readonly kind: 'char'; readonly set: Ranges }
  | { readonly kind: 'fork'; readonly to: readonly number[] }
  | { readonly kind: 'first' | 'last' | 'boundary' | 'noBoundary' | 'end' };

/**
 * Throws RegexError when the pattern unfolds to more than `stepsMax` steps: a character, group, choice or repetition is a step,
 * once for each time it is repeated.
 */
export function writeProgram(node: RegexNode, stepsMax: number): readonly Instruction[] {
  const program: Instruction[] = [];
  new Writer(program, stepsMax).write(node);
  program.push({ kind: 'end' });
  return program;
}

class Writer {
  #steps = 0;

  constructor(
    private readonly program: Instruction[],
    private readonly stepsMax: number,
  ) {}

  write(node: RegexNode): void {
    // Steps and not instructions: repetitions of nothing write none.
    if (++this.#steps > this.stepsMax) throw new RegexError(`unfolds to more than ${this.stepsMax} steps`);
    switch (node.kind) {
      case 'sequence':
        for (const part of node.parts) this.write(part);
        break;
      case 'choice':
        this.#choice(node.parts);
        break;
      case 'group':
        this.write(node.part);
        break;
      case 'repeat':
        this.#repeat(node.part, node.min, node.max);
        break;
      default:
        this.program.push(node);
    }
  }

  #choice(parts: readonly RegexNode[]): void {
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

  #repeat(part: RegexNode, min: number, max: number): void {
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
