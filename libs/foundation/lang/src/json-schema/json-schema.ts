/**
 * JSON Schema draft-04 for tenants' models: compiled once to closures, run in bounded time. Schemas are data: no part of one becomes
 * JavaScript source or a RegExp.
 *
 * Bounds: of a schema, its depth (200) and what its patterns unfold to; of one validation, work and depth (1,000). A value that
 * goes beyond is invalid, and the message says so.
 *
 * Not here: `$ref` to the draft's own meta-schema.
 */
import type { Buffer } from 'node:buffer';
import { WorkLimitExceeded } from '../regex/index.js';
import { References, type DocumentSource } from './references.js';
import { MESSAGES_MAX, TooDeep, type Run, type Subschema } from './rule.js';
import { SchemaCompiler } from './schema-compiler.js';
import { TextJudge } from './text-judge.js';

export interface JsonSchemaSettings {
  /** Where the schema is: relative references start from there. */
  readonly uri?: string;
  /** Other documents a `$ref` may lead to; without it there are none. */
  readonly documents?: DocumentSource;
}

/** Work of one validation, in schemas asked: enough for any body of 10 MB, and some tenths of a second at most. */
const WORK_MAX = 10_000_000;
const EXPLAINING_WORK_MAX = 1_000_000;

export class JsonSchema {
  private constructor(private readonly root: Subschema) {}

  /** Throws SchemaError when the value is no draft-04 schema. */
  static compile(schema: unknown, { uri = 'schema:/', documents = () => undefined }: JsonSchemaSettings = {}): JsonSchema {
    const references = new References(documents);
    references.add(uri, schema);
    return new JsonSchema(new SchemaCompiler(references).compile({ schema, pointer: '#' }));
  }

  /** The value comes from JSON.parse. */
  isValid(value: unknown): boolean {
    try {
      return this.root.holds(value, newRun(WORK_MAX));
    } catch (error) {
      if (isBound(error)) return false;
      throw error;
    }
  }

  /**
   * Of a body as it came, in UTF-8. True when it is JSON and valid; false says nothing, then `JSON.parse` and `isValid` know. It costs less
   * than half of those two, and leaves no garbage.
   */
  isSurelyValid(body: Buffer): boolean {
    try {
      return new TextJudge(body, newRun(WORK_MAX)).isSurelyValid(this.root);
    } catch (error) {
      if (isBound(error)) return false;
      throw error;
    }
  }

  /** What is wrong with the value: the first ten reasons; none when it is valid. */
  problems(value: unknown): string[] {
    const messages: string[] = [];
    try {
      this.root.explain(value, newRun(EXPLAINING_WORK_MAX), messages);
    } catch (error) {
      if (!isBound(error)) throw error;
      messages.push(error.message);
    }
    return messages.slice(0, MESSAGES_MAX);
  }
}

const newRun = (left: number): Run => ({ left, depth: 0 });
const isBound = (error: unknown): error is Error => error instanceof WorkLimitExceeded || error instanceof TooDeep;
