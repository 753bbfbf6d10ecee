/** Values that are nobody else's business are shown by their last characters alone, as API Gateway shows them. */
const SECRETS = new Set(['authorization', 'proxy-authorization', 'x-api-key', 'x-amz-security-token', 'cookie', 'set-cookie']);
const SHOWN_CHARS = 6;

export const isSecretHeader = (name: string): boolean => SECRETS.has(name.toLowerCase());

/** Values of headers that are nobody else's business. */
export const secretsIn = (headers: readonly string[]): string[] =>
  headers.filter((_, i) => i % 2 === 1 && isSecretHeader(headers[i - 1]!));

/** A short value would be shown whole by its last characters: then none are. */
export const masked = (value: string): string =>
  value.length <= 2 * SHOWN_CHARS
    ? '*'.repeat(value.length)
    : `${'*'.repeat(value.length - SHOWN_CHARS)}${value.slice(-SHOWN_CHARS)}`;
