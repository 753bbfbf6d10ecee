import type { StageSnapshot } from '@gatehouse/contracts';
import type { RestApi, Stage } from '@gatehouse/domain';
import { compareText, type Diagnostics } from './diagnostics.js';

/** How much of a stage's requests is recorded whole: `all`, `off`, or one in so many. On the stage, or on its API. */
const EXPLAIN_TAG = 'gatehouse:explain';
/** Names of headers, parameters and JSON members that are hidden, separated by blanks: of the API and of the stage. */
const REDACT_TAG = 'gatehouse:redact';

export function compileExplain({ tags }: RestApi, stage: Stage, diagnostics: Diagnostics): StageSnapshot['explain'] {
  const sampling = stage.tags[EXPLAIN_TAG] ?? tags[EXPLAIN_TAG];
  const sampleEvery = sampling === undefined ? undefined : readSampling(sampling);
  if (sampleEvery === null)
    diagnostics.warning(
      `tags.${EXPLAIN_TAG}`,
      `expected all, off, or a whole number for one request in so many; got "${sampling}"`,
    );
  const secretNames = [tags[REDACT_TAG], stage.tags[REDACT_TAG]].flatMap((text) => text?.split(/\s+/) ?? []);
  const own = [...new Set(secretNames.filter((name) => name !== ''))].sort(compareText);
  if (typeof sampleEvery !== 'number' && own.length === 0) return undefined;
  return { ...(typeof sampleEvery === 'number' && { sampleEvery }), ...(own.length > 0 && { secretNames: own }) };
}

/** `null`: it is none of them. */
function readSampling(text: string): number | null {
  if (text === 'all') return 1;
  if (text === 'off') return 0;
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : null;
}
