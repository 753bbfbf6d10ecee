import { asText, type JsonObject, listOf, member } from './json.js';
import type { BasePathMode } from './api-document.js';

/**
 * What stands in front of every path (control-plane reference 7.2):
 *
 *   ignore    nothing
 *   prepend   /a/b/c   all of the document's base path
 *   split     /b/c     all but its first part, which is for the domain name's mapping
 */
export function pathPrefix(root: JsonObject, mode: BasePathMode): string {
  const parts = mode === 'ignore' ? [] : partsOf(basePathOf(root));
  return parts
    .slice(mode === 'split' ? 1 : 0)
    .map((part) => `/${part}`)
    .join('');
}

/** Empty parts say nothing: `/pets/` is `/pets`. */
export function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}

/** OpenAPI 3: the default of a variable `basePath`, whether the address mentions it or not; else the path of the address. */
function basePathOf(root: JsonObject): string {
  const basePath = asText(root['basePath']);
  if (basePath !== undefined) return basePath;
  const servers = listOf(root['servers']);
  for (const server of servers) {
    const value = asText(member(member(member(server, 'variables'), 'basePath'), 'default'));
    if (value !== undefined) return value;
  }
  const url = asText(member(servers[0], 'url')) ?? '';
  return url.replace(/^(?:[a-z][a-z0-9+.-]*:)?\/\/[^/]*/i, '').replace(/[?#].*$/s, '');
}
