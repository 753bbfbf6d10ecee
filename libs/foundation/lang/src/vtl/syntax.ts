/** The tree of a template. `offset` is where a part begins in the template, in UTF-16 units. */
export type Block = readonly Statement[];

export type Statement =
  | { readonly kind: 'text'; readonly text: string }
  | Reference
  | { readonly kind: 'set'; readonly target: Reference; readonly value: Expression; readonly offset: number }
  | { readonly kind: 'if'; readonly branches: readonly Branch[]; readonly otherwise: Block | null; readonly offset: number }
  | { readonly kind: 'foreach'; readonly name: string; readonly list: Expression; readonly body: Block; readonly offset: number }
  | { readonly kind: 'define'; readonly name: string; readonly body: Block; readonly offset: number }
  | Call
  | { readonly kind: 'evaluate'; readonly source: Expression; readonly offset: number }
  | { readonly kind: 'break'; readonly offset: number }
  | { readonly kind: 'stop' };

/** Known by its name in all of the template, wherever it is defined; the first definition of a name counts. */
export interface MacroDefinition {
  readonly parameters: readonly string[];
  readonly body: Block;
}

export interface ParsedTemplate {
  readonly body: Block;
  readonly macros: ReadonlyMap<string, MacroDefinition>;
}

export interface Branch {
  readonly condition: Expression;
  readonly body: Block;
}

/** `#name(...)`, of a macro that may be defined anywhere in the template; printed as it stands when it is defined nowhere. */
export interface Call {
  readonly kind: 'call';
  readonly name: string;
  readonly arguments: readonly Expression[];
  /** Of `#@name(...) ... #end`. */
  readonly body: Block | null;
  readonly literal: string;
  readonly offset: number;
}

export interface Reference {
  readonly kind: 'reference';
  readonly name: string;
  readonly accesses: readonly Access[];
  /** As written, without the backslashes in front. */
  readonly literal: string;
  readonly backslashes: number;
  readonly offset: number;
}

export type Access =
  | { readonly kind: 'property'; readonly name: string; readonly offset: number }
  | { readonly kind: 'method'; readonly name: string; readonly arguments: readonly Expression[]; readonly offset: number }
  | { readonly kind: 'index'; readonly index: Expression; readonly offset: number };

export type BinaryOperator = 'or' | 'and' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '+' | '-' | '*' | '/' | '%';

export type Expression =
  | Reference
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'interpolated'; readonly body: Block }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'integer'; readonly digits: string }
  | { readonly kind: 'float'; readonly digits: string }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [Expression, Expression])[] }
  | { readonly kind: 'range'; readonly from: Expression; readonly to: Expression }
  | { readonly kind: 'not'; readonly operand: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
      readonly offset: number;
    };
