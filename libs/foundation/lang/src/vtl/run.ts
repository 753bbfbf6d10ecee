/** One rendering: variables, output and what is left of the budget. */
import { type Budget, RenderFailure } from './budget.js';
import { JavaObject, textOf, type Value } from './java-values.js';

/** How a statement ended: `BREAK` leaves the nearest #foreach, macro or #define, `STOP` the template. */
export type Signal = 0 | 1 | 2;
export const NEXT = 0;
export const BREAK = 1;
export const STOP = 2;

export type Step = (run: Run) => Signal;
export type Evaluate = (run: Run) => Value;

/** #break and #stop in a string that is being built: there is no statement to hand the signal to. */
export class Interrupted extends Error {}

/** Velocity 1.7, `velocimacro.max.depth` and `directive.define.maxdepth`. */
const CALL_DEPTH_MAX = 20;
const DEFINE_DEPTH_MAX = 2;

/** A macro being run. Its parameters are evaluated anew at each use, where the macro was called (Velocity passes by name). */
export interface Frame {
  readonly parent: Frame | null;
  readonly slots: readonly number[];
  readonly values: readonly Evaluate[];
  /** What was assigned while it ran; hides parameters. */
  locals: Map<number, Value> | null;
}

export class Run {
  out = '';
  /** Offset in the template of what runs now, for messages. */
  at = 0;
  frame: Frame | null = null;
  /** Names used by templates in #evaluate, on top of those of this template. */
  slots: Map<string, number> | null = null;
  #callDepth = 0;

  constructor(
    readonly budget: Budget,
    private readonly variables: Value[],
  ) {}

  print(text: string): void {
    this.budget.build(text.length);
    this.out += text;
  }

  lookUp(slot: number): Value {
    return this.frame === null ? (this.variables[slot] ?? null) : this.#lookUpFrom(this.frame, slot);
  }

  #lookUpFrom(innermost: Frame, slot: number): Value {
    for (let frame: Frame | null = innermost; frame !== null; frame = frame.parent) {
      const local = frame.locals?.get(slot);
      if (local !== undefined) return local;
      const index = frame.slots.lastIndexOf(slot);
      if (index !== -1) return this.#evaluateIn(frame.parent, frame.values[index]);
    }
    return this.variables[slot] ?? null;
  }

  #evaluateIn(frame: Frame | null, evaluate: Evaluate | undefined): Value {
    if (evaluate === undefined) return null; // called with fewer values than parameters
    const inner = this.frame;
    this.frame = frame;
    try {
      return evaluate(this);
    } finally {
      this.frame = inner;
    }
  }

  /** Visible everywhere, and in every macro that runs now in place of a parameter of that name. */
  assign(slot: number, value: Value): void {
    for (let frame = this.frame; frame !== null; frame = frame.parent) (frame.locals ??= new Map()).set(slot, value);
    this.variables[slot] = value;
  }

  /** Runs `step` one call deeper, in `frame`. */
  callIn(frame: Frame | null, what: string, step: Step): Signal {
    if (++this.#callDepth > CALL_DEPTH_MAX) throw new RenderFailure(`${what} calls itself more than ${CALL_DEPTH_MAX} deep`);
    const outer = this.frame;
    this.frame = frame;
    try {
      return step(this);
    } finally {
      this.frame = outer;
      this.#callDepth--;
    }
  }

  /** What `step` prints, as a text. */
  textOfStep(step: Step): string {
    const { out } = this;
    this.out = '';
    try {
      if (step(this) !== NEXT) throw new Interrupted();
      return this.out;
    } finally {
      this.out = out;
    }
  }
}

/** A template ready to run; `run` is what changes from request to request. */
export class DefinedBlock extends JavaObject {
  #depth = 0;

  constructor(
    private readonly name: string,
    private readonly step: Step,
    private readonly run: Run,
  ) {
    super();
  }

  print(run: Run): Signal {
    if (this.#depth >= DEFINE_DEPTH_MAX) {
      run.print(`$${this.name}`);
      return NEXT;
    }
    this.#depth++;
    try {
      return this.step(run) === STOP ? STOP : NEXT;
    } finally {
      this.#depth--;
    }
  }

  override text(): string {
    return this.run.textOfStep((run) => this.print(run));
  }
}

/** `$foreach` */
export class ForeachScope extends JavaObject {
  index = -1;

  constructor(
    private readonly parent: Value,
    readonly length: number,
  ) {
    super();
  }

  override property(name: string): Value {
    switch (name) {
      case 'index':
        return this.index;
      case 'count':
        return this.index + 1;
      case 'hasNext':
        return this.index + 1 < this.length;
      case 'first':
        return this.index === 0;
      case 'last':
        return this.index + 1 === this.length;
      case 'parent':
        return this.parent;
      case 'topmost':
        return this.parent instanceof ForeachScope ? this.parent.property('topmost') : this;
      default:
        return null;
    }
  }

  override call(method: string, values: readonly Value[]): Value | undefined {
    const getter = /^(?:get|is|has)([A-Z]\w*)$/.exec(method);
    if (getter === null || values.length > 0) return undefined;
    const name = method.startsWith('has') ? method : getter[1]!.charAt(0).toLowerCase() + getter[1]!.slice(1);
    return this.property(name);
  }

  override text(): string {
    return '{}';
  }
}

export function printValue(run: Run, value: Value): Signal {
  if (value === null) return NEXT;
  if (value instanceof DefinedBlock) return value.print(run);
  run.print(typeof value === 'string' ? value : textOf(value, run.budget));
  return NEXT;
}
