/** `String.format`, with the conversions that make sense for the values of a template: %s %d %f %e %x %X %o %b %c %n %%. */
import { doubleOf } from './arithmetic.js';
import { type Budget, RenderFailure } from './budget.js';
import { isNumber, JavaDouble, textOf, type Value } from './java-values.js';

const CONVERSION = /%(?:(\d{1,2})\$)?([-+0 ,(]*)(\d{1,4})?(?:\.(\d{1,3}))?([a-zA-Z%])/g;

export function formatted(format: string, values: readonly Value[], budget: Budget): string {
  let next = 0;
  const list = values;
  const text = format.replace(CONVERSION, (_all, index?: string, flags = '', width = '0', precision?: string, kind = '') => {
    if (kind === '%') return '%';
    if (kind === 'n') return '\n';
    const at = index === undefined ? next++ : Number(index) - 1;
    if (at >= list.length) throw new RenderFailure(`Format specifier %${kind} has no value`);
    budget.build(Number(width));
    return padded(converted(list[at]!, kind, flags, precision, budget), flags, Number(width), 'dfex'.includes(kind));
  });
  budget.build(text.length);
  return text;
}

function converted(value: Value, kind: string, flags: string, precision: string | undefined, budget: Budget): string {
  const isUpper = kind !== kind.toLowerCase();
  const text = plain(value, kind.toLowerCase(), flags, precision, budget);
  return isUpper ? text.toUpperCase() : text;
}

function plain(value: Value, kind: string, flags: string, precision: string | undefined, budget: Budget): string {
  if (kind === 'b') return String(value !== null && value !== false);
  if (value === null) return 'null';
  switch (kind) {
    case 's':
      return textOf(value, budget).slice(0, precision === undefined ? undefined : Number(precision));
    case 'c':
      if (typeof value === 'number') return String.fromCodePoint(Math.min(Math.max(value, 0), 0x10ffff));
      break;
    case 'd':
      if (isNumber(value) && !(value instanceof JavaDouble)) return signed(textOf(value, budget), flags);
      break;
    case 'x':
    case 'o':
      if (typeof value === 'number') return (value < 0 ? value + 2 ** 32 : value).toString(kind === 'x' ? 16 : 8);
      break;
    case 'f':
    case 'e':
      if (value instanceof JavaDouble) return signed(fraction(doubleOf(value), kind, Number(precision ?? 6)), flags);
      break;
  }
  throw new RenderFailure(`%${kind} does not fit the value`);
}

/** Up to a hundred digits, as JavaScript can. */
function fraction(number: number, kind: 'f' | 'e', digits: number): string {
  if (!Number.isFinite(number)) return String(number);
  const count = Math.min(digits, 100);
  if (kind === 'f') return number.toFixed(count);
  return number.toExponential(count).replace(/e([+-])(\d)$/, 'e$10$2');
}

function signed(text: string, flags: string): string {
  const isNegative = text.startsWith('-');
  let digits = isNegative ? text.slice(1) : text;
  if (flags.includes(',')) digits = digits.replace(/^\d+/, (whole) => whole.replace(/\B(?=(?:\d{3})+$)/g, ','));
  if (isNegative) return flags.includes('(') ? `(${digits})` : `-${digits}`;
  return flags.includes('+') ? `+${digits}` : flags.includes(' ') ? ` ${digits}` : digits;
}

function padded(text: string, flags: string, width: number, isNumber: boolean): string {
  if (flags.includes('-')) return text.padEnd(width);
  if (!isNumber || !flags.includes('0')) return text.padStart(width);
  const sign = /^[-+ ]/.exec(text)?.[0] ?? '';
  return sign + text.slice(sign.length).padStart(width - sign.length, '0');
}
