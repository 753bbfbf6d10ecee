/** Compares, tells the history of and rolls back the stages of an API. */
import { pathOf, type AdminCall } from './signed-call.js';

export interface Change {
  readonly path: string;
  readonly kind: 'added' | 'removed' | 'changed';
  readonly before: unknown;
  readonly after: unknown;
  readonly concerns: readonly string[];
}

export interface Diff {
  readonly count: number;
  readonly changes: readonly Change[];
}

export interface Period {
  readonly deploymentId: string;
  readonly description: string | null;
  readonly cause: string;
  readonly since: string;
  readonly until: string | null;
  readonly isDeleted: boolean;
}

export interface History {
  readonly stageName: string;
  readonly items: readonly Period[];
  readonly position: string | null;
}

export interface Repointed {
  readonly stageName: string;
  readonly deploymentId: string;
  readonly revision: number | null;
}

type Ask = (call: AdminCall) => Promise<unknown>;

export async function diff(ask: Ask, api: string, from: string, to: string): Promise<Diff> {
  return (await ask({ path: pathOf('apis', api, 'diff'), query: { from, to } })) as Diff;
}

/** All pages. */
export async function history(ask: Ask, api: string, stage: string): Promise<History> {
  const items: Period[] = [];
  let position: string | null = null;
  do {
    const query: Record<string, string> = { limit: '500', ...(position !== null && { position }) };
    const page = (await ask({ path: pathOf('apis', api, 'stages', stage, 'history'), query })) as History;
    items.push(...page.items);
    position = page.position;
  } while (position !== null);
  return { stageName: stage, items, position };
}

/** Without `deployment`: to the one before the present. */
export async function rollback(ask: Ask, api: string, stage: string, deployment: string | undefined): Promise<Repointed> {
  const body = deployment === undefined ? {} : { deploymentId: deployment };
  return (await ask({ method: 'POST', path: pathOf('apis', api, 'stages', stage, 'rollback'), body })) as Repointed;
}

const SIGNS = { added: '+', removed: '-', changed: '~' } as const;
const VALUE_CHARS_MAX = 60;

export function diffText({ count, changes }: Diff): string {
  if (count === 0) return 'Nothing differs.\n';
  const lines = changes.map(({ path, kind, before, after, concerns }) => {
    const values = kind === 'changed' ? `  ${valueText(before)} -> ${valueText(after)}` : '';
    return `${SIGNS[kind]} ${path}${values}${concerns.length > 0 ? `  [${concerns.join(', ')}]` : ''}\n`;
  });
  return `${lines.join('')}${count} ${count === 1 ? 'change' : 'changes'}\n`;
}

export function historyText({ items }: History): string {
  return items
    .map(({ deploymentId, description, cause, since, until, isDeleted }) => {
      const about = [isDeleted ? 'deleted' : '', description ?? ''].filter((text) => text !== '').join(', ');
      return `${deploymentId}  ${since} - ${until ?? 'now'}  ${cause.toLowerCase().replaceAll('_', ' ')}${about === '' ? '' : `  (${about})`}\n`;
    })
    .join('');
}

export const rollbackText = ({ stageName, deploymentId, revision }: Repointed): string =>
  revision === null
    ? `Stage ${stageName} has deployment ${deploymentId} already.\n`
    : `Stage ${stageName} has deployment ${deploymentId}, published as revision ${revision}.\n`;

/** On one line, and no longer than a reader wants to see. */
function valueText(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= VALUE_CHARS_MAX ? text : `${text.slice(0, VALUE_CHARS_MAX)}...`;
}
