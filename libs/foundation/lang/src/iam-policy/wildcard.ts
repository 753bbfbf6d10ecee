/**
 * Texts of policies with `*` (any characters, `/` and `:` among them), `?` (one character) and, in policies of version 2012-10-17,
 * variables: `${aws:username}`, `${aws:username, 'nobody'}`, and `${*}`, `${?}`, `${$}` for the characters themselves.
 */

/** Values of a condition key, named in lower case; `null` when the request has no such key. */
export type KeyValues = (key: string) => readonly string[] | null;

/** A character, or one of the two wildcards. */
type Token = string | typeof ANY_ONE | typeof ANY_MANY;
const ANY_ONE = 1;
const ANY_MANY = 2;

type Piece =
  | { readonly kind: 'tokens'; readonly tokens: readonly Token[] }
  | { readonly kind: 'variable'; readonly key: string; readonly fallback: string | null };

const VARIABLE = /^\$\{([^}]*)\}/;
const WITH_FALLBACK = /^([^,]*),\s*'(.*)'$/s;

export interface PatternSettings {
  readonly ignoresCase: boolean;
  readonly hasVariables: boolean;
  /** Without, `*` and `?` are ordinary characters. */
  readonly hasWildcards: boolean;
}

export class TextPattern {
  private readonly pieces: readonly Piece[];
  /** When there are no variables. */
  private readonly fixed: readonly Token[] | null;
  /** The same as texts between `*`, when there is no `?` in it either. */
  private readonly parts: readonly string[] | null;

  constructor(
    text: string,
    private readonly settings: PatternSettings,
  ) {
    this.pieces = readPieces(text, settings);
    this.fixed = this.pieces.every((piece) => piece.kind === 'tokens')
      ? this.pieces.flatMap((piece) => (piece.kind === 'tokens' ? piece.tokens : []))
      : null;
    this.parts = this.fixed === null ? null : partsOf(this.fixed);
  }

  /** Whether every variable has a value: without, nothing matches, and nothing can be said to be something else. */
  isDecided(values: KeyValues): boolean {
    return this.fixed !== null || this.#filled(values) !== null;
  }

  /** False when a variable has no value. */
  matches(text: string, values: KeyValues): boolean {
    const given = this.settings.ignoresCase ? text.toLowerCase() : text;
    if (this.parts !== null) return matchParts(this.parts, given);
    const tokens = this.fixed ?? this.#filled(values);
    return tokens !== null && matchTokens(tokens, given);
  }

  #filled(values: KeyValues): readonly Token[] | null {
    const tokens: Token[] = [];
    for (const piece of this.pieces) {
      if (piece.kind === 'tokens') {
        tokens.push(...piece.tokens);
        continue;
      }
      const given = values(piece.key);
      // A key with several values cannot stand in a text.
      const value = given?.length === 1 ? given[0]! : piece.fallback;
      if (value === null) return null;
      tokens.push(...(this.settings.ignoresCase ? value.toLowerCase() : value));
    }
    return tokens;
  }
}

function readPieces(text: string, { ignoresCase, hasVariables, hasWildcards }: PatternSettings): Piece[] {
  const pieces: Piece[] = [];
  let tokens: Token[] = [];
  for (let at = 0; at < text.length; at++) {
    const variable = hasVariables && text[at] === '$' ? VARIABLE.exec(text.slice(at)) : null;
    if (variable !== null) {
      at += variable[0].length - 1;
      const name = variable[1]!;
      if (name === '*' || name === '?' || name === '$') tokens.push(name);
      else {
        pieces.push({ kind: 'tokens', tokens }, readVariable(name));
        tokens = [];
      }
      continue;
    }
    const char = text[at]!;
    if (hasWildcards && char === '*') tokens.push(ANY_MANY);
    else if (hasWildcards && char === '?') tokens.push(ANY_ONE);
    else tokens.push(ignoresCase ? char.toLowerCase() : char);
  }
  return [...pieces, { kind: 'tokens', tokens }];
}

function readVariable(text: string): Piece {
  const match = WITH_FALLBACK.exec(text);
  return { kind: 'variable', key: (match?.[1] ?? text).trim().toLowerCase(), fallback: match?.[2] ?? null };
}

function partsOf(tokens: readonly Token[]): string[] | null {
  const parts = [''];
  for (const token of tokens) {
    if (token === ANY_ONE) return null;
    if (token === ANY_MANY) parts.push('');
    else parts[parts.length - 1] += token;
  }
  return parts;
}

/** Each part where it stands first behind the one before: pattern length times text length at most. */
function matchParts(parts: readonly string[], text: string): boolean {
  const first = parts[0]!;
  const last = parts.length - 1;
  if (last === 0) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (let i = 1; i < last; i++) {
    const found = text.indexOf(parts[i]!, at);
    if (found === -1) return false;
    at = found + parts[i]!.length;
  }
  return text.length - at >= parts[last]!.length && text.endsWith(parts[last]!);
}

/** Goes back to the last `*` only: pattern length times text length at most. */
function matchTokens(tokens: readonly Token[], text: string): boolean {
  let at = 0;
  let star = -1;
  let starEnd = 0;
  let i = 0;
  while (i < text.length) {
    const token = tokens[at];
    if (token === ANY_MANY) {
      star = at++;
      starEnd = i;
    } else if (token !== undefined && (token === ANY_ONE || token === text[i])) {
      at++;
      i++;
    } else if (star !== -1) {
      at = star + 1;
      i = ++starEnd;
    } else return false;
  }
  while (tokens[at] === ANY_MANY) at++;
  return at === tokens.length;
}
