/** Whether and how responses of a method are cached (data-plane reference §9). */
import type { RouteCaching } from '@gatehouse/contracts';
import type { Integration, Method, MethodSetting, Stage } from '@gatehouse/domain';
import { compareText, type Diagnostics } from './diagnostics.js';

/** What a stage says of a method. */
export interface CacheSettings {
  /** The method's own entry, or that of all methods; `undefined` for neither. */
  readonly setting: MethodSetting | undefined;
  readonly isOwn: boolean;
}

/** `undefined`: not at all. `path` names the method, e.g. `/pets GET`. */
export function compileCaching(
  path: string,
  stage: Stage,
  method: Method,
  { setting, isOwn }: CacheSettings,
  diagnostics: Diagnostics,
): RouteCaching | undefined {
  const { integration, httpMethod } = method;
  if (!stage.cacheClusterEnabled || setting === undefined || integration === null) return undefined;
  if (!setting.cachingEnabled || setting.cacheTtlInSeconds <= 0) return undefined;
  // What is said of all methods is said of GET. An ANY method has its GET requests cached, whoever asks for it.
  const isGet = httpMethod === 'GET' || httpMethod === 'ANY';
  if (!isGet && !isOwn) return undefined;
  const refuse = (reason: string): undefined => {
    diagnostics.warning(`${path} caching`, `${reason}; responses are not cached`);
  };
  if (integration.responseTransferMode === 'STREAM') return refuse('responses that are streamed cannot be kept');
  const keyParameters = integration.cacheKeyParameters.map((parameter) => expressionOf(parameter, integration));
  if (keyParameters.includes(null)) return refuse('a cache key parameter is not one of the request');
  if (!isGet)
    diagnostics.warning(`${path} caching`, `responses to ${httpMethod} are cached, whatever the body of the request is`);
  return {
    namespace: integration.cacheNamespace,
    keyParameters: [...new Set(keyParameters as string[])].sort(compareText),
    ttlSeconds: setting.cacheTtlInSeconds,
    invalidation: setting.requireAuthorizationForCacheControl ? strategyOf(setting) : 'ANYBODY',
  };
}

/** AWS keys by these parameters alone: what the path says is not in the key by itself. */
export function warnOfUnkeyedPath(path: string, caching: RouteCaching | undefined, diagnostics: Diagnostics): void {
  if (caching === undefined) return;
  for (const [, name] of path.matchAll(/\{([^{}+]+)\+?\}/g)) {
    if (caching.keyParameters.includes(`method.request.path.${name}`)) continue;
    diagnostics.warning(
      `${path} caching`,
      `method.request.path.${name} is no cache key parameter: one response is kept for all values of {${name}}`,
    );
  }
}

/** One of the integration's request is known by where it comes from; `null` when that is the body, or nowhere. */
function expressionOf(parameter: string, { requestParameters }: Integration): string | null {
  if (!parameter.startsWith('integration.request.')) return parameter;
  const sources = requestParameters ?? {};
  const source = Object.hasOwn(sources, parameter) ? sources[parameter]! : null;
  return source === null || source.startsWith('method.request.body') ? null : source;
}

const STRATEGIES = ['FAIL_WITH_403', 'SUCCEED_WITH_RESPONSE_HEADER', 'SUCCEED_WITHOUT_RESPONSE_HEADER'] as const;

function strategyOf({ unauthorizedCacheControlHeaderStrategy: strategy }: MethodSetting): (typeof STRATEGIES)[number] {
  return STRATEGIES.find((known) => known === strategy) ?? 'SUCCEED_WITH_RESPONSE_HEADER';
}
