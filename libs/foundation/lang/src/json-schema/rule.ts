/** What a schema's keywords become, and what one validation carries along. */
import { WorkLimitExceeded, type Regex, type WorkBudget } from '../regex/index.js';

/** One validation. Its `left` is what bounds the work of all keywords together. */
export interface Run extends WorkBudget {
  /** How many schemas deep we are, over both the value's nesting and that of `allOf` and its like. */
  depth: number;
}

/** The value is nested deeper than is looked at. */
export class TooDeep extends Error {
  constructor() {
    super(`nested more than ${DEPTH_MAX} deep`);
    this.name = 'TooDeep';
  }
}

/** Calls of three frames each: well within any stack. */
export const DEPTH_MAX = 1_000;

/** A keyword. It sees only values of the type it speaks about. */
export interface Rule<T = unknown> {
  readonly holds: (value: T, run: Run) => boolean;
  /** Adds to `messages` why it does not hold; nothing when it does. */
  readonly explain: (value: T, run: Run, messages: string[]) => void;
}

/** A keyword whose message does not come from schemas inside it. */
export function rule<T>(holds: (value: T, run: Run) => boolean, message: (value: T, run: Run) => string): Rule<T> {
  return {
    holds,
    explain: (value, run, messages) => {
      if (!holds(value, run)) messages.push(message(value, run));
    },
  };
}

/** Members that JSON.parse made: all are own ones, `__proto__` too. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A member's name, and whether every object inherits something of that name: only then `Object.hasOwn` need be asked. */
export class MemberName {
  private readonly isInherited: boolean;

  constructor(readonly text: string) {
    this.isInherited = text in Object.prototype;
  }

  /** The object's own member; `undefined` when there is none: nothing that JSON.parse makes is undefined. */
  of(value: JsonObject): unknown {
    return this.isInherited && !Object.hasOwn(value, this.text) ? undefined : value[this.text];
  }

  isIn(value: JsonObject): boolean {
    return this.of(value) !== undefined;
  }
}

export const NULL = 1;
export const BOOLEAN = 2;
export const INTEGER = 4;
export const NUMBER = 8;
export const STRING = 16;
export const OBJECT = 32;
export const ARRAY = 64;
export const ANY_TYPE = 127;

export const TYPES: ReadonlyMap<string, number> = new Map([
  ['array', ARRAY],
  ['boolean', BOOLEAN],
  ['integer', INTEGER],
  ['null', NULL],
  ['number', NUMBER | INTEGER],
  ['object', OBJECT],
  ['string', STRING],
]);

/** JSON.parse does not tell `1.0` from `1`: both are integers. */
function typeOf(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return STRING;
    case 'number':
      return Number.isInteger(value) ? INTEGER : NUMBER;
    case 'boolean':
      return BOOLEAN;
    default:
      return value === null ? NULL : Array.isArray(value) ? ARRAY : OBJECT;
  }
}

function typeName(value: unknown): string {
  const type = typeOf(value);
  for (const [name, bits] of TYPES) if ((bits & type) !== 0) return name;
  return 'object';
}

/** The keywords that can be told from a text without making values of it. Where one is missing its setting says yes to everything. */
export interface SimpleKeywords {
  /** Whether one of the next four is there. */
  readonly limitsTexts: boolean;
  readonly minLength: number;
  readonly maxLength: number;
  readonly pattern: Regex | null;
  /** `enum` of nothing but texts, in UTF-8; then nothing but a text is valid. */
  readonly texts: readonly Uint8Array[] | null;
  readonly minimum: number;
  readonly maximum: number;
  readonly isMinimumExclusive: boolean;
  readonly isMaximumExclusive: boolean;
  readonly minItems: number;
  readonly maxItems: number;
  readonly items: Subschema | null;
  readonly members: SimpleMembers;
}

export interface SimpleMembers {
  /** In UTF-8. Those that are required stand first. */
  readonly names: readonly Uint8Array[];
  /** Of the names; `null` for whatever may stand there. */
  readonly schemas: readonly (Subschema | null)[];
  /** How many of the names are required: at most 30. */
  readonly requiredBits: number;
  /** Of other names. */
  readonly additional: Subschema | false | null;
}

const NO_RULES: readonly never[] = [];

/**
 * A schema, ready to judge values. It exists before its keywords do: schemas may refer to one another in circles.
 */
export class Subschema {
  types = ANY_TYPE;
  typeNames: readonly string[] = [];
  strings: readonly Rule<string>[] = NO_RULES;
  numbers: readonly Rule<number>[] = NO_RULES;
  objects: readonly Rule<JsonObject>[] = NO_RULES;
  arrays: readonly Rule<readonly unknown[]>[] = NO_RULES;
  anything: readonly Rule[] = NO_RULES;
  /** Schemas that the same value must be held against: a circle of them would never end. */
  sameValue: readonly Subschema[] = [];
  /** For `TextJudge`; `null` where there are other keywords. */
  simple: SimpleKeywords | null = null;

  holds(value: unknown, run: Run): boolean {
    if (--run.left < 0) throw new WorkLimitExceeded();
    // What has nothing inside it is most of a value, and not worth counting the depth; it may still be asked about in circles.
    if (this.sameValue.length === 0) {
      if (typeof value === 'string') return (this.types & STRING) !== 0 && this.holdsAll(this.strings, value, run);
      if (typeof value === 'number') return (this.types & typeOf(value)) !== 0 && this.holdsAll(this.numbers, value, run);
    }
    if (++run.depth > DEPTH_MAX) throw new TooDeep();
    const isValid = (this.types & typeOf(value)) !== 0 && this.holdsAll(this.rulesFor(value), value, run);
    run.depth--;
    return isValid;
  }

  private holdsAll<T>(own: readonly Rule<T>[], value: T, run: Run): boolean {
    for (let i = 0; i < own.length; i++) if (!own[i]!.holds(value, run)) return false;
    const { anything } = this;
    for (let i = 0; i < anything.length; i++) if (!anything[i]!.holds(value, run)) return false;
    return true;
  }

  explain(value: unknown, run: Run, messages: string[]): void {
    if (messages.length >= MESSAGES_MAX) return;
    if (--run.left < 0) throw new WorkLimitExceeded();
    if (++run.depth > DEPTH_MAX) throw new TooDeep();
    if ((this.types & typeOf(value)) === 0) {
      const allowed = JSON.stringify([...this.typeNames].sort());
      messages.push(`instance type (${typeName(value)}) does not match any allowed primitive type (allowed: ${allowed})`);
    } else {
      for (const each of [...this.rulesFor(value), ...this.anything])
        if (messages.length < MESSAGES_MAX) each.explain(value, run, messages);
    }
    run.depth--;
  }

  /** Those of the value's type; it has been looked at. */
  private rulesFor(value: unknown): readonly Rule[] {
    switch (typeof value) {
      case 'string':
        return this.strings as readonly Rule[];
      case 'number':
        return this.numbers as readonly Rule[];
      case 'object':
        return value === null ? NO_RULES : ((Array.isArray(value) ? this.arrays : this.objects) as readonly Rule[]);
      default:
        return NO_RULES;
    }
  }
}

export const MESSAGES_MAX = 10;

const SHOWN_CHARS_MAX = 100;

/** A value in a message: whole when it is short. */
export function shown(value: unknown): string {
  if (typeof value !== 'object' || value === null) {
    const text = JSON.stringify(value);
    return text.length <= SHOWN_CHARS_MAX ? text : `${text.slice(0, SHOWN_CHARS_MAX)}...`;
  }
  return Array.isArray(value) ? '[...]' : '{...}';
}
