/**
 * Schemas of a document as models: the named ones under their names, inline ones under a name made of their content, so that the same
 * schema is the same model each time. A reference between them becomes the reference between models that AWS writes.
 */
import { canonicalJson, sha256Hex } from '@gatehouse/kernel';
import { modelNameIn, modelUri, type ModelRequest } from '../api-parts/model.js';
import { asObject, asText, invalidDocument, type JsonObject, member, membersOf } from './json.js';
import { pointerOf, type References } from './references.js';
import { toDraft4 } from './schema-dialect.js';

const CONTENT_TYPE = 'application/json';
/** Of all that schemas quote from elsewhere, together. */
const QUOTED_VALUES_MAX = 100_000;
const PRIMITIVES = ['string', 'number', 'integer', 'boolean'];
/** Of Swagger 2.0: a body that is no JSON. */
const FILE = 'file';

export class Schemas {
  readonly #inline = new Map<string, ModelRequest>();
  readonly #inlineNames = new WeakMap<object, string>();
  #quotedValues = 0;

  constructor(
    private readonly references: References,
    /** Where the named ones stand: `definitions`, `components/schemas`. */
    private readonly section: string,
    private readonly apiId: string,
    private readonly warn: (warning: string) => void,
  ) {}

  named(): ModelRequest[] {
    const section = this.references.at(`#/${this.section}`, '');
    return membersOf(section).map(([name, schema]) => this.#model(name, schema));
  }

  inline(): ModelRequest[] {
    return [...this.#inline.values()];
  }

  /** The model of a request's body; `null` when the schema says nothing. */
  modelOfRequest(schema: unknown): string | null {
    return this.#modelOf(schema);
  }

  /** The same of a response. AWS has no models of primitive ones. */
  modelOfResponse(schema: unknown): string | null {
    return PRIMITIVES.includes(String(member(schema, 'type'))) ? null : this.#modelOf(schema);
  }

  #modelOf(schema: unknown): string | null {
    const reference = member(schema, '$ref');
    if (typeof reference === 'string') {
      const name = this.#nameIn(reference);
      if (name !== null) return name;
      const target = asObject(this.references.at(reference, this.section));
      if (target === null) this.#unresolved(reference);
      return target === null ? null : this.#modelOf(withoutCircle(target, reference));
    }
    if (membersOf(schema).length === 0 || member(schema, 'type') === FILE) return null;
    // Many places may name one large schema.
    const known = this.#inlineNames.get(schema as object);
    if (known !== undefined) return known;
    const name = `MODEL${sha256Hex(canonicalJson(schema)).slice(0, 10)}`;
    this.#inlineNames.set(schema as object, name);
    if (!this.#inline.has(name)) this.#inline.set(name, this.#model(name, schema));
    return name;
  }

  #model(name: string, schema: unknown): ModelRequest {
    return {
      name,
      contentType: CONTENT_TYPE,
      description: asText(member(schema, 'description')),
      schema: JSON.stringify(this.#localised(toDraft4(schema), new Set()), null, 2),
    };
  }

  /** The model that a reference means; `null` when it means something else. */
  #nameIn(reference: string): string | null {
    const pointer = pointerOf(reference);
    if (pointer === null) {
      const name = modelNameIn(reference);
      return name ?? (this.references.at(reference, this.section) === undefined ? null : reference);
    }
    const section = this.section.split('/');
    return pointer.length === section.length + 1 && section.every((part, index) => pointer[index] === part)
      ? pointer.at(-1)!
      : null;
  }

  /** A copy whose references are between models. `quoted`: the references it stands in. */
  #localised(schema: unknown, quoted: ReadonlySet<string>): unknown {
    if (quoted.size > 0 && ++this.#quotedValues > QUOTED_VALUES_MAX) throw invalidDocument();
    if (Array.isArray(schema)) return schema.map((entry) => this.#localised(entry, quoted));
    const object = asObject(schema);
    if (object === null) return schema;
    const reference = object['$ref'];
    const target = typeof reference === 'string' && this.#nameIn(reference) === null ? this.#quote(reference, quoted) : null;
    if (target !== null) return target;
    return Object.fromEntries(
      Object.entries(object).map(([name, value]) => [
        name,
        name === '$ref' && typeof value === 'string' ? this.#between(value) : this.#localised(value, quoted),
      ]),
    );
  }

  /** The same reference between models; one of AWS's own may go into the middle of a model. */
  #between(reference: string): string {
    const uri = modelUri(this.apiId, this.#nameIn(reference)!);
    const fragmentAt = reference.startsWith('https://') ? reference.indexOf('#') : -1;
    return fragmentAt === -1 ? uri : uri + reference.slice(fragmentAt);
  }

  /** What a reference into the middle of something means, in its place: models cannot be referred to in part. */
  #quote(reference: string, quoted: ReadonlySet<string>): unknown {
    const target = asObject(this.references.at(reference, this.section));
    if (target !== null && !quoted.has(reference)) return this.#localised(toDraft4(target), new Set([...quoted, reference]));
    this.#unresolved(reference);
    return {};
  }

  #unresolved(reference: string): void {
    this.warn(`Unable to resolve reference '${reference}': only references within the document are followed`);
  }
}

/** A schema that is nothing but a reference to itself says nothing. */
function withoutCircle(target: JsonObject, reference: string): unknown {
  return target['$ref'] === reference ? {} : target;
}
