import type { NodeAdmin } from '@gatehouse/control-nodes';
import type { ManifestLog, NodeRecord } from '@gatehouse/domain';

export interface Check {
  readonly name: 'database' | 'data-plane' | 'function-runner';
  readonly ok: boolean;
  /** What is wrong, for an operator; empty when nothing is. */
  readonly detail: string;
}

export interface Readiness {
  check(): Promise<readonly Check[]>;
  /** Of this control plane alone: whether it can do anything for its callers. */
  checkSelf(): Promise<readonly Check[]>;
}

/**
 * Ready means that a published API answers: the database does, and a data-plane node and a function runner are connected and
 * serve everything that was published up to now.
 */
export function createReadiness(dependencies: {
  readonly healthy: () => Promise<boolean>;
  readonly manifest: Pick<ManifestLog, 'head'>;
  readonly nodes: Pick<NodeAdmin, 'listNodes'>;
}): Readiness {
  const { healthy, manifest, nodes } = dependencies;
  const database = async (): Promise<Check> => {
    const ok = await healthy().catch(() => false);
    return { name: 'database', ok, detail: ok ? '' : 'does not answer' };
  };
  return {
    checkSelf: async () => [await database()],
    check: async () => {
      const first = await database();
      if (!first.ok) return [first];
      const head = await manifest.head();
      const all = await nodes.listNodes();
      return [
        first,
        serving(
          'data-plane',
          all.filter((node) => node.role === 'DATA_PLANE'),
          head,
        ),
        serving(
          'function-runner',
          all.filter((node) => node.role === 'FUNCTION_RUNNER'),
          head,
        ),
      ];
    },
  };
}

function serving(name: Check['name'], nodes: readonly NodeRecord[], head: number): Check {
  const connected = nodes.filter((node) => node.connected);
  if (connected.length === 0) return { name, ok: false, detail: 'none is connected' };
  const newest = Math.max(...connected.map((node) => node.ackedRevision));
  const ok = newest >= head;
  return { name, ok, detail: ok ? '' : `serves revision ${newest} of ${head}` };
}
