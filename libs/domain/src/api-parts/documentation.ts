/** Documentation of an API, in parts and in versions (API Gateway guide, "Documentation for REST APIs"). */
import { badRequest, conflict, notFound, validationError } from '../errors.js';
import { property, textOrNull } from '../patch/rules.js';
import type { PatchRules } from '../patch/patch.js';
import type { ApiPart } from './api-part.js';
import { checkRoom, type Quotas } from '../tenancy/quotas.js';

/** What of a location each type may say; `name` must be said where it may. */
const MEMBERS_OF_TYPE = {
  API: [],
  AUTHORIZER: ['name'],
  MODEL: ['name'],
  RESOURCE: ['path'],
  METHOD: ['path', 'method'],
  PATH_PARAMETER: ['path', 'method', 'name'],
  QUERY_PARAMETER: ['path', 'method', 'name'],
  REQUEST_HEADER: ['path', 'method', 'name'],
  REQUEST_BODY: ['path', 'method'],
  RESPONSE: ['path', 'method', 'statusCode'],
  RESPONSE_HEADER: ['path', 'method', 'statusCode', 'name'],
  RESPONSE_BODY: ['path', 'method', 'statusCode'],
} as const satisfies Readonly<Record<string, readonly LocationMember[]>>;

type LocationMember = 'path' | 'method' | 'statusCode' | 'name';
export type DocumentationPartType = keyof typeof MEMBERS_OF_TYPE;

/** What a part is about. `null`: not said, which is every one. */
export interface DocumentationLocation {
  readonly type: DocumentationPartType;
  readonly path: string | null;
  readonly method: string | null;
  readonly statusCode: string | null;
  readonly name: string | null;
}

export interface DocumentationPart extends ApiPart {
  readonly location: DocumentationLocation;
  /** Text of a JSON object, as given. */
  readonly properties: string;
}

/** The parts of an API as they were once; the id is the version. */
export interface DocumentationVersion extends ApiPart {
  readonly description: string | null;
  readonly createdAtMs: number;
  readonly parts: readonly Pick<DocumentationPart, 'location' | 'properties'>[];
}

/** What CreateDocumentationPart may say of a location. */
export interface LocationRequest {
  readonly type: string;
  readonly path?: string | undefined;
  readonly method?: string | undefined;
  readonly statusCode?: string | undefined;
  readonly name?: string | undefined;
}

const STATUS_CODE = /^(?:[1-5]\d\d|\*)$/;
/** The order of AWS's message. */
const TYPES_AS_LISTED =
  'RESPONSE_BODY, RESPONSE, METHOD, MODEL, AUTHORIZER, RESPONSE_HEADER, RESOURCE, PATH_PARAMETER, REQUEST_BODY, QUERY_PARAMETER, API, REQUEST_HEADER';

export function newDocumentationPart(
  apiId: string,
  id: string,
  location: LocationRequest,
  properties: string,
): DocumentationPart {
  return checkDocumentationPart({ apiId, id, location: readLocation(location), properties });
}

/** Terraform sends empty text for what is not said. */
export function readLocation(request: LocationRequest): DocumentationLocation {
  const { type } = request;
  if (!isPartType(type)) {
    throw validationError(
      `1 validation error detected: Value '${type}' at 'createDocumentationPartInput.location.type' failed to satisfy constraint: ` +
        `Member must satisfy enum value set: [${TYPES_AS_LISTED}]`,
    );
  }
  const location = {
    type,
    path: textOrNull(request.path ?? ''),
    method: textOrNull(request.method ?? ''),
    statusCode: textOrNull((request.statusCode ?? '').trim()),
    name: textOrNull(request.name ?? ''),
  };
  const members: readonly LocationMember[] = MEMBERS_OF_TYPE[type];
  for (const member of ['path', 'method', 'statusCode', 'name'] as const) {
    if (location[member] !== null && !members.includes(member))
      throw badRequest(`Invalid location: ${member} cannot be set for documentation part type ${type}`);
  }
  if (members.includes('name') && location.name === null)
    throw badRequest(`Invalid location: name is required for documentation part type ${type}`);
  if (location.path !== null && !location.path.startsWith('/')) throw badRequest('Invalid location: path must start with /');
  if (location.statusCode !== null && !STATUS_CODE.test(location.statusCode))
    throw badRequest('Invalid location: statusCode must be a status code or *');
  return location;
}

function isPartType(type: string): type is DocumentationPartType {
  return Object.hasOwn(MEMBERS_OF_TYPE, type);
}

/** Throws BadRequest unless the part is one that may exist; returns it. */
export function checkDocumentationPart(part: DocumentationPart): DocumentationPart {
  if (part.properties.trim() === '' || isEmptyObject(part.properties))
    throw badRequest('Documentation part properties must be non-empty');
  return part;
}

function isEmptyObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.keys(value).length === 0;
  } catch {
    // said below
  }
  throw badRequest('Documentation part properties must be a JSON object');
}

/** UpdateDocumentationPart; `checkDocumentationPart` judges what comes out. */
export const documentationPartPatchRules: PatchRules<DocumentationPart> = {
  style: 'listsPaths',
  rules: [property('/properties', 'properties', (value) => value)],
};

/** Two locations are the same when they mean the same: nothing said is all paths below `/`, all methods, all statuses. */
export function isSameLocation(a: DocumentationLocation, b: DocumentationLocation): boolean {
  return locationKey(a) === locationKey(b);
}

/** The same text for the same location. */
export function locationKey({ type, path, method, statusCode, name }: DocumentationLocation): string {
  return JSON.stringify([type, path ?? '/', method ?? '*', statusCode ?? '*', name]);
}

/** Throws Conflict when another part is about the same, LimitExceeded when there are as many as may be. */
export function checkNewPart({ location }: DocumentationPart, others: readonly DocumentationPart[], quotas: Quotas): void {
  if (others.some((other) => isSameLocation(other.location, location)))
    throw conflict(`Documentation part already exists for the specified location: type '${location.type}'.`);
  checkPartCount(others.length, quotas);
}

/** Throws LimitExceeded when the API has as many as it may have. */
export function checkPartCount(count: number, quotas: Quotas): void {
  checkRoom(quotas, 'documentationParts', count, 'Maximum number of Documentation parts for this API has been reached.');
}

export function newDocumentationVersion(
  apiId: string,
  version: string,
  description: string | undefined,
  createdAtMs: number,
  parts: readonly DocumentationPart[],
): DocumentationVersion {
  if (version.trim() === '') throw badRequest('Documentation version must be non-empty');
  if (parts.length === 0) throw badRequest('Documentation version cannot be created: the API has no documentation parts');
  return {
    apiId,
    id: version,
    description: textOrNull(description ?? ''),
    createdAtMs,
    parts: parts.map(({ location, properties }) => ({ location, properties })),
  };
}

/** UpdateDocumentationVersion. */
export const documentationVersionPatchRules: PatchRules<DocumentationVersion> = {
  style: 'listsPaths',
  rules: [property('/description', 'description', textOrNull)],
};

export const unknownDocumentationPart = (): Error => notFound('Invalid Documentation part identifier specified');
export const unknownDocumentationVersion = (): Error => notFound('Invalid Documentation version specified');
export const documentationVersionExists = (version: string): Error => conflict(`Documentation version ${version} already exists`);
