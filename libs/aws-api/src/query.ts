import { serializationError } from './protocol-error.js';

export type QueryParameter = readonly [name: string, value: string];

/** Decodes a raw query once; `+` is a space, as in the canonical query of the signature. */
export function readQuery(rawQuery: string): QueryParameter[] {
  const parameters: QueryParameter[] = [];
  for (const part of rawQuery.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    parameters.push(equals < 0 ? [decoded(part), ''] : [decoded(part.slice(0, equals)), decoded(part.slice(equals + 1))]);
  }
  return parameters;
}

function decoded(text: string): string {
  return decodePercent(text.replaceAll('+', ' '));
}

/** Throws SerializationException for what is no percent-encoded UTF-8. */
export function decodePercent(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw serializationError(`The request target is not valid percent-encoded UTF-8: '${text}'`);
  }
}
