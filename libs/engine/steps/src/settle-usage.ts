/**
 * No answer to a request that its key pays for goes out before the request is counted for good (ADR 0004). Two places see every
 * answer of a program: its first response step, and its faults. A listener that answers itself asks the faults as well (`settleProgram`).
 */
import { CONTINUE, type Exchange, type FaultResponder, type Step, type StepFactory } from '@gatehouse/engine-exchange';
import type { Limits } from './throttle.js';

export const settleUsage =
  ({ usage }: Limits): StepFactory =>
  ({ route }) => {
    if (!route.apiKeyRequired || usage.settle === undefined) return null;
    return (x) => {
      if (x.countedAtMs >= 0) usage.settle!(x.countedAtMs);
      return CONTINUE;
    };
  };

/** `settle` as `settleUsage` made it for the same route. */
export function settlingFaults(settle: Step | null, faults: FaultResponder): FaultResponder {
  if (settle === null) return faults;
  return Object.freeze({
    render: (x: Exchange): void => {
      settle(x);
      faults.render(x);
    },
    settle: (x: Exchange): void => void settle(x),
  });
}
