// Settings of a stage for one method or for all methods: their PATCH paths, values and defaults.
//
//   PATCH path                                    key in `methodSettings`
//   /*/*/throttling/rateLimit                     */*
//   /pets/{id}/GET/throttling/rateLimit           pets/{id}/GET
//   /~1pets~1{id}/GET/throttling/rateLimit        pets/{id}/GET
//   /~1/GET/metrics/enabled, //GET/...            /GET             (the root resource)
import { badRequest } from '../errors.js';
import { unescapePointer } from '../patch/patch.js';
import type { MethodSetting } from './deployment.js';

/** Every method of the stage that has no entry of its own. */
export const ALL_METHODS = '*/*';

/** What an entry starts from while the stage has none for all methods. No `loggingLevel`: AWS answers none either. */
export const DEFAULT_METHOD_SETTING: MethodSetting = {
  metricsEnabled: false,
  loggingLevel: null,
  dataTraceEnabled: false,
  throttlingBurstLimit: 5000,
  throttlingRateLimit: 10_000,
  cachingEnabled: false,
  cacheTtlInSeconds: 300,
  cacheDataEncrypted: false,
  requireAuthorizationForCacheControl: true,
  unauthorizedCacheControlHeaderStrategy: 'SUCCEED_WITH_RESPONSE_HEADER',
};

type Change = (setting: MethodSetting, value: string, path: string) => MethodSetting;

const CHANGES: Readonly<Record<string, Change>> = {
  'metrics/enabled': (setting, value) => ({ ...setting, metricsEnabled: value === 'true' }),
  'logging/dataTrace': (setting, value) => ({ ...setting, dataTraceEnabled: value === 'true' }),
  'logging/loglevel': (setting, value, path) => ({ ...setting, loggingLevel: oneOf(['OFF', 'ERROR', 'INFO'], value, path) }),
  'throttling/burstLimit': (setting, value, path) => ({ ...setting, throttlingBurstLimit: limit(value, path, 'integer') }),
  'throttling/rateLimit': (setting, value, path) => ({ ...setting, throttlingRateLimit: limit(value, path, 'number') }),
  'caching/ttlInSeconds': (setting, value, path) => ({ ...setting, cacheTtlInSeconds: ttl(value, path) }),
  'caching/enabled': (setting, value) => ({ ...setting, cachingEnabled: value === 'true' }),
  'caching/dataEncrypted': (setting, value) => ({ ...setting, cacheDataEncrypted: value === 'true' }),
  'caching/requireAuthorizationForCacheControl': (setting, value) => ({
    ...setting,
    requireAuthorizationForCacheControl: value === 'true',
  }),
  'caching/unauthorizedCacheControlHeaderStrategy': (setting, value, path) => ({
    ...setting,
    unauthorizedCacheControlHeaderStrategy: oneOf(
      ['FAIL_WITH_403', 'SUCCEED_WITH_RESPONSE_HEADER', 'SUCCEED_WITHOUT_RESPONSE_HEADER'],
      value,
      path,
    ),
  }),
};

const VERBS = new Set(['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'ANY']);

/** Splits `/{resource path}/{verb}/{setting}` into the entry's key and the setting; `null` for anything else. */
export function readMethodSettingPath(path: string): { key: string; setting: string } | null {
  for (const setting of Object.keys(CHANGES)) {
    if (!path.endsWith(`/${setting}`)) continue;
    const key = methodSettingKey(path.slice(0, -setting.length - 1));
    if (key !== null) return { key, setting };
  }
  return null;
}

/** The key of `/{resource path}/{verb}`; `null` when it is none. A wildcard stands for all methods or for nothing. */
export function methodSettingKey(path: string): string | null {
  if (path === `/${ALL_METHODS}`) return ALL_METHODS;
  const verbAt = path.lastIndexOf('/');
  if (!path.startsWith('/') || verbAt < 1) return null;
  const verb = path.slice(verbAt + 1);
  const resource = unescapePointer(path.slice(1, verbAt));
  if (!VERBS.has(verb) || resource === '*') return null;
  return `${resource.startsWith('/') ? resource.slice(1) : resource}/${verb}`;
}

/**
 * A new entry starts as a copy of the one for all methods; later changes to that one leave it alone.
 * `setting` comes from `readMethodSettingPath`.
 */
export function changeMethodSetting(
  settings: Readonly<Record<string, MethodSetting>>,
  { key, setting }: { key: string; setting: string },
  value: string,
  path: string,
): Readonly<Record<string, MethodSetting>> {
  const present = settings[key] ?? settings[ALL_METHODS] ?? DEFAULT_METHOD_SETTING;
  return { ...settings, [key]: CHANGES[setting]!(present, value, path) };
}

// Terraform sends -1 ("-1", "-1.000000") for "no limit at this level" and expects to read it back.
function limit(text: string, path: string, kind: 'integer' | 'number'): number {
  const value = text.trim() === '' ? NaN : Number(text);
  const fits = kind === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value);
  if (!fits || (value < 0 && value !== -1)) {
    throw badRequest(
      `Invalid value for ${path}: expected ${kind === 'integer' ? 'a whole number' : 'a number'} >= 0, or -1, got "${text}"`,
    );
  }
  return value;
}

function ttl(text: string, path: string): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 3600) {
    throw badRequest(`Invalid value for ${path}: expected a whole number of seconds from 0 to 3600, got "${text}"`);
  }
  return value;
}

function oneOf(allowed: readonly string[], text: string, path: string): string {
  if (!allowed.includes(text))
    throw badRequest(`Invalid value for ${path}: expected one of ${allowed.join(', ')}, got "${text}"`);
  return text;
}
