/**
 * Text of callers in a line that its owner laid out. Whatever it is, it neither ends the line nor the quotes it stands in, so that nobody
 * writes lines in another's name. AWS does not say what it does here; which rule holds is told from the format's first character.
 */
const VALUE_CHARS_MAX = 8_192;
const NOTHING_TO_ESCAPE = /^[ !#-[\]-~\xa0-\u2027\u202a-\ud7ff\ue000-\uffff]*$/;
const NOTHING_TO_ESCAPE_IN_XML = /^[ !#-%(-;=?-~\xa0-\u2027\u202a-\ud7ff\ue000-\uffff]*$/;
/** JSON leaves them as they are; terminals and readers of lines do not. */
const UNPRINTABLE = /[\x7f-\x9f\u2028\u2029]/g;

export type Escape = (text: string) => string;

/** JSON, CLF, CSV: as between the quotes of a JSON string. */
export const escapeText: Escape = (text) => {
  const shown = cut(text);
  if (NOTHING_TO_ESCAPE.test(shown)) return shown;
  return JSON.stringify(shown).slice(1, -1).replace(UNPRINTABLE, unicodeEscape);
};

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

/** Characters that XML 1.0 does not know become U+FFFD. */
export const escapeXml: Escape = (text) => {
  const shown = cut(text).toWellFormed();
  if (NOTHING_TO_ESCAPE_IN_XML.test(shown)) return shown;
  return shown
    .replace(/[&<>"']/g, (char) => ENTITIES[char]!)
    .replace(/[\t\n\r\x7f-\x9f\u2028\u2029]/g, (char) => `&#${char.charCodeAt(0)};`)
    .replace(/[\x00-\x1f\ufffe\uffff]/g, '\ufffd');
};

/** Nothing but what would end a line; for text that is escaped already. */
export const oneLine: Escape = (text) => cut(text).replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, unicodeEscape);

const unicodeEscape = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
const cut = (text: string): string => (text.length <= VALUE_CHARS_MAX ? text : text.slice(0, VALUE_CHARS_MAX));
