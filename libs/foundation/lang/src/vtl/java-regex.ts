/** Java's String methods that take a pattern. */
import { Finder, RegexError, WorkLimitExceeded } from '../regex/index.js';
import { type Budget, RenderFailure } from './budget.js';

const LIMITS = { charsMax: 2_000, stepsMax: 1_000 };
/** Instructions of the patterns that are kept, some megabytes: templates have few patterns, but may build any number of them. */
const REMEMBERED_MAX = 50_000;
const finders = new Map<string, Finder>();
let remembered = 0;

function finderOf(pattern: string, budget: Budget): Finder {
  let finder = finders.get(pattern);
  if (finder !== undefined) return finder;
  budget.step(pattern.length);
  try {
    finder = Finder.java(pattern, LIMITS);
  } catch (cause) {
    if (cause instanceof RegexError) throw new RenderFailure(`Invalid pattern "${pattern.slice(0, 100)}": ${cause.message}`);
    throw cause;
  }
  if (remembered + finder.size > REMEMBERED_MAX) {
    finders.clear();
    remembered = 0;
  }
  finders.set(pattern, finder);
  remembered += finder.size;
  return finder;
}

/** Runs `search` with the budget's steps, one for a position of the pattern at a position of the text. */
function counted<T>(budget: Budget, search: (work: { left: number }) => T): T {
  const work = { left: budget.stepsLeft };
  try {
    const result = search(work);
    budget.stepsLeft = Math.min(budget.stepsLeft, work.left);
    return result;
  } catch (cause) {
    if (cause instanceof WorkLimitExceeded) throw new RenderFailure('The template takes more steps than allowed');
    throw cause;
  }
}

export function matchesPattern(text: string, pattern: string, budget: Budget): boolean {
  const finder = finderOf(pattern, budget);
  return counted(budget, (work) => finder.matches(text, work));
}

export function replacePattern(text: string, pattern: string, replacement: string, isAll: boolean, budget: Budget): string {
  const finder = finderOf(pattern, budget);
  const parts = replacementParts(replacement, finder.groupCount);
  return counted(budget, (work) => {
    let out = '';
    let from = 0;
    for (let at = 0; at <= text.length;) {
      const match = finder.find(text, at, work);
      if (match === null) break;
      const [start, end] = match as [number, number];
      const before = out.length;
      out += text.slice(from, start);
      for (const part of parts) out += typeof part === 'string' ? part : groupText(text, match, part);
      budget.build(out.length - before);
      from = end;
      // An empty match is not found twice.
      at = end === start ? end + 1 : end;
      if (!isAll) break;
    }
    budget.build(text.length - from);
    return out + text.slice(from);
  });
}

function groupText(text: string, match: readonly number[], group: number): string {
  const from = match[group * 2]!;
  return from === -1 ? '' : text.slice(from, match[group * 2 + 1]);
}

/** `$1` is a group, as many digits as there are groups for; `\x` is x. */
function replacementParts(replacement: string, groupCount: number): (string | number)[] {
  const parts: (string | number)[] = [];
  for (let i = 0; i < replacement.length; i++) {
    const char = replacement[i]!;
    if (char === '\\') {
      if (++i === replacement.length) throw new RenderFailure('A replacement ends with a backslash');
      parts.push(replacement[i]!);
    } else if (char === '$') {
      if (!isDigit(replacement[i + 1])) throw new RenderFailure('Illegal group reference in a replacement');
      let group = Number(replacement[++i]);
      if (group > groupCount) throw new RenderFailure(`No group ${group} in the pattern`);
      while (isDigit(replacement[i + 1]) && group * 10 + Number(replacement[i + 1]) <= groupCount)
        group = group * 10 + Number(replacement[++i]);
      parts.push(group);
    } else parts.push(char);
  }
  return parts;
}

function isDigit(char: string | undefined): boolean {
  return char !== undefined && char >= '0' && char <= '9';
}

/** Java's `split`: no empty text in front for an empty match, none at the end unless `limit` is not 0. */
export function splitAt(text: string, pattern: string, limit: number, budget: Budget): string[] {
  const finder = finderOf(pattern, budget);
  return counted(budget, (work) => {
    const parts: string[] = [];
    let from = 0;
    for (let at = 0; at <= text.length && (limit <= 0 || parts.length < limit - 1);) {
      const match = finder.find(text, at, work);
      if (match === null) break;
      const [start, end] = match as [number, number];
      const isEmpty = end === start;
      if (isEmpty && start >= text.length) break;
      if (end > 0) {
        parts.push(text.slice(from, start));
        from = end;
        budget.build(start - from + 1);
      }
      at = isEmpty ? end + 1 : end;
    }
    parts.push(text.slice(from));
    budget.step(parts.length);
    if (limit === 0 && parts.length > 1) while (parts.at(-1) === '') parts.pop();
    return parts;
  });
}
