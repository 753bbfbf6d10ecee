/** Files of `deploy/` and what the applications say about themselves, for the checks beside this file. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The root of the repository. */
export const ROOT = path.resolve(import.meta.dirname, '../../..');

/** Text of a file below `deploy/`. */
export const readDeployed = (file: string): string => readFileSync(path.join(ROOT, 'deploy', file), 'utf8');

/** Templates of the chart by name. */
export const templatesOf = (): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(path.join(ROOT, 'deploy/helm/gatehouse/templates')).map((name) => [
      name,
      readDeployed(`helm/gatehouse/templates/${name}`),
    ]),
  );

/** Names of all variables that an application's sources mention. */
export function settingsOf(app: string): ReadonlySet<string> {
  const folder = path.join(ROOT, 'apps', app, 'src');
  const text = readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(path.join(folder, name), 'utf8'))
    .join('\n');
  return new Set(text.match(/\b(GATEHOUSE_[A-Z_]+|DATABASE_URL|REDIS_URL)\b/g));
}

/** A constant of milliseconds in a source. */
export function millisecondsOf(file: string, name: string): number {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  const found = new RegExp(`\\b${name} = ([0-9_]+);`).exec(text)?.[1];
  if (found === undefined) throw new Error(`${file} has no ${name}`);
  return Number(found.replaceAll('_', ''));
}
