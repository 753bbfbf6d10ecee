import { lastHeader, type Exchange } from '@gatehouse/engine-exchange';
import { masked } from './masked.js';

/** Of whatever key the caller came with, if any. */
export function shownKey({ apiKeyValue, authorizer, stage, requestHeaders }: Exchange): string {
  const isInHeader = stage!.snapshot.apiKeySource === 'HEADER';
  const sent = isInHeader ? lastHeader(requestHeaders, 'x-api-key') : (authorizer?.usageIdentifierKey ?? null);
  return masked(apiKeyValue ?? sent ?? '');
}
