import { CONTINUE, noteReceived, RequestJournal, type Step } from '@gatehouse/engine-exchange';
import type { Clock } from '@gatehouse/kernel';

/** The first step of a route whose owner wants to read what happened; somebody else may keep a journal of the request already. */
export function openJournal(clock: Clock): Step {
  return (x) => {
    if (x.journal === null) noteReceived((x.journal = new RequestJournal(clock)), x);
    return CONTINUE;
  };
}
