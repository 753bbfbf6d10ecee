import type { IntegrationResponseSnapshot } from '@gatehouse/contracts';
import { CONTINUE, LinkRefusal, type Step, type UpstreamAnswer } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { SelectionPattern, SelectionPatternError } from '@gatehouse/lang';

const statusText = ({ status }: UpstreamAnswer): string => String(status);

/**
 * The first response whose pattern matches the whole text, else the default one (data-plane reference §3.11). The text is the status,
 * unless `textOf` says what else it is.
 */
export function selectResponse(
  responses: readonly IntegrationResponseSnapshot[],
  textOf: (answer: UpstreamAnswer) => string = statusText,
): Step {
  const patterns = responses.flatMap(({ selectionPattern }, index) =>
    selectionPattern === null || selectionPattern === '' ? [] : [{ index, pattern: parsePattern(selectionPattern) }],
  );
  const defaultIndex = responses.findIndex(({ selectionPattern }) => selectionPattern === null || selectionPattern === '');
  if (patterns.length === 0 && defaultIndex !== -1) {
    return (x) => {
      x.integrationResponseIndex = defaultIndex;
      return CONTINUE;
    };
  }
  return (x) => {
    const text = textOf(x.upstreamAnswer!);
    x.integrationResponseIndex = patterns.find(({ pattern }) => pattern.matches(text))?.index ?? defaultIndex;
    if (x.integrationResponseIndex !== -1) return CONTINUE;
    return x.fail(
      FAULTS.API_CONFIGURATION_ERROR,
      null,
      `selecting an integration response for status ${x.upstreamAnswer!.status}: none matches and there is no default`,
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
