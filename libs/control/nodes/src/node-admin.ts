import type { NodeRecord, NodeRegistry, TenantId, TenantStore } from '@gatehouse/domain';
import type { NodeLinkServer } from './node-link-server.js';

/** How far one deployment has come, stage by stage and node by node. */
export interface RolloutReport {
  readonly deploymentId: string;
  readonly stages: readonly {
    readonly apiId: string;
    readonly stageName: string;
    readonly revision: number;
    /** ISO 8601. */
    readonly publishedAt: string;
    readonly nodes: readonly NodeProgress[];
  }[];
}

export interface NodeProgress {
  readonly nodeId: string;
  readonly connected: boolean;
  /** What the node acknowledged last. */
  readonly revision: number;
  readonly acknowledged: boolean;
  /** From the commit to the node's acknowledgement; `null` when it has none or this process did not see it. */
  readonly timeToLiveMs: number | null;
  /** Why the node keeps its last good form; `null` when it does not refuse. */
  readonly refusal: string | null;
}

export interface NodeAdmin {
  /** `null` when the tenant has no such rollout. */
  rolloutOf(tenant: TenantId, deploymentId: string): Promise<RolloutReport | null>;
  listNodes(): Promise<NodeRecord[]>;
}

/** What `/admin/v1/rollouts/{deploymentId}` and `/admin/v1/nodes` answer. */
export function createNodeAdmin(dependencies: {
  readonly tenants: TenantStore;
  readonly nodes: NodeRegistry;
  readonly server: Pick<NodeLinkServer, 'acknowledgedAtMs' | 'sessionOf' | 'isConnected'>;
}): NodeAdmin {
  const { tenants, nodes, server } = dependencies;
  const listNodes = async () => (await nodes.list()).map((node) => ({ ...node, connected: server.isConnected(node) }));
  return {
    listNodes,
    rolloutOf: async (tenant, deploymentId) => {
      const rollouts = await tenants.transact(tenant, (tx) => tx.manifest.rolloutsOf(deploymentId));
      if (rollouts.length === 0) return null;
      const [dataPlane, refusals] = await Promise.all([
        listNodes().then((all) => all.filter((node) => node.role === 'DATA_PLANE')),
        nodes.refusals(),
      ]);
      return {
        deploymentId,
        stages: rollouts.map(({ apiId, stageName, revision, publishedAtMs }) => ({
          apiId,
          stageName,
          revision,
          publishedAt: new Date(publishedAtMs).toISOString(),
          nodes: dataPlane.map((node) => {
            const entryId = `${apiId}/${stageName}`;
            const session = server.sessionOf(node.nodeId);
            // A live session knows what is refused now; the registry remembers for nodes of other control planes.
            const refusal = session?.hasAcknowledged
              ? session.refusals.get(`STAGE ${entryId}`)
              : refusals.find((row) => row.nodeId === node.nodeId && row.kind === 'STAGE' && row.entryId === entryId);
            const isRefused = refusal !== undefined && refusal.revision >= revision;
            const acknowledged = node.ackedRevision >= revision && !isRefused;
            const ackedAtMs = acknowledged ? server.acknowledgedAtMs(node.nodeId, revision) : null;
            return {
              nodeId: node.nodeId,
              connected: node.connected,
              revision: node.ackedRevision,
              acknowledged,
              timeToLiveMs: ackedAtMs === null ? null : Math.max(0, ackedAtMs - publishedAtMs),
              refusal: isRefused ? refusal.reason : null,
            };
          }),
        })),
      };
    },
  };
}
