import { finishHeaders } from '@gatehouse/engine-accept';
import { isHeaderToken, type Exchange } from '@gatehouse/engine-exchange';
import { isConnectionSpecific, isUnsafeValue } from './fields.js';

/** Throws, with nothing sent, when a header cannot be written. */
export function answerHead(x: Exchange): string[] {
  const finished = finishHeaders(x);
  const head: string[] = [':status', String(x.status)];
  for (let i = 0; i < finished.length; i += 2) {
    const name = finished[i]!.toLowerCase();
    const value = finished[i + 1]!;
    if (isConnectionSpecific(name)) continue;
    if (!isHeaderToken(name) || isUnsafeValue(value)) throw new Error(`header ${JSON.stringify(name)} cannot be sent`);
    head.push(name, value);
  }
  return head;
}
