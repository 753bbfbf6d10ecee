/**
 * From the tree of a template to closures: each node becomes one function that has its constants and children at hand. No source text is
 * made, so no text of a tenant is ever run as code.
 *
 *   {"id": $input.params("id")}
 *   sequence( print('{"id": '), printReference( method( variable(0), "params", ["id"] ) ), print('}') )
 *
 * Names become numbers of slots when the template is compiled; a rendering is an array of values and one text that grows.
 */
import { calculate, compareNumbers, isSame, whole } from './arithmetic.js';
import { RenderFailure, type Budget } from './budget.js';
import { positionOf, VtlRenderError, VtlSyntaxError } from './errors.js';
import { callMethod, itemOf, propertyOf, setItem } from './java-methods.js';
import { isNumber, JavaDouble, JavaList, JavaMap, textOf, type Value } from './java-values.js';
import { parseTemplate } from './parser.js';
import { BREAK, DefinedBlock, ForeachScope, Interrupted, NEXT, printValue, Run, STOP, type Evaluate, type Step } from './run.js';
import type { Access, Block, Call, Expression, MacroDefinition, ParsedTemplate, Reference, Statement } from './syntax.js';

/** API Gateway quotas: iterations of a #foreach loop in mapping templates. */
const LOOP_MAX = 1_000;
/** What a template with #evaluate reads is not known before it runs. */
const ANY_NAME = '*';
/** What a #foreach sets beside its own. */
const LOOP_VARIABLES = ['foreach', 'velocityCount', 'velocityHasNext'];
const NAMES_OF_EVALUATE_MAX = 10_000;

export class CompiledTemplate {
  readonly #body: Step;
  readonly #names: ReadonlySet<string>;

  constructor(
    private readonly template: string,
    parsed: ParsedTemplate,
    private readonly slots: Map<string, number>,
  ) {
    const compiler = new Compiler(slots, parsed.macros, null);
    this.#body = compiler.block(parsed.body);
    this.#names = compiler.names;
  }

  /** False when no rendering can ask for this variable. */
  mayRead(name: string): boolean {
    return this.#names.has(name) || this.#names.has(ANY_NAME);
  }

  /** `variables` in the order of the names it was compiled with; the rendering keeps and changes the array. Throws VtlRenderError. */
  render(variables: Value[], budget: Budget): string {
    const run = new Run(budget, variables);
    try {
      this.#body(run);
    } catch (cause) {
      if (!(cause instanceof Interrupted)) throw this.#failure(cause, run.at);
    }
    return run.out;
  }

  #failure(cause: unknown, offset: number): unknown {
    // Closures call each other; blocks within macros within macros may be more than the stack takes.
    const isOverflow = cause instanceof RangeError && cause.message.startsWith('Maximum call stack');
    const reason = isOverflow ? 'Nested too deep' : cause instanceof RenderFailure ? cause.reason : null;
    if (reason === null) return cause;
    const { line, column } = positionOf(this.template, offset);
    return new VtlRenderError(reason, line, column);
  }
}

/** `names` are the variables a rendering begins with. Throws VtlSyntaxError. */
export function compileTemplate(template: string, names: readonly string[], charsMax?: number): CompiledTemplate {
  return new CompiledTemplate(template, parseTemplate(template, charsMax), new Map(names.map((name, slot) => [name, slot])));
}

interface Macro {
  readonly slots: readonly number[];
  body: Step;
}

type AccessStep = (run: Run, target: Value) => Value;

class Compiler {
  readonly names = new Set<string>();
  readonly #compiled = new Map<string, Macro>();

  constructor(
    private readonly slots: Map<string, number>,
    private readonly macros: ReadonlyMap<string, MacroDefinition>,
    /** Of #evaluate: where it stands, which is what messages name. */
    private readonly place: number | null,
  ) {}

  block(block: Block): Step {
    const steps = this.#steps(block);
    const { length } = steps;
    if (length === 1) return steps[0]!;
    return (run) => {
      run.budget.step(length);
      for (let i = 0; i < length; i++) {
        const signal = steps[i]!(run);
        if (signal !== NEXT) return signal;
      }
      return NEXT;
    };
  }

  /** Texts and references in a row become one step: most of a template is that. */
  #steps(block: Block): Step[] {
    const steps: Step[] = [];
    let row: (string | Evaluate)[] = [];
    const endRow = (): void => {
      if (row.length > 0) steps.push(printRow(row));
      row = [];
    };
    for (const statement of block) {
      if (statement.kind === 'text') row.push(statement.text);
      else if (statement.kind === 'reference' && statement.backslashes === 0) row.push(this.#reference(statement));
      else {
        endRow();
        steps.push(this.#statement(statement));
      }
    }
    endRow();
    return steps;
  }

  #slot(name: string): number {
    this.names.add(name);
    return this.#slotOf(name);
  }

  /** Of what is written, maybe without ever being read. */
  #slotOf(name: string): number {
    const known = this.slots.get(name);
    if (known !== undefined) return known;
    const slot = this.slots.size;
    this.slots.set(name, slot);
    return slot;
  }

  #at(offset: number): number {
    return this.place ?? offset;
  }

  #statement(statement: Statement): Step {
    switch (statement.kind) {
      case 'text':
        return printRow([statement.text]);
      case 'reference':
        return this.#print(statement);
      case 'set':
        return this.#set(statement);
      case 'if':
        return this.#if(statement);
      case 'foreach':
        return this.#foreach(statement);
      case 'define': {
        const slot = this.#slot(statement.name);
        const body = this.block(statement.body);
        return (run) => {
          run.assign(slot, new DefinedBlock(statement.name, body, run));
          return NEXT;
        };
      }
      case 'call':
        return this.#call(statement);
      case 'evaluate':
        return this.#evaluate(statement);
      case 'break':
        return () => BREAK;
      default:
        return () => STOP;
    }
  }

  /** `\$x` prints the reference itself; of a missing value it prints the backslash, too. */
  #print(reference: Reference): Step {
    const value = this.#reference(reference);
    const { backslashes, literal } = reference;
    if (backslashes === 0) return printRow([value]);
    const prefix = '\\'.repeat(backslashes >> 1);
    if (backslashes % 2 === 0) {
      return (run) => {
        run.print(prefix);
        return printValue(run, value(run));
      };
    }
    return (run) => {
      run.print(value(run) === null ? `${prefix}\\${literal}` : prefix + literal);
      return NEXT;
    };
  }

  /** Without effect when the value is null, as Velocity has it by default. */
  #set({ target, value, offset }: Extract<Statement, { kind: 'set' }>): Step {
    const evaluate = this.expression(value);
    const slot = this.#slot(target.name);
    const at = this.#at(offset);
    const last = target.accesses.at(-1);
    if (last === undefined) {
      return (run) => {
        const result = evaluate(run);
        if (result !== null) run.assign(slot, result);
        return NEXT;
      };
    }
    const holder = this.#reference({ ...target, accesses: target.accesses.slice(0, -1) });
    const key = this.#keyOf(last);
    return (run) => {
      const result = evaluate(run);
      const object = result === null ? null : holder(run);
      const index = object === null ? null : key(run);
      run.at = at;
      if (object !== null && index !== null) setItem(object, index, result);
      return NEXT;
    };
  }

  #keyOf(access: Access): Evaluate {
    switch (access.kind) {
      case 'property': {
        const { name } = access;
        return () => name;
      }
      case 'index':
        return this.expression(access.index);
      default:
        return () => null; // a method cannot be assigned to
    }
  }

  #if({ branches, otherwise }: Extract<Statement, { kind: 'if' }>): Step {
    const conditions = branches.map((branch) => this.#condition(branch.condition));
    const bodies = branches.map((branch) => this.block(branch.body));
    const rest = otherwise === null ? null : this.block(otherwise);
    return (run) => {
      run.budget.step(1);
      for (let i = 0; i < conditions.length; i++) if (conditions[i]!(run)) return bodies[i]!(run);
      return rest === null ? NEXT : rest(run);
    };
  }

  #foreach({ name, list, body, offset }: Extract<Statement, { kind: 'foreach' }>): Step {
    const evaluate = this.expression(list);
    const slot = this.#slot(name);
    const [scopeSlot, countSlot, hasNextSlot] = LOOP_VARIABLES.map((variable) => this.#slotOf(variable)) as [
      number,
      number,
      number,
    ];
    const step = this.block(body);
    const at = this.#at(offset);
    const { names, place } = this;
    return (run) => {
      const items = itemsOf(evaluate(run), run.budget);
      if (items === null) return NEXT;
      const before = [run.lookUp(slot), run.lookUp(scopeSlot), run.lookUp(countSlot), run.lookUp(hasNextSlot)] as const;
      const scope = new ForeachScope(before[1], items.length);
      // Velocity's old names for two of its properties: seldom read, and two assignments for each item.
      const hasOldNames = place !== null || names.has('velocityCount') || names.has('velocityHasNext') || names.has(ANY_NAME);
      let signal = NEXT as ReturnType<Step>;
      // As Java's iterator: at the end of the list it does not look whether the list changed.
      for (let i = 0; i !== items.length && signal === NEXT; i++) {
        run.budget.step(1);
        if (i >= LOOP_MAX) throw failureAt(run, at, `#foreach runs more than ${LOOP_MAX} times`);
        if (items.length !== scope.length) throw failureAt(run, at, 'The list changed while #foreach went through it');
        scope.index = i;
        run.assign(slot, items[i]!);
        run.assign(scopeSlot, scope);
        if (hasOldNames) {
          run.assign(countSlot, i + 1);
          run.assign(hasNextSlot, i + 1 < scope.length);
        }
        signal = step(run);
      }
      run.assign(slot, before[0]);
      run.assign(scopeSlot, before[1]);
      if (hasOldNames) {
        run.assign(countSlot, before[2]);
        run.assign(hasNextSlot, before[3]);
      }
      return signal === STOP ? STOP : NEXT;
    };
  }

  #call(call: Call): Step {
    const { literal } = call;
    const macro = this.#macro(call.name);
    if (macro === null) {
      return (run) => {
        run.print(literal);
        return NEXT;
      };
    }
    const values = call.arguments.map((argument) => this.expression(argument));
    const body = call.body === null ? null : this.block(call.body);
    const slots = body === null ? macro.slots : [...macro.slots, this.#slot('bodyContent')];
    if (body !== null) {
      values.length = macro.slots.length;
      values.push((run) => run.textOfStep(body));
    }
    const at = this.#at(call.offset);
    const what = `#${call.name}`;
    return (run) => {
      run.at = at;
      const signal = run.callIn({ parent: run.frame, slots, values, locals: null }, what, macro.body);
      return signal === STOP ? STOP : NEXT;
    };
  }

  /** Compiled at its first call, so that macros may call each other. */
  #macro(name: string): Macro | null {
    const known = this.#compiled.get(name);
    if (known !== undefined) return known;
    const definition = this.macros.get(name);
    if (definition === undefined) return null;
    const macro: Macro = { slots: definition.parameters.map((parameter) => this.#slot(parameter)), body: () => NEXT };
    this.#compiled.set(name, macro);
    const body = this.block(definition.body);
    macro.body = body;
    return macro;
  }

  #evaluate({ source, offset }: Extract<Statement, { kind: 'evaluate' }>): Step {
    this.names.add(ANY_NAME);
    const evaluate = this.expression(source);
    const at = this.#at(offset);
    const { macros } = this;
    return (run) => {
      const value = evaluate(run);
      if (value === null) return NEXT;
      run.at = at;
      const text = textOf(value, run.budget);
      run.budget.step(text.length);
      const step = this.#compileAtRunTime(text, run, at, macros);
      return run.callIn(run.frame, '#evaluate', step) === STOP ? STOP : NEXT;
    };
  }

  #compileAtRunTime(text: string, run: Run, at: number, outer: ReadonlyMap<string, MacroDefinition>): Step {
    // Names of this text must not stay in the compiled template: the next request brings other texts.
    const slots = (run.slots ??= new Map(this.slots));
    if (slots.size > NAMES_OF_EVALUATE_MAX) throw new RenderFailure('#evaluate: too many names');
    try {
      const { body, macros } = parseTemplate(text);
      return new Compiler(slots, macros.size === 0 ? outer : new Map([...macros, ...outer]), at).block(body);
    } catch (cause) {
      if (cause instanceof VtlSyntaxError) throw new RenderFailure(`#evaluate: ${cause.message}:`);
      throw cause;
    }
  }

  expression(expression: Expression): Evaluate {
    switch (expression.kind) {
      case 'reference':
        return this.#reference(expression);
      case 'string':
      case 'boolean': {
        const { value } = expression;
        return () => value;
      }
      case 'integer': {
        const value = whole(BigInt(expression.digits));
        return () => value;
      }
      case 'float': {
        const value = new JavaDouble(Number(expression.digits));
        return () => value;
      }
      case 'interpolated': {
        const body = this.block(expression.body);
        return (run) => run.textOfStep(body);
      }
      case 'list': {
        const items = expression.items.map((item) => this.expression(item));
        return (run) => {
          run.budget.step(items.length);
          return new JavaList(items.map((item) => item(run)));
        };
      }
      case 'map':
        return this.#map(expression.entries);
      case 'range':
        return this.#range(expression.from, expression.to);
      case 'not':
        return this.#condition(expression);
      default:
        return this.#binary(expression);
    }
  }

  #map(entries: readonly (readonly [Expression, Expression])[]): Evaluate {
    const pairs = entries.map(([key, value]) => [this.expression(key), this.expression(value)] as const);
    return (run) => {
      run.budget.step(pairs.length);
      const map = new JavaMap();
      for (const [key, value] of pairs) map.put(key(run), value(run));
      return map;
    };
  }

  #range(from: Expression, to: Expression): Evaluate {
    const [first, last] = [this.expression(from), this.expression(to)];
    return (run) => {
      const [start, end] = [first(run), last(run)];
      if (typeof start !== 'number' || typeof end !== 'number') return null;
      const length = Math.abs(end - start) + 1;
      run.budget.step(length);
      const by = end >= start ? 1 : -1;
      const items: Value[] = [];
      for (let i = 0; i < length; i++) items.push(start + i * by);
      return new JavaList(items);
    };
  }

  #binary(expression: Extract<Expression, { kind: 'binary' }>): Evaluate {
    const { operator } = expression;
    if (operator === '+') return this.#sum(expression);
    if (operator !== '-' && operator !== '*' && operator !== '/' && operator !== '%') return this.#condition(expression);
    const left = this.expression(expression.left);
    const right = this.expression(expression.right);
    return (run) => calculate(operator, left(run), right(run));
  }

  /** With a text on either side `+` joins; a missing value is then written as its reference. */
  #sum(expression: Extract<Expression, { kind: 'binary' }>): Evaluate {
    const left = this.expression(expression.left);
    const right = this.expression(expression.right);
    const textOrLiteral = (value: Value, operand: Expression, budget: Budget): string =>
      value !== null ? textOf(value, budget) : operand.kind === 'reference' ? operand.literal : 'null';
    return (run) => {
      const a = left(run);
      const b = right(run);
      if (typeof a === 'number' && typeof b === 'number' && Number.isSafeInteger(a + b)) return a + b;
      if (typeof a !== 'string' && typeof b !== 'string') return calculate('+', a, b);
      const text = textOrLiteral(a, expression.left, run.budget) + textOrLiteral(b, expression.right, run.budget);
      run.budget.build(text.length);
      return text;
    };
  }

  /** Literals other than `true` count as false, references as true unless they are null or false. */
  #condition(expression: Expression): (run: Run) => boolean {
    switch (expression.kind) {
      case 'reference': {
        const value = this.#reference(expression);
        return (run) => {
          const result = value(run);
          return result !== null && result !== false;
        };
      }
      case 'boolean': {
        const { value } = expression;
        return () => value;
      }
      case 'not': {
        const operand = this.#condition(expression.operand);
        return (run) => !operand(run);
      }
      case 'binary':
        return this.#comparison(expression);
      default:
        return () => false;
    }
  }

  #comparison({ operator, left, right }: Extract<Expression, { kind: 'binary' }>): (run: Run) => boolean {
    if (operator === 'and' || operator === 'or') {
      const [first, second] = [this.#condition(left), this.#condition(right)];
      return operator === 'and' ? (run) => first(run) && second(run) : (run) => first(run) || second(run);
    }
    const [a, b] = [this.expression(left), this.expression(right)];
    switch (operator) {
      case '==':
        return (run) => isSame(a(run), b(run), run.budget);
      case '!=':
        return (run) => !isSame(a(run), b(run), run.budget);
      case '<':
        return (run) => compared(a(run), b(run)) < 0;
      case '<=':
        return (run) => compared(a(run), b(run)) <= 0;
      case '>':
        return (run) => compared(a(run), b(run)) > 0;
      case '>=':
        return (run) => compared(a(run), b(run)) >= 0;
      default:
        return () => false; // a sum is no condition
    }
  }

  #reference({ name, accesses }: Reference): Evaluate {
    const slot = name === '' ? -1 : this.#slot(name);
    const steps = accesses.map((access) => this.#access(access));
    if (steps.length === 0) return (run) => run.lookUp(slot);
    if (steps.length === 1) {
      const only = steps[0]!;
      return (run) => {
        const value = run.lookUp(slot);
        return value === null ? null : only(run, value);
      };
    }
    return (run) => {
      let value = run.lookUp(slot);
      for (let i = 0; i < steps.length && value !== null; i++) value = steps[i]!(run, value);
      return value;
    };
  }

  #access(access: Access): AccessStep {
    const at = this.#at(access.offset);
    switch (access.kind) {
      case 'property': {
        const { name } = access;
        return (_run, target) => (target instanceof JavaMap ? target.get(name) : propertyOf(target, name));
      }
      case 'index': {
        const index = this.expression(access.index);
        return (run, target) => {
          const key = index(run);
          run.at = at;
          return itemOf(target, key);
        };
      }
      default: {
        const { name } = access;
        const values = access.arguments.map((argument) => this.expression(argument));
        if (access.arguments.every(isConstant)) {
          const given = values.map((value) => value(NO_RUN));
          return (run, target) => {
            run.at = at;
            return callMethod(target, name, given, run.budget) ?? null;
          };
        }
        const only = values.length === 1 ? values[0]! : null;
        return (run, target) => {
          const given = only === null ? values.map((value) => value(run)) : [only(run)];
          run.at = at;
          return callMethod(target, name, given, run.budget) ?? null;
        };
      }
    }
  }
}

/** Evaluated without looking at the run. */
function isConstant({ kind }: Expression): boolean {
  return kind === 'string' || kind === 'boolean' || kind === 'integer' || kind === 'float';
}

const NO_RUN = null as unknown as Run;

function printRow(parts: readonly (string | Evaluate)[]): Step {
  const evaluators: Evaluate[] = [];
  /** `texts[i]` stands before the value of `evaluators[i]`. */
  const texts: string[] = [''];
  for (const part of parts) {
    if (typeof part === 'string') texts[texts.length - 1] += part;
    else {
      evaluators.push(part);
      texts.push('');
    }
  }
  const { length } = evaluators;
  const last = texts[length]!;
  if (length === 0) {
    return (run) => {
      run.print(last);
      return NEXT;
    };
  }
  return (run) => {
    run.budget.step(length);
    const before = run.out.length;
    for (let i = 0; i < length; i++) {
      if (texts[i] !== '') run.out += texts[i];
      const value = evaluators[i]!(run);
      if (typeof value === 'string') run.out += value;
      else if (typeof value === 'number') run.out += String(value);
      else if (value !== null && printValue(run, value) === STOP) return STOP;
    }
    if (last !== '') run.out += last;
    run.budget.build(run.out.length - before);
    return NEXT;
  };
}

function compared(left: Value, right: Value): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right; // both whole
  return isNumber(left) && isNumber(right) ? compareNumbers(left, right) : Number.NaN;
}

/** What #foreach goes through; null for what it does not. */
function itemsOf(value: Value, budget: Budget): readonly Value[] | null {
  if (value instanceof JavaList) return value.items;
  if (!(value instanceof JavaMap)) return null;
  budget.step(value.entries.size);
  return [...value.entries.values()];
}

function failureAt(run: Run, at: number, reason: string): RenderFailure {
  run.at = at;
  return new RenderFailure(reason);
}
