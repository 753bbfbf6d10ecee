/** What callers show to be known by, and which of it may be asked about. */
import type { StageSnapshot } from '@gatehouse/contracts';
import { compileSource, lastHeader, LinkRefusal, type Exchange } from '@gatehouse/engine-exchange';
import { SelectionPattern, SelectionPatternError } from '@gatehouse/lang';

const HEADER_SOURCE = 'method.request.header.';

/** The value, the last of several; `null` for none, or an empty one. */
export type IdentitySource = (x: Exchange) => string | null;

/** Header names without regard to case, unlike those of mappings: a caller must not be let in or kept out by the way it writes them. */
export function identitySource(expression: string, stage: StageSnapshot): IdentitySource {
  if (expression.startsWith(HEADER_SOURCE) && expression.length > HEADER_SOURCE.length) {
    const lowerName = expression.slice(HEADER_SOURCE.length).toLowerCase();
    return ({ requestHeaders }) => lastHeader(requestHeaders, lowerName) || null;
  }
  const source = compileSource(expression, stage.stageVariables);
  if (source === null) throw new LinkRefusal(`identity source ${expression} is not supported`);
  return (x) => source(x).at(-1) || null;
}

export function compilePattern(expression: string): SelectionPattern {
  try {
    return SelectionPattern.parse(expression);
  } catch (error) {
    if (error instanceof SelectionPatternError) throw new LinkRefusal(`identity validation expression: ${error.message}`);
    throw error;
  }
}
