/**
 * Base64 as payloads have it: white space around it does not count (templates end with a line break), nor do the quotes of a JSON string
 * (a function that answers base64 answers it so). `null` for anything else.
 */
export function decodeBase64(text: string): Buffer | null {
  const trimmed = text.trim();
  const bare = trimmed.length >= 2 && trimmed.startsWith('"') && trimmed.endsWith('"') ? trimmed.slice(1, -1) : trimmed;
  return isBase64(bare) ? Buffer.from(bare, 'base64') : null;
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}
