/** Velocity's numbers: whole ones stay whole and grow without bound, one Double makes the result a Double. */
import type { Budget } from './budget.js';
import { isEqual, isNumber, JavaDouble, JavaInteger, textOf, type Value } from './java-values.js';
import type { BinaryOperator } from './syntax.js';

type Numeric = number | JavaInteger | JavaDouble;

export function whole(value: bigint): Value {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : new JavaInteger(value);
}

const bigOf = (value: number | JavaInteger): bigint => (typeof value === 'number' ? BigInt(value) : value.value);

export function doubleOf(value: Numeric): number {
  return typeof value === 'number' ? value : Number(value.value);
}

/** Null, which assigns nothing, for anything that is not a number and for a division by zero. */
export function calculate(operator: '+' | '-' | '*' | '/' | '%', left: Value, right: Value): Value {
  if (!isNumber(left) || !isNumber(right)) return null;
  if ((operator === '/' || operator === '%') && doubleOf(right) === 0) return null;
  if (left instanceof JavaDouble || right instanceof JavaDouble)
    return new JavaDouble(doubleResult(operator, doubleOf(left), doubleOf(right)));
  if (typeof left === 'number' && typeof right === 'number') {
    const result = operator === '/' ? Math.trunc(left / right) : doubleResult(operator, left, right);
    // `-0` is not a whole number in Java.
    if (Number.isSafeInteger(result)) return result + 0;
  }
  return whole(bigResult(operator, bigOf(left), bigOf(right)));
}

function doubleResult(operator: BinaryOperator, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    default:
      return left % right;
  }
}

/** Operands come from literals and sums, so they are short; products of products are cut by the digits they may have. */
const BITS_MAX = 4_096;

function bigResult(operator: BinaryOperator, left: bigint, right: bigint): bigint {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return BigInt.asIntN(BITS_MAX, left * right);
    case '/':
      return left / right;
    default:
      return left % right;
  }
}

/** Negative, zero or positive. */
export function compareNumbers(left: Numeric, right: Numeric): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (left instanceof JavaDouble || right instanceof JavaDouble) return doubleOf(left) - doubleOf(right);
  const difference = bigOf(left) - bigOf(right);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/**
 * `==`: numbers by value, values of one class by `equals`, others by their text. A missing value and the empty text are equal:
 * recorded from AWS for paths that select nothing (data-plane reference 5.2), otherwise than in plain Velocity.
 */
export function isSame(left: Value, right: Value, budget: Budget): boolean {
  if (left === right) return true;
  if (typeof left === 'number' && typeof right === 'number') return false;
  if (left === null || right === null) return (left ?? right) === '';
  if (isNumber(left) && isNumber(right)) return compareNumbers(left, right) === 0;
  if (typeof left === 'string' && typeof right === 'string') return false;
  if (typeof left === 'object' && typeof right === 'object' && left.constructor === right.constructor)
    return isEqual(left, right, budget);
  return textOf(left, budget) === textOf(right, budget);
}
