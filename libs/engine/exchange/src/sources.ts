/**
 * Where a mapping takes its value from when that is known before the backend is called (data-plane reference §3.7), compiled
 * at link time. Names are case-sensitive, headers' over HTTP/1.1. Bodies are not among them: engine/steps adds those.
 */
import { contextVariable } from './context-variables.js';
import type { Exchange } from './exchange.js';
import { allHeaders, exactHeaders } from './headers.js';
import { queryValues } from './query.js';

/** No value, one, or (for `multivaluequerystring`) several. */
export type Source = (x: Exchange) => readonly string[];

const NOTHING: readonly string[] = [];
const one = (value: string | null | undefined): readonly string[] => (value === null || value === undefined ? NOTHING : [value]);

/** `null` for an expression that is not of this kind. */
export function compileSource(expression: string, stageVariables: Readonly<Record<string, string>>): Source | null {
  if (expression.length >= 2 && expression.startsWith("'") && expression.endsWith("'")) {
    const value = [expression.slice(1, -1)];
    return () => value;
  }
  const context = after(expression, 'context.');
  if (context !== null) {
    const variable = contextVariable(context);
    return variable === null ? null : (x) => one(variable(x));
  }
  const stageVariable = after(expression, 'stageVariables.');
  if (stageVariable !== null) {
    const value = one(Object.hasOwn(stageVariables, stageVariable) ? stageVariables[stageVariable] : null);
    return () => value;
  }
  const header = after(expression, 'method.request.header.');
  if (header !== null) {
    const read = headerReader(header);
    return (x) => one(read(x).at(-1));
  }
  const headers = after(expression, 'method.request.multivalueheader.');
  if (headers !== null) {
    const read = headerReader(headers);
    return (x) => {
      const values = read(x);
      return values.length === 0 ? NOTHING : [values.join(',')];
    };
  }
  const parameter = after(expression, 'method.request.querystring.');
  if (parameter !== null) return (x) => one(queryValues(x.query, parameter).at(-1));
  const parameters = after(expression, 'method.request.multivaluequerystring.');
  if (parameters !== null) return (x) => queryValues(x.query, parameters);
  const segment = after(expression, 'method.request.path.');
  if (segment !== null) return (x) => one(decodedPathParam(x, segment));
  return null;
}

/**
 * HTTP/2 has no case to go by: all names are lower case on the wire (RFC 9113 §8.2). Its callers get what those of HTTP/1.1 get that spell the
 * name as the mapping does.
 */
function headerReader(name: string): (x: Exchange) => readonly string[] {
  const lowerName = name.toLowerCase();
  return ({ protocol, requestHeaders }) =>
    protocol === 'HTTP/2.0' ? allHeaders(requestHeaders, lowerName) : exactHeaders(requestHeaders, name);
}

/** Decoded: mappings see decoded values, proxy events raw ones (data-plane reference §13, "Path decoding"). */
function decodedPathParam(x: Exchange, name: string): string | null {
  const raw = rawPathParam(x, name);
  return raw === null ? null : decodeURIComponent(raw);
}

export function rawPathParam(x: Exchange, name: string): string | null {
  const index = x.route?.paramNames.indexOf(name) ?? -1;
  return index === -1 ? null : x.params[index]!;
}

/** What follows the prefix; `null` when something else stands there or nothing follows. */
function after(text: string, prefix: string): string | null {
  return text.startsWith(prefix) && text.length > prefix.length ? text.slice(prefix.length) : null;
}
