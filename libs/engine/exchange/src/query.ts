/** Form-decoding: `+` is a space, a name without `=` has an empty value. The listener refused broken escapes before. */
export function parseQuery(rawQuery: string): readonly string[] {
  if (rawQuery === '') return [];
  const pairs: string[] = [];
  for (const part of rawQuery.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    pairs.push(decode(equals === -1 ? part : part.slice(0, equals)), equals === -1 ? '' : decode(part.slice(equals + 1)));
  }
  return pairs;
}

function decode(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  return spaced.includes('%') ? decodeURIComponent(spaced) : spaced;
}

/** Decoded values of one parameter in order; names are case-sensitive. */
export function queryValues(query: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < query.length; i += 2) if (query[i] === name) values.push(query[i + 1]!);
  return values;
}
