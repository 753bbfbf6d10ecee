/**
 * Which requests get one answer (data-plane reference §9): those of one stage and deployment, cache namespace and verb, whose values of the
 * cache key parameters are the same. Three things are in the key that AWS does not document, so that nobody gets what was made for somebody
 * else: the caller's Host, the stage's variables, and each value of a parameter that came more than once.
 *
 * Values stand in the key with their length, so that no value can look like two.
 */
import type { RouteCaching, StageSnapshot } from '@gatehouse/contracts';
import { compileSource, isHeaderName, LinkRefusal, rawPathParam, type Exchange } from '@gatehouse/engine-exchange';
import { canonicalJson } from '@gatehouse/kernel';
import { createHash } from 'node:crypto';

/** Adds its values to a key. */
type KeyPart = (x: Exchange, key: string) => string;

/** Keys that are longer are named by their digest. */
const KEY_CHARS_MAX = 512;

export type CacheKey = (x: Exchange) => string;

/** Throws LinkRefusal. */
export function compileCacheKey(
  stage: StageSnapshot,
  { namespace, keyParameters }: Pick<RouteCaching, 'namespace' | 'keyParameters'>,
  isApart: boolean,
): CacheKey {
  const names = [...keyParameters].sort();
  const prefix = digest(
    canonicalJson([
      stage.tenant,
      stage.apiId,
      stage.stage,
      stage.deploymentId,
      stage.stageVariables,
      stage.cacheEpochs?.responses ?? 0,
      namespace,
      names,
      isApart,
    ]),
  );
  const parts = names.map((name) => compilePart(name, stage.stageVariables));
  if (parts.length === 0) return rememberingLast((httpMethod, host) => bounded(`${prefix}${httpMethod} ${host}`));
  return (x) => {
    let key = `${prefix}${x.httpMethod} ${x.host}`;
    for (let i = 0; i < parts.length; i++) key = parts[i]!(x, key);
    return bounded(key);
  };
}

/** Most routes are asked for by one verb under one name: a key that is put together is hashed, too, for each request. */
function rememberingLast(keyOf: (httpMethod: string, host: string) => string): CacheKey {
  let [lastMethod, lastHost, last] = ['', '', ''];
  return ({ httpMethod, host }) => {
    if (httpMethod !== lastMethod || host !== lastHost) {
      last = keyOf(httpMethod, host);
      [lastMethod, lastHost] = [httpMethod, host];
    }
    return last;
  };
}

/** The key of one of the answers that differ by these headers of the caller's. */
export function variantKey(key: string, lowerNames: readonly string[], headers: readonly string[]): string {
  let variant = `${key} vary`;
  for (const name of lowerNames) variant = withHeader(variant, headers, name);
  return bounded(variant);
}

/** Headers that are in every key, in lower case. */
export function keyedHeaders(parameters: readonly string[]): ReadonlySet<string> {
  const names = parameters.map((parameter) => HEADER.exec(parameter)?.[1]?.toLowerCase());
  return new Set(names.filter((name) => name !== undefined));
}

const HEADER = /^method\.request\.(?:multivalue)?header\.(.+)$/;
const QUERY = /^method\.request\.(?:multivalue)?querystring\.(.+)$/;
const PATH = /^method\.request\.path\.(.+)$/;

function compilePart(parameter: string, stageVariables: Readonly<Record<string, string>>): KeyPart {
  const header = HEADER.exec(parameter)?.[1]?.toLowerCase();
  // Whatever its case: backends do not tell `X-User` from `x-user`, though mappings do.
  if (header !== undefined) return (x, key) => withHeader(key, x.requestHeaders, header);
  const query = QUERY.exec(parameter)?.[1];
  if (query !== undefined) return (x, key) => withQuery(key, x.query, query);
  const segment = PATH.exec(parameter)?.[1];
  // As it was sent: `a%2Fb` and `a/b` may be two things to a backend.
  if (segment !== undefined) return (x, key) => withOne(key, rawPathParam(x, segment));
  const source = compileSource(parameter, stageVariables);
  if (source === null) throw new LinkRefusal(`cache key parameter ${parameter} is not supported`);
  return (x, key) => source(x).reduce(withOne, key);
}

/** `,4:blue`; `,-` where there is none. */
const withOne = (key: string, value: string | null): string => (value === null ? `${key},-` : `${key},${value.length}:${value}`);

function withHeader(key: string, headers: readonly string[], lowerName: string): string {
  let made = `${key};`;
  for (let i = 0; i < headers.length; i += 2) if (isHeaderName(headers[i]!, lowerName)) made = withOne(made, headers[i + 1]!);
  return made;
}

function withQuery(key: string, query: readonly string[], name: string): string {
  let made = `${key};`;
  for (let i = 0; i < query.length; i += 2) if (query[i] === name) made = withOne(made, query[i + 1]!);
  return made;
}

const bounded = (key: string): string => (key.length <= KEY_CHARS_MAX ? key : digest(key));

function digest(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('base64url');
}
