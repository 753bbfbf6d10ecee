import type { IntegrationResponseSnapshot } from '@gatehouse/contracts';
import { CONTINUE, LinkRefusal, type Step } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { SelectionPattern, SelectionPatternError } from '@gatehouse/lang';

/** The first response whose pattern matches the whole status text, else the default one (data-plane reference §3.11). */
export function selectResponse(responses: readonly IntegrationResponseSnapshot[]): Step {
  const patterns = responses.flatMap(({ selectionPattern }, index) =>
    selectionPattern === null || selectionPattern === '' ? [] : [{ index, pattern: parsePattern(selectionPattern) }],
  );
  const defaultIndex = responses.findIndex(({ selectionPattern }) => selectionPattern === null || selectionPattern === '');
  return (x) => {
    const status = String(x.upstreamAnswer!.status);
    x.integrationResponseIndex = patterns.find(({ pattern }) => pattern.matches(status))?.index ?? defaultIndex;
    if (x.integrationResponseIndex !== -1) return CONTINUE;
    return x.fail(
      FAULTS.API_CONFIGURATION_ERROR,
      null,
      `selecting an integration response for status ${status}: none matches and there is no default`,
    );
  };
}

/** A pattern that does not run in bounded time refuses the route; the control plane takes none such. */
function parsePattern(text: string): SelectionPattern {
  try {
    return SelectionPattern.parse(text);
  } catch (error) {
    if (error instanceof SelectionPatternError) throw new LinkRefusal(`selection pattern "${text}": ${error.message}`);
    throw error;
  }
}
