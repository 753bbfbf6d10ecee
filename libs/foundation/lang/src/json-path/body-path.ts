/** A JSONPath as parameter mappings have it: what it selects of a body, as the text of one value. */
import { Budget, RenderFailure } from '../vtl/budget.js';
import { JsonBodyError, parseJson } from '../vtl/json-body.js';
import { jsonText } from '../vtl/java-values.js';
import { JsonPath, MISSING } from './json-path.js';
import { JsonPathError } from './parse-path.js';

export class BodyPath {
  private constructor(private readonly path: JsonPath) {}

  /** Throws JsonPathError. */
  static parse(text: string): BodyPath {
    return new BodyPath(JsonPath.parse(text));
  }

  /**
   * A text as it is, anything else as JSON. `null` where nothing is selected, or a null, where the path does not fit the body, and where it
   * takes more work than a template may.
   */
  textIn(body: string): string | null {
    const budget = new Budget();
    try {
      const selected = this.path.select(parseJson(body), budget);
      if (selected === MISSING || selected === null) return null;
      return typeof selected === 'string' ? selected : jsonText(selected, budget, false);
    } catch (cause) {
      if (cause instanceof JsonPathError || cause instanceof JsonBodyError || cause instanceof RenderFailure) return null;
      throw cause;
    }
  }
}
