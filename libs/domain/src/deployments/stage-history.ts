/** Which deployments a stage had. A stage that is deleted takes its history along; a deployment that is deleted stays in it by its id. */
import { badRequest } from '../errors.js';

/**
 * CREATED the stage began with it; DEPLOYED CreateDeployment; REPOINTED UpdateStage; PROMOTED its canary took over; ROLLED_BACK;
 * PREVIEWED; UNKNOWN of the deployment that a stage had when histories began to be written.
 */
export type StageCause = 'CREATED' | 'DEPLOYED' | 'REPOINTED' | 'PROMOTED' | 'ROLLED_BACK' | 'PREVIEWED' | 'UNKNOWN';

export interface StageHistoryEntry {
  readonly apiId: string;
  readonly stageName: string;
  /** From 1, without gaps. */
  readonly number: number;
  readonly deploymentId: string;
  readonly cause: StageCause;
  readonly sinceMs: number;
}

/** The deployment the stage had before its present one: rolling back twice returns to where one was. Throws BadRequest for a stage that had no other. */
export function previousDeployment(history: readonly StageHistoryEntry[], presentId: string): string {
  const previous = history.toSorted((a, b) => b.number - a.number).find(({ deploymentId }) => deploymentId !== presentId);
  if (previous === undefined) throw badRequest('The stage had no other deployment to roll back to');
  return previous.deploymentId;
}
