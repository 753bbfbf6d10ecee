/**
 * Parameter mappings towards a backend (data-plane reference §3.7), compiled once per route.
 * A source without a value skips its mapping; a path placeholder that stays empty fails the request.
 */
import { compileSource, LinkRefusal, rawPathParam, type Exchange, type Source } from '@gatehouse/engine-exchange';
import { compileBodySource, type BodySource, type ParsedBody } from './json-body.js';

type MappedSource =
  | { readonly type: 'request'; readonly read: Source; readonly pathParam: string | null; readonly isOwners: boolean }
  | { readonly type: 'body'; readonly read: BodySource };

export interface HeaderMapping {
  readonly name: string;
  readonly lowerName: string;
  readonly source: MappedSource;
}

export interface QueryMapping {
  /** Percent-encoded, with `=`. */
  readonly prefix: string;
  readonly source: MappedSource;
}

export interface ParameterMappings {
  readonly headers: readonly HeaderMapping[];
  readonly query: readonly QueryMapping[];
  readonly path: ReadonlyMap<string, MappedSource>;
  readonly usesBody: boolean;
}

const DESTINATION = /^integration\.request\.(header|querystring|path)\.([a-zA-Z0-9._$-]+)$/;

const NO_PATH: ReadonlyMap<string, MappedSource> = new Map();

/** Throws LinkRefusal. */
export function compileMappings(
  parameters: Readonly<Record<string, string>>,
  stageVariables: Readonly<Record<string, string>>,
): ParameterMappings {
  const headers: HeaderMapping[] = [];
  const query: QueryMapping[] = [];
  const path = new Map<string, MappedSource>();
  let usesBody = false;
  for (const [destination, expression] of Object.entries(parameters)) {
    const match = DESTINATION.exec(destination);
    if (match === null) throw new LinkRefusal(`mapping destination ${destination} is not supported`);
    const source = compileMappedSource(destination, expression, stageVariables);
    usesBody ||= source.type === 'body';
    const name = match[2]!;
    if (match[1] === 'header') headers.push({ name, lowerName: name.toLowerCase(), source });
    else if (match[1] === 'querystring') query.push({ prefix: `${encodeURIComponent(name)}=`, source });
    else path.set(name, source);
  }
  return { headers, query, path: path.size === 0 ? NO_PATH : path, usesBody };
}

function compileMappedSource(
  destination: string,
  expression: string,
  stageVariables: Readonly<Record<string, string>>,
): MappedSource {
  const body = compileBodySource(expression, 'method.request.body');
  if (body !== null) return { type: 'body', read: body };
  const read = compileSource(expression, stageVariables);
  if (read === null) throw new LinkRefusal(`mapping ${destination}: source ${expression} is not supported`);
  const pathParam = expression.startsWith('method.request.path.') ? expression.slice('method.request.path.'.length) : null;
  return { type: 'request', read, pathParam, isOwners: expression.startsWith("'") || expression.startsWith('stageVariables.') };
}

/** `body` is read only by mappings of a program whose `usesBody` is set. */
export function readSource(source: MappedSource, x: Exchange, body: ParsedBody | null): readonly string[] {
  if (source.type === 'request') return source.read(x);
  const value = source.read(body!);
  return value === null ? [] : [value];
}

/** Text between placeholders, and the placeholders. */
export interface UriTemplate {
  readonly texts: readonly string[];
  readonly names: readonly string[];
  /** From this placeholder on, values stand in the query. */
  readonly firstQueryIndex: number;
}

export function compileUri(uri: string): UriTemplate {
  // Odd parts are the names: split keeps the one capture group.
  const parts = uri.split(/\{([^{}]+)\}/);
  const texts = parts.filter((_, i) => i % 2 === 0);
  const names = parts.filter((_, i) => i % 2 === 1);
  let before = '';
  let firstQueryIndex = names.length;
  for (let i = 0; i < names.length; i++) {
    before += texts[i]!;
    if (before.includes('?')) {
      firstQueryIndex = i;
      break;
    }
  }
  return { texts, names, firstQueryIndex };
}

export const UNMAPPED = Symbol('a placeholder without a value');
export const UNSAFE = Symbol('a value that would change the path');

/** The URI with its values in place. */
export function fillUri(
  uri: UriTemplate,
  mappings: ParameterMappings,
  x: Exchange,
  body: ParsedBody | null,
  overrides: ReadonlyMap<string, string> | null = null,
): string | typeof UNMAPPED | typeof UNSAFE {
  let result = uri.texts[0]!;
  for (let i = 0; i < uri.names.length; i++) {
    const override = overrides?.get(uri.names[i]!);
    if (override !== undefined) {
      const segment = i >= uri.firstQueryIndex ? encodeURIComponent(wellFormed(override)) : segmentOf(override);
      if (segment === null) return UNSAFE;
      result += segment + uri.texts[i + 1]!;
      continue;
    }
    const source = mappings.path.get(uri.names[i]!);
    const value = source === undefined ? undefined : readSource(source, x, body).at(-1);
    if (source === undefined || value === undefined) return UNMAPPED;
    const encoded = i >= uri.firstQueryIndex ? encodeURIComponent(wellFormed(value)) : pathValue(source, value, x);
    if (encoded === null) return UNSAFE;
    result += encoded + uri.texts[i + 1]!;
  }
  return result;
}

/**
 * A path parameter keeps its slashes (a greedy one is many segments) and its escaped slashes stay escaped; what the owner
 * wrote keeps its slashes too. Any other value of the caller's is one segment. `null` for dot segments: no caller walks out of the
 * path its API's owner wrote.
 */
function pathValue(source: MappedSource, value: string, x: Exchange): string | null {
  if (source.type === 'request' && source.pathParam !== null) {
    const raw = rawPathParam(x, source.pathParam) ?? '';
    return raw
      .split('/')
      .map((segment) => encodeSegment(decodeURIComponent(segment)))
      .join('/');
  }
  if (source.type === 'request' && source.isOwners) return value.split('/').map(encodeSegment).join('/');
  return segmentOf(value);
}

function segmentOf(value: string): string | null {
  if (value.split(/[/\\]/).some((piece) => piece === '.' || piece === '..')) return null;
  return encodeSegment(value);
}

/** Keeps what RFC 3986 §3.3 allows in a segment (pchar) as it is. */
function encodeSegment(text: string): string {
  return encodeURIComponent(wellFormed(text)).replace(/%(?:3A|40|24|26|2B|2C|3B|3D)/g, (escape) => decodeURIComponent(escape));
}

/** A lone surrogate has no UTF-8 form. */
function wellFormed(text: string): string {
  return text.toWellFormed();
}
