/**
 * `body` and `body.{path}` as sources of mappings (data-plane reference §3.7): an empty body counts as `{}`, text is parsed only
 * when it starts like JSON, objects and arrays come out as JSON text.
 *
 * Paths of member names separated by dots, `[0]` and `['name']`, with an optional leading `$`, are followed here; all others by the JSONPath of
 * templates, which reads the body once more.
 */
import { LinkRefusal } from '@gatehouse/engine-exchange';
import { BodyPath, JsonPathError } from '@gatehouse/lang';

/** The text starts like JSON and is none. */
export const BROKEN_JSON = Symbol('broken JSON');
/** The text does not start like JSON: usable as a whole only. */
export type ParsedBody = { readonly json: unknown; readonly source: string } | { readonly text: string };

export function parseBody(body: Buffer | null): ParsedBody | typeof BROKEN_JSON {
  if (body === null || body.length === 0) return { json: {}, source: '{}' };
  const text = body.toString('utf8');
  const start = /\S/.exec(text)?.[0];
  if (start !== '{' && start !== '[' && start !== '"' && start !== "'") return { text };
  try {
    return { json: JSON.parse(text) as unknown, source: text };
  } catch {
    return BROKEN_JSON;
  }
}

export type BodySource = (body: ParsedBody) => string | null;

/** `null` when the expression is not about the body; throws LinkRefusal for a path that is not understood. */
export function compileBodySource(
  expression: string,
  prefix: 'method.request.body' | 'integration.response.body',
): BodySource | null {
  if (expression === prefix) return (body) => ('text' in body ? body.text : printed(body.json));
  if (!expression.startsWith(`${prefix}.`) && !expression.startsWith(`${prefix}[`)) return null;
  const text = expression.slice(prefix.length);
  const path = parsePlainPath(text);
  if (path !== null) return (body) => ('text' in body ? null : printed(follow(body.json, path)));
  const selected = parseBodyPath(text.startsWith('.') ? text.slice(1) : `$${text}`, expression);
  return (body) => ('text' in body ? null : selected.textIn(body.source));
}

function printed(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function follow(value: unknown, path: readonly (string | number)[]): unknown {
  let current = value;
  for (const part of path) {
    if (current === null || typeof current !== 'object') return undefined;
    if (typeof part === 'number' ? !Array.isArray(current) : !Object.hasOwn(current, part)) return undefined;
    current = (current as Record<string | number, unknown>)[part];
  }
  return current;
}

const PART = /\.\$(?=[.[]|$)|\.([A-Za-z0-9_$-]+)|\[(\d{1,9})\]|\['([^']*)'\]|\["([^"]*)"\]/y;

function parseBodyPath(text: string, expression: string): BodyPath {
  try {
    return BodyPath.parse(text);
  } catch (cause) {
    if (!(cause instanceof JsonPathError)) throw cause;
    throw new LinkRefusal(`mapping source ${expression}: ${cause.message}`);
  }
}

/** `null` for any other path. */
function parsePlainPath(text: string): (string | number)[] | null {
  const path: (string | number)[] = [];
  let at = 0;
  while (at < text.length) {
    PART.lastIndex = at;
    const match = PART.exec(text);
    if (match === null || (match[0] === '.$' && at > 0)) return null;
    const name = match[1] ?? match[3] ?? match[4];
    if (match[2] !== undefined) path.push(Number(match[2]));
    else if (name !== undefined) path.push(name);
    at = PART.lastIndex;
  }
  return path;
}
