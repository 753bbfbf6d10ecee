import type { TenantId } from '../tenancy/tenant.js';

/** What the nodes remember of one request. */
export interface RequestMemory {
  /** `null`: none of those that were asked remembers it. */
  readonly found: {
    readonly nodeId: string;
    /** JSON, as the node wrote it. */
    readonly explanation: unknown;
  } | null;
  readonly asked: readonly string[];
  /** Nodes that may remember it and said nothing, and why. */
  readonly silent: readonly { readonly nodeId: string; readonly reason: SilenceReason }[];
  /** The longest of those that answered; 0 when none did. */
  readonly keepMinutes: number;
  /** The most detailed of those that answered: one in so many; 0 for none. */
  readonly sampleEvery: number;
}

export type SilenceReason =
  | 'TIMEOUT'
  /** It has enough questions to answer. */
  | 'BUSY'
  /** It could not say, or was lost meanwhile. */
  | 'FAILED'
  /** It is of a release that cannot be asked, or was told to remember nothing. */
  | 'CANNOT'
  /** It is connected to another control plane, which does not answer. */
  | 'ELSEWHERE';

/** Asks the nodes. Implemented where their streams end (control/nodes). */
export interface RequestExplainer {
  explain(tenant: TenantId, requestId: string, timeoutMs: number): Promise<RequestMemory>;
}
