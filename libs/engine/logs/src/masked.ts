/** Secrets are shown by their last characters alone, as API Gateway shows them; what is one, kernel/redaction.ts knows. */
const SHOWN_CHARS = 6;

/** A short value would be shown whole by its last characters: then none are. */
export const showsNothing = (value: string): boolean => value.length <= 2 * SHOWN_CHARS;

export const masked = (value: string): string =>
  showsNothing(value) ? '*'.repeat(value.length) : `${'*'.repeat(value.length - SHOWN_CHARS)}${value.slice(-SHOWN_CHARS)}`;
