/**
 * Selection patterns of integration responses: tenants' regular expressions in Java's syntax, run over the whole text (data-plane
 * reference 3.11) in bounded time. The subset stands on top of `regex/parse-regex.ts`; patterns that unfold to more than 480
 * steps are refused as well.
 */
import { Regex, RegexError } from './regex/index.js';

export class SelectionPatternError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SelectionPatternError';
  }
}

const LIMITS = { charsMax: 2_000, stepsMax: 480 };

export class SelectionPattern {
  private constructor(private readonly regex: Regex) {}

  /** Throws SelectionPatternError. */
  static parse(text: string): SelectionPattern {
    try {
      return new SelectionPattern(Regex.whole(text, 'java', LIMITS));
    } catch (error) {
      if (error instanceof RegexError) throw new SelectionPatternError(error.message);
      throw error;
    }
  }

  /** Does the pattern match all of the text? */
  matches(text: string): boolean {
    return this.regex.test(text);
  }
}
