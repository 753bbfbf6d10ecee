/**
 * Documentation in an exported document. What OpenAPI has members for goes to the entity it is about; anything else is seen only
 * in the extension that lists the parts (API Gateway guide, "Publish API documentation using the API Gateway REST API").
 *
 * The part that says most about an entity speaks for it: an exact path before one above it, a verb before all, a status before all.
 */
import type { DocumentationLocation, DocumentationPartType, DocumentationVersion } from '../api-parts/documentation.js';
import { fromPairs, isObject, parsedOr, present, type Json, type JsonObject } from './export-json.js';

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
  /** By type, path and name: thousands of entities ask, and thousands of parts may answer. */
  private readonly parts: ReadonlyMap<string, readonly Part[]>;

  /** `null`: the stage shows none. */
  constructor(private readonly version: DocumentationVersion | null) {
    this.parts = Map.groupBy(version?.parts ?? [], ({ location: { type, path, name } }) => placeKey(type, path ?? '/', name));
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

  private propertiesOf(entity: DocumentationLocation): JsonObject {
    const properties = parsedOr(this.closest(entity)?.properties ?? '{}');
    return isObject(properties) ? properties : {};
  }

  private closest(entity: DocumentationLocation): Part | null {
    if (this.parts.size === 0) return null;
    for (const path of pathsAbove(entity.path ?? '/')) {
      let best: { readonly weight: number; readonly part: Part } | null = null;
      for (const part of this.parts.get(placeKey(entity.type, path, entity.name)) ?? []) {
        const weight = fit(part.location, entity);
        if (weight !== null && (best === null || weight > best.weight)) best = { weight, part };
      }
      if (best !== null) return best.part;
    }
    return null;
  }
}

function placeKey(type: DocumentationPartType, path: string, name: string | null): string {
  return JSON.stringify([type, path, name]);
}

/** `/pets/{id}`, `/pets`, `/`. */
function pathsAbove(path: string): string[] {
  const paths: string[] = [];
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) paths.push(path.slice(0, end));
  return path === '/' ? paths : [...paths, '/'];
}

/** `null` when the part is about another verb or status; else how closely it is about this one. */
function fit(location: DocumentationLocation, entity: DocumentationLocation): number | null {
  const verb = fits(location.method, entity.method);
  const status = fits(location.statusCode, entity.statusCode);
  return verb === null || status === null ? null : verb * 2 + status;
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
