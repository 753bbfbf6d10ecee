/** Code points as sorted ranges that neither touch nor overlap; both ends included. */
export type Ranges = readonly (readonly [low: number, high: number])[];

export const LAST_CODE_POINT = 0x10ffff;

const code = (char: string): number => char.codePointAt(0)!;
export const DIGIT: Ranges = [[code('0'), code('9')]];
export const WORD: Ranges = [...DIGIT, [code('A'), code('Z')], [code('_'), code('_')], [code('a'), code('z')]];
export const ASCII_SPACE: Ranges = [
  [0x09, 0x0d],
  [0x20, 0x20],
];
/** ECMA-262, WhiteSpace and LineTerminator. */
export const UNICODE_SPACE: Ranges = [
  ...ASCII_SPACE,
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];

export function normalised(ranges: Ranges): Ranges {
  const joined: [number, number][] = [];
  for (const [low, high] of ranges.toSorted((left, right) => left[0] - right[0])) {
    const last = joined.at(-1);
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else joined.push([low, high]);
  }
  return joined;
}

export function complement(ranges: Ranges): Ranges {
  const gaps: (readonly [number, number])[] = [];
  let from = 0;
  for (const [low, high] of normalised(ranges)) {
    if (low > from) gaps.push([from, low - 1]);
    from = high + 1;
  }
  return from > LAST_CODE_POINT ? gaps : [...gaps, [from, LAST_CODE_POINT]];
}

/** With the other case of every ASCII letter, as in Java. */
export function withOtherCase(ranges: Ranges): Ranges {
  const more: (readonly [number, number])[] = [...ranges];
  for (const [low, high] of ranges) {
    more.push(...shifted(low, high, code('a'), code('z'), -0x20), ...shifted(low, high, code('A'), code('Z'), 0x20));
  }
  return more;
}

function shifted(low: number, high: number, first: number, last: number, by: number): Ranges {
  const from = Math.max(low, first);
  const to = Math.min(high, last);
  return from > to ? [] : [[from + by, to + by]];
}

export function holds(ranges: Ranges, codePoint: number): boolean {
  let from = 0;
  let to = ranges.length - 1;
  while (from <= to) {
    const middle = (from + to) >> 1;
    const [low, high] = ranges[middle]!;
    if (codePoint < low) to = middle - 1;
    else if (codePoint > high) from = middle + 1;
    else return true;
  }
  return false;
}
