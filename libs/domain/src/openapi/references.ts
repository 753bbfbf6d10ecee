import { asObject, invalidDocument, type JsonObject, member } from './json.js';

const HOPS_MAX = 32;
/** Values that are read again because many places name them. A large document in actual use comes to some hundred thousand. */
const WORK_MAX = 2_000_000;

/**
 * The `$ref`s of a document. They are followed within it and nowhere else: what names a file or an address stays unresolved.
 *
 *   #/definitions/Pet, #/components/responses/404     a place in the document
 *   Pet                                               short for the place of its kind (Swagger 1.2 wrote them so, and 2.0 readers take it)
 */
export class References {
  readonly #sizes = new WeakMap<object, number>();
  #work = 0;

  constructor(private readonly root: JsonObject) {}

  /** Whoever reads values again that stand once says so. Throws BadRequest when that has come to more than any real document asks for. */
  spend(valueCount: number): void {
    this.#work += valueCount;
    if (this.#work > WORK_MAX) throw invalidDocument();
  }

  /** What stands at the end of the `$ref`s that begin at `value`; `null` when they lead nowhere or in a circle. */
  follow(value: unknown, kind: string): JsonObject | null {
    let present = asObject(value);
    for (let hops = 0; hops < HOPS_MAX && present !== null; hops++) {
      const reference = member(present, '$ref');
      if (typeof reference !== 'string') return present;
      present = asObject(this.at(reference, kind));
      if (present !== null) this.spend(this.#sizeOf(present));
    }
    return null;
  }

  /** How many values stand in it. The document is no deeper than `checkBounds` lets it be. */
  #sizeOf(value: object): number {
    let size = this.#sizes.get(value);
    if (size !== undefined) return size;
    size = 1;
    for (const inner of Object.values(value) as unknown[])
      size += typeof inner === 'object' && inner !== null ? this.#sizeOf(inner) : 1;
    this.#sizes.set(value, size);
    return size;
  }

  /** `undefined`: there is nothing. */
  at(reference: string, kind: string): unknown {
    const segments = pointerOf(reference) ?? [...kind.split('/'), reference];
    let present: unknown = this.root;
    for (const segment of segments) {
      present = Array.isArray(present) ? present[Number(segment)] : member(present, segment);
      if (present === undefined) return undefined;
    }
    return present;
  }
}

/** The segments of a `#/...` pointer; `null` for other text. */
export function pointerOf(reference: string): string[] | null {
  if (!reference.startsWith('#/')) return null;
  return reference
    .slice(2)
    .split('/')
    .map((segment) => decoded(segment).replaceAll('~1', '/').replaceAll('~0', '~'));
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
