/** Asks the nodes: has everybody who is connected adopted a revision? Implemented where the node streams end (control/nodes). */
export interface RolloutWaiter {
  /** Resolves as soon as all connected nodes serve `revision`, else after `timeoutMs` with the ids of those that do not. */
  waitUntilLive(revision: number, timeoutMs: number): Promise<{ live: boolean; waitingFor: string[] }>;
}
