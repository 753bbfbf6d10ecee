import { badRequest } from '../errors.js';

export const API_KEY_VALUE_CHARS = 40;
const VALUE_CHARS_MIN = 20;
const VALUE_CHARS_MAX = 128;
const NAME_CHARS_MAX = 1024;
const DESCRIPTION_CHARS_MAX = 125_000;

/** Throws for a value a tenant may not choose. */
export function checkApiKeyValue(value: string): void {
  if (value.length > VALUE_CHARS_MAX) throw badRequest(`API Key value exceeds maximum size of ${VALUE_CHARS_MAX} characters`);
  if (value.length < VALUE_CHARS_MIN) throw badRequest(`API Key value should be at least ${VALUE_CHARS_MIN} characters`);
  // It travels as a header value: anything outside printable ASCII could never be presented. Wording ours.
  if (!/^[\x21-\x7e]+$/.test(value)) throw badRequest('API Key value can only have printable ASCII characters without spaces');
}

export function checkApiKeyName(name: string): void {
  if (name.length > NAME_CHARS_MAX) throw badRequest(`Invalid API Key name, can be at most ${NAME_CHARS_MAX} characters.`);
}

export function checkApiKeyDescription(description: string): void {
  if (description.length > DESCRIPTION_CHARS_MAX) throw badRequest('Invalid API Key description specified.');
}
