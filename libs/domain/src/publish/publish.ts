import type { TenantId } from '../tenancy/tenant.js';

export type EntryKind =
  | 'STAGE'
  | 'USAGE_PLAN'
  | 'API_KEY'
  | 'FUNCTION'
  | 'DOMAIN_NAME'
  | 'CERTIFICATE'
  | 'ACCESS_KEY'
  | 'SERVICE_ACCESS';

/** What nodes are told: the newest state of one published thing. A change is live once its entry is committed. */
export interface ManifestEntry {
  readonly kind: EntryKind;
  readonly id: string;
  readonly tenant: TenantId;
  readonly revision: number;
  /** `null`: removed. */
  readonly content: EntryContent | null;
  /** Pools whose nodes were sent it before and are to forget it; absent: none, of a removal the default pool. */
  readonly formerPools?: readonly string[];
}

export interface EntryContent {
  /** Hex SHA-256 of the blob; `null` when everything is inline. */
  readonly digest: string | null;
  readonly blobBytes: number;
  /** Canonical JSON; empty when everything is in the blob. */
  readonly inline: string;
  /** Pools whose nodes are sent it, sorted; absent: the default pool alone. */
  readonly pools?: readonly string[];
  /** Of a stage: the format its snapshot is written in; absent: 1. */
  readonly snapshotFormat?: number;
}

/** Ties a deployment to the revision that made it live, for rollouts. */
export interface Rollout {
  readonly deploymentId: string;
  readonly apiId: string;
  readonly stageName: string;
  readonly revision: number;
  readonly publishedAtMs: number;
}

export interface NodeRecord {
  readonly nodeId: string;
  readonly role: 'DATA_PLANE' | 'FUNCTION_RUNNER';
  readonly epoch: number;
  readonly softwareVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly adminUrl: string | null;
  readonly connected: boolean;
  readonly lastSeenAtMs: number;
  readonly ackedRevision: number;
  readonly ackedAtMs: number | null;
  /** Version of the node protocol that is spoken with it, and the snapshot formats it links. */
  readonly protocol: number;
  readonly snapshotFormats: readonly number[];
  /** Why the control plane that it asked last does not serve it; `null` when it was not turned away. */
  readonly turnedAway: string | null;
}

/** A node's refusal of one entry; gone when a later revision of the entry is acknowledged. */
export interface NodeRefusal {
  readonly nodeId: string;
  readonly kind: EntryKind;
  readonly entryId: string;
  readonly revision: number;
  readonly reason: string;
  readonly atMs: number;
}
