import { Secret } from './secret.js';

/** One setting of a process: read from the environment once at start. */
export interface Setting<T> {
  readonly variable: string;
  readonly description: string;
  /** `undefined` makes the variable required. */
  readonly fallback: T | undefined;
  readonly parse: (text: string) => T;
}

export type Settings = Record<string, Setting<unknown>>;
export type Values<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** All problems of a start-up configuration at once, each naming its variable. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`Configuration:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** Reads every setting from `environment`; throws one ConfigError that lists all problems together. */
export function readConfig<S extends Settings>(
  settings: S,
  environment: Readonly<Record<string, string | undefined>>,
): Values<S> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const text = environment[setting.variable];
    if (text === undefined || text === '') {
      if (setting.fallback === undefined) problems.push(`${setting.variable} is not set: ${setting.description}`);
      values[name] = setting.fallback;
      continue;
    }
    try {
      values[name] = setting.parse(text);
    } catch (cause) {
      problems.push(`${setting.variable}: ${(cause as Error).message}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return values as Values<S>;
}

export function stringSetting(variable: string, description: string, fallback?: string): Setting<string> {
  return { variable, description, fallback, parse: (text) => text };
}

/** Like a string, but prints as `[redacted]`. */
export function secretSetting(variable: string, description: string): Setting<Secret> {
  return { variable, description, fallback: undefined, parse: (text) => new Secret(text) };
}

export function integerSetting(
  variable: string,
  description: string,
  bounds: { min: number; max: number },
  fallback?: number,
): Setting<number> {
  return {
    variable,
    description,
    fallback,
    parse: (text) => {
      const value = Number(text);
      if (!Number.isInteger(value) || value < bounds.min || value > bounds.max) {
        throw new Error(`expected a whole number from ${bounds.min} to ${bounds.max}, got "${text}"`);
      }
      return value;
    },
  };
}

export function portSetting(variable: string, description: string, fallback?: number): Setting<number> {
  return integerSetting(variable, description, { min: 0, max: 65535 }, fallback);
}

export function booleanSetting(variable: string, description: string, fallback: boolean): Setting<boolean> {
  return {
    variable,
    description,
    fallback,
    parse: (text) => {
      if (['1', 'true', 'yes', 'on'].includes(text.toLowerCase())) return true;
      if (['0', 'false', 'no', 'off'].includes(text.toLowerCase())) return false;
      throw new Error(`expected 1 or 0, got "${text}"`);
    },
  };
}

/** `pool=eu,region=eu-west-1` */
export function labelsSetting(variable: string, description: string): Setting<Readonly<Record<string, string>>> {
  return {
    variable,
    description: `${description}: name=value, separated by commas`,
    fallback: {},
    parse: (text) =>
      Object.fromEntries(
        text
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== '')
          .map(labelOf),
      ),
  };
}

function labelOf(text: string): [string, string] {
  const [, name, value] = /^([A-Za-z0-9._-]{1,64})=([A-Za-z0-9._-]{1,128})$/.exec(text) ?? [];
  if (name === undefined || value === undefined || name === '__proto__') throw new Error(`expected name=value, got "${text}"`);
  return [name, value];
}
