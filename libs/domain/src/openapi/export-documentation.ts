/**
 * Documentation in an exported document. What OpenAPI has members for goes to the entity it is about; anything else is seen only
 * in the extension that lists the parts (API Gateway guide, "Publish API documentation using the API Gateway REST API").
 *
 * The part that says most about an entity speaks for it: an exact path before one above it, a verb before all, a status before all.
 */
import type { DocumentationLocation, DocumentationPartType, DocumentationVersion } from '../api-parts/documentation.js';
import { fromPairs, isObject, parsedOr, present, type Json, type JsonObject } from './export-json.js';

/** The entity; `null` where its type has no such member. */
export type Documented = DocumentationLocation;

type Part = DocumentationVersion['parts'][number];

const STANDARD: Readonly<Record<DocumentationPartType, readonly string[]>> = {
  API: ['tags', 'externalDocs'],
  AUTHORIZER: ['description'],
  MODEL: ['title', 'description', 'externalDocs'],
  RESOURCE: [],
  METHOD: ['tags', 'summary', 'description', 'externalDocs', 'deprecated'],
  PATH_PARAMETER: ['description'],
  QUERY_PARAMETER: ['description'],
  REQUEST_HEADER: ['description'],
  REQUEST_BODY: ['description'],
  RESPONSE: ['description'],
  RESPONSE_HEADER: ['description'],
  RESPONSE_BODY: [],
};
const STANDARD_OF_INFO = ['description', 'termsOfService', 'contact', 'license'];
const NOWHERE: DocumentationLocation = { type: 'API', path: null, method: null, statusCode: null, name: null };

export class ExportDocumentation {
  private readonly byType: ReadonlyMap<DocumentationPartType, readonly Part[]>;

  /** `null`: the stage shows none. */
  constructor(private readonly version: DocumentationVersion | null) {
    this.byType = Map.groupBy(version?.parts ?? [], ({ location }) => location.type);
  }

  /** The members for the entity of an exported document. */
  about(type: DocumentationPartType, entity: Partial<DocumentationLocation> = {}): JsonObject {
    return members(this.propertiesOf({ ...NOWHERE, ...entity, type }), STANDARD[type]);
  }

  /** The members for `info`. */
  info(): JsonObject {
    const { info } = this.propertiesOf(NOWHERE);
    return isObject(info) ? members(info, STANDARD_OF_INFO) : {};
  }

  /** `x-amazon-apigateway-documentation`; `undefined` when there is none. */
  listed(): JsonObject | undefined {
    if (this.version === null) return undefined;
    return {
      version: this.version.id,
      createdDate: isoSeconds(this.version.createdAtMs),
      documentationParts: this.version.parts.map(({ location, properties }) => ({
        location: present(fromLocation(location)),
        properties: parsedOr(properties),
      })),
    };
  }

  private propertiesOf(entity: Documented): JsonObject {
    let best: { readonly weight: number; readonly part: Part } | null = null;
    for (const part of this.byType.get(entity.type) ?? []) {
      const weight = fit(part.location, entity);
      if (weight !== null && (best === null || weight > best.weight)) best = { weight, part };
    }
    const properties = best === null ? {} : parsedOr(best.part.properties);
    return isObject(properties) ? properties : {};
  }
}

/** `null` when the part is not about the entity; else how closely it is. A segment of the path outweighs verb and status. */
function fit(location: DocumentationLocation, entity: Documented): number | null {
  if (location.name !== null && location.name !== entity.name) return null;
  const verb = fits(location.method, entity.method);
  const status = fits(location.statusCode, entity.statusCode);
  const path = location.path ?? '/';
  const isAbove = path === '/' || entity.path === path || (entity.path ?? '').startsWith(`${path}/`);
  if (verb === null || status === null || !isAbove) return null;
  const depth = path === '/' ? (entity.path === '/' ? 1 : 0) : path.split('/').length;
  return depth * 4 + verb * 2 + status;
}

function fits(said: string | null, value: string | null): 0 | 1 | null {
  if (said === null || said === '*') return 0;
  return said === value ? 1 : null;
}

/** `x-` members pass too, but for AWS's own: those say what an API does. */
function members(properties: JsonObject, standard: readonly string[]): JsonObject {
  const isMember = (name: string): boolean =>
    standard.includes(name) || (name.startsWith('x-') && !name.startsWith('x-amazon-apigateway-'));
  return fromPairs(Object.entries(properties).filter(([name]) => isMember(name)));
}

function fromLocation({ type, path, method, statusCode, name }: DocumentationLocation): Record<string, Json | undefined> {
  return {
    type,
    path: path ?? undefined,
    method: method ?? undefined,
    statusCode: statusCode ?? undefined,
    name: name ?? undefined,
  };
}

/** As AWS writes dates in documents: no fraction. */
export function isoSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
