import { randomBytes } from 'node:crypto';

const LOWER_ALPHANUMERIC = 'abcdefghijklmnopqrstuvwxyz0123456789';
const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const DIGITS = '0123456789';

/** Makes the random part of every identifier; tests pass a predictable one. */
export interface IdSource {
  /** `[a-z0-9]{length}`, the form of API Gateway's identifiers. */
  id(length: number): string;
  /** `[A-Za-z0-9]{length}`, for key values and secrets. */
  secret(length: number): string;
  /** `[0-9]{length}`, never starting with 0: account ids. */
  digits(length: number): string;
}

export const randomIds: IdSource = {
  id: (length) => pick(LOWER_ALPHANUMERIC, length),
  secret: (length) => pick(ALPHANUMERIC, length),
  digits: (length) => pick('123456789', 1) + pick(DIGITS, length - 1),
};

function pick(alphabet: string, length: number): string {
  // Bytes at or above the largest multiple of the alphabet are thrown away, so each character is equally likely.
  const limit = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length - text.length)) {
      if (byte < limit) text += alphabet[byte % alphabet.length];
    }
  }
  return text;
}

/** Counts up, so that a test can name the ids it expects: `id(6)` gives `000001`, `000002`, ... */
export class SequentialIds implements IdSource {
  private next = 1;
  id(length: number): string {
    return this.take(length);
  }
  secret(length: number): string {
    return this.take(length);
  }
  digits(length: number): string {
    return this.take(length);
  }
  private take(length: number): string {
    return String(this.next++).padStart(length, '0');
  }
}
