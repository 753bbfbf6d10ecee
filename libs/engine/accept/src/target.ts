/**
 * From a request target to an API, a stage and one canonical path (data-plane reference §2.1, §2.2).
 *
 *   Host: {apiId}.execute-api[.{region}].{base domain}   /{stage}/{path}
 *   Host: {apiId}-{vpceId}.execute-api[.{region}].{base domain}, of a private API, the same
 *   Host: {vpceId}-{...}.execute-api.{region}.vpce.{base domain}    the same, of the API that x-apigw-api-id names
 *   any other Host                                       /_aws/execute-api/{apiId}/{stage}/{path}
 *   a custom domain name                                 /{base path}/{path}, or /{base path}/{stage}/{path}
 *
 * The canonical form of a path is its raw form: nothing is decoded, joined or resolved, and what two readers could
 * resolve differently is refused instead (400): dot segments in any disguise, backslashes, broken or overlong escapes, escaped
 * control characters, `#`. So router, authorization, events and backends all see the same path.
 * X-HTTP-Method-Override, X-Original-URL and their like change nothing.
 */
import type { DomainNameView } from '@gatehouse/engine-exchange';

export interface Target {
  readonly apiId: string;
  readonly stage: string;
  /** As the host names it; `null` when it names none. */
  readonly region: string | null;
  /** With the stage, as `$context.path` shows it; on a custom domain name all of it. */
  readonly path: string;
  /** Below the stage, at least `/`. */
  readonly resourcePath: string;
  readonly rawQuery: string;
  /** Of the custom domain name's mapping; `null` on any other host. */
  readonly basePath: string | null;
}

/** The World, as far as hosts go. */
export interface DomainNames {
  /** `null` for a host that is no custom domain name. */
  domainName(host: string): DomainNameView | null;
}

export type NoTarget = 'MALFORMED' | 'UNKNOWN_HOST';

const PATH_FORM = '/_aws/execute-api/';

const HOST = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$|^\[[0-9a-f:.]+\]$/;
/** What stands before the base domain. */
const API_NAME = /^([a-z0-9-]+)\.execute-api(?:\.([a-z0-9-]+))?$/;
/** Of a VPC endpoint, which every private API answers on. */
const ENDPOINT_NAME = /^vpce-[a-z0-9-]+\.execute-api\.([a-z0-9-]+)\.vpce$/;

/** Lower case, without port and trailing dot; `null` for what is no host. */
export function parseHost(header: string): string | null {
  const lower = header.toLowerCase();
  const port = /:\d{0,5}$/.exec(lower);
  let host = port === null ? lower : lower.slice(0, port.index);
  if (host.endsWith('.')) host = host.slice(0, -1);
  return HOST.test(host) ? host : null;
}

/** Whether APIs answer on such a host by themselves: then it is no tenant's custom domain name. `baseSuffix` starts with a dot. */
export function isApiHost(host: string, baseSuffix: string): boolean {
  if (!host.endsWith(baseSuffix)) return false;
  const name = host.slice(0, -baseSuffix.length);
  return API_NAME.test(name) || ENDPOINT_NAME.test(name);
}

/**
 * `url` as in the request line: origin form, or absolute form that agrees with the host. `baseSuffix` starts with a dot. Custom domain
 * names come last: a tenant who takes a host of the operator's as one takes nothing from other tenants. `namedApi`: of the header
 * x-apigw-api-id, which counts on hosts of VPC endpoints alone.
 */
export function resolveTarget(
  host: string,
  url: string,
  baseSuffix: string,
  domainNames: DomainNames,
  namedApi: string | null = null,
): Target | NoTarget {
  const origin = url.startsWith('/') ? url : originForm(url, host);
  if (origin === null) return 'MALFORMED';
  const mark = origin.indexOf('?');
  const path = mark === -1 ? origin : origin.slice(0, mark);
  const rawQuery = mark === -1 ? '' : origin.slice(mark + 1);
  if (!isCanonicalPath(path) || !isCanonicalQuery(rawQuery)) return 'MALFORMED';
  if (host.endsWith(baseSuffix)) {
    const name = host.slice(0, -baseSuffix.length);
    const api = API_NAME.exec(name);
    if (api !== null) return inStage(apiIdOf(api[1]!), api[2] ?? null, path, 0, rawQuery);
    const endpoint = ENDPOINT_NAME.exec(name);
    if (endpoint !== null) return namedApi === null ? 'UNKNOWN_HOST' : inStage(namedApi, endpoint[1]!, path, 0, rawQuery);
  }
  if (!path.startsWith(PATH_FORM)) return onDomainName(domainNames.domainName(host), path, rawQuery);
  const apiEnd = path.indexOf('/', PATH_FORM.length);
  if (apiEnd === -1) return 'UNKNOWN_HOST';
  return inStage(path.slice(PATH_FORM.length, apiEnd), null, path, apiEnd, rawQuery);
}

/** `{apiId}`, or `{apiId}-{vpceId}`: which endpoint it may be is not for the target to say. */
function apiIdOf(name: string): string {
  const endpoint = name.indexOf('-vpce-');
  return endpoint === -1 ? name : name.slice(0, endpoint);
}

function onDomainName(domainName: DomainNameView | null, path: string, rawQuery: string): Target | NoTarget {
  const mapped = domainName === null ? null : domainName.match(path);
  if (mapped === null) return 'UNKNOWN_HOST';
  const { basePath, apiId, stage, rest } = mapped;
  if (stage === null) {
    const target = inStage(apiId, null, rest, 0, rawQuery);
    return typeof target === 'string' ? target : { ...target, path, basePath };
  }
  return { apiId, stage, region: null, path, resourcePath: rest === '' ? '/' : rest, rawQuery, basePath };
}

/** Extra slashes before the stage are ignored; those behind it stay. */
function inStage(apiId: string, region: string | null, path: string, start: number, rawQuery: string): Target | NoTarget {
  let stageStart = start;
  while (path[stageStart] === '/') stageStart++;
  const slash = path.indexOf('/', stageStart);
  const stageEnd = slash === -1 ? path.length : slash;
  if (stageEnd === stageStart) return 'UNKNOWN_HOST';
  const rest = path.slice(stageEnd);
  const stage = path.slice(stageStart, stageEnd);
  return { apiId, stage, region, path: `/${stage}${rest}`, resourcePath: rest === '' ? '/' : rest, rawQuery, basePath: null };
}

function originForm(url: string, host: string): string | null {
  const match = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url);
  if (match === null || parseHost(match[1]!) !== host) return null;
  const rest = match[2]!;
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** Visible ASCII without backslash and hash. */
const PATH_CHARACTERS = /^[!-"$-[\]-~]*$/;
const QUERY_CHARACTERS = /^[!-"$-~]*$/;

function isCanonicalPath(path: string): boolean {
  if (!PATH_CHARACTERS.test(path)) return false;
  // Without an escape and without a segment that starts with a dot there is nothing to look at.
  if (!path.includes('%') && !path.includes('/.')) return true;
  for (const segment of path.split('/')) {
    const decoded = decode(segment);
    // Control characters by code: a regular expression with them in it reads badly.
    if (decoded === null || hasControl(decoded)) return false;
    for (const piece of decoded.split(/[/\\]/)) if (piece === '.' || piece === '..') return false;
  }
  return true;
}

function isCanonicalQuery(query: string): boolean {
  return QUERY_CHARACTERS.test(query) && (!query.includes('%') || query.split(/[&=]/).every((part) => decode(part) !== null));
}

/** `null` for a lone `%`, `%u0041`, or bytes that are no UTF-8, overlong forms among them. */
function decode(text: string): string | null {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}
