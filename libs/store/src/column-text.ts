/**
 * Text as a column or a parameter can hold it: PostgreSQL has no U+0000, so U+0001 becomes an escape for both. Two texts stay different and
 * sort as before. Documents need no such care, JSON escapes it.
 */
export function columnText(text: string): string {
  return text.replace(/[\0\x01]/g, (character) => (character === '\0' ? '\x010' : '\x011'));
}
