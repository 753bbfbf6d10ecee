/** Values that are nobody else's business are shown by their last characters alone, as API Gateway shows them. */
const SECRETS = new Set(['authorization', 'proxy-authorization', 'x-api-key', 'x-amz-security-token', 'cookie', 'set-cookie']);
/** Query parameters of a presigned request. */
const SECRET_PARAMETERS = new Set(['x-amz-signature', 'x-amz-security-token']);
const SHOWN_CHARS = 6;

export const isSecretHeader = (name: string): boolean => SECRETS.has(name.toLowerCase());

export const isSecretParameter = (name: string): boolean => SECRET_PARAMETERS.has(name.toLowerCase());

/** `pairs` with the values of those names masked. */
export const maskedPairs = (pairs: readonly string[], isSecret: (name: string) => boolean): string[] =>
  pairs.map((text, i) => (i % 2 === 1 && isSecret(pairs[i - 1]!) ? masked(text) : text));

/** Values of headers that are nobody else's business, or of parameters. */
export const secretsIn = (pairs: readonly string[], isSecret = isSecretHeader): string[] =>
  pairs.filter((_, i) => i % 2 === 1 && isSecret(pairs[i - 1]!));

/** A short value would be shown whole by its last characters: then none are. */
export const showsNothing = (value: string): boolean => value.length <= 2 * SHOWN_CHARS;

export const masked = (value: string): string =>
  showsNothing(value) ? '*'.repeat(value.length) : `${'*'.repeat(value.length - SHOWN_CHARS)}${value.slice(-SHOWN_CHARS)}`;
