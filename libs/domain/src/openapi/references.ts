import { asObject, type JsonObject, member } from './json.js';

const HOPS_MAX = 32;

/**
 * The `$ref`s of a document. They are followed within it and nowhere else: what names a file or an address stays unresolved.
 *
 *   #/definitions/Pet, #/components/responses/404     a place in the document
 *   Pet                                               short for the place of its kind (Swagger 1.2 wrote them so, and 2.0 readers take it)
 */
export class References {
  constructor(private readonly root: JsonObject) {}

  /** What stands at the end of the `$ref`s that begin at `value`; `null` when they lead nowhere or in a circle. */
  follow(value: unknown, kind: string): JsonObject | null {
    let present = asObject(value);
    for (let hops = 0; hops < HOPS_MAX && present !== null; hops++) {
      const reference = member(present, '$ref');
      if (typeof reference !== 'string') return present;
      present = asObject(this.at(reference, kind));
    }
    return null;
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
