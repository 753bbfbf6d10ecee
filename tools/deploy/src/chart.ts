/** The chart as Helm renders it. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { ROOT } from './deployed.js';

export const CHART = path.join(ROOT, 'deploy/helm/gatehouse');

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly [field: string]: unknown;
}

export type Values = Readonly<Record<string, unknown>>;

/** What `helm template` makes of the chart with these values over its own; throws what Helm says when it refuses. */
export function render(helm: string, values: Values, release = 'gw'): Manifest[] {
  return parseAllDocuments(run(helm, ['template', release, CHART, '--namespace', 'apis', '--values', '-'], values))
    .map((document) => {
      // A key that is twice in a mapping is an error here and at the API server, and not for Helm.
      if (document.errors.length > 0) throw document.errors[0]!;
      return document.toJS() as Manifest | null;
    })
    .filter((manifest) => manifest !== null);
}

/** What `helm install` says at its end. */
export function renderNotes(helm: string, values: Values, release = 'gw'): string {
  const said = run(helm, ['install', release, CHART, '--dry-run=client', '--namespace', 'apis', '--values', '-'], values);
  return said.slice(said.indexOf('\nNOTES:'));
}

/** What `helm lint --strict` says; throws when it finds fault. */
export const lint = (helm: string, values: Values): string => run(helm, ['lint', CHART, '--strict', '--values', '-'], values);

function run(helm: string, command: string[], values: Values): string {
  // JSON is YAML.
  const { status, stdout, stderr, error } = spawnSync(helm, command, { input: JSON.stringify(values), encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(stderr + stdout);
  return stdout;
}
