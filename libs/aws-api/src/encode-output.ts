/** The handler's output, or its error, as the response: status, headers and body as the model binds them. */
import type { MemberModel, OperationModel, ServiceModel, TypeModel } from './model.js';

export interface WireResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

type Structure = Readonly<Record<string, unknown>>;

const NO_CONTENT = 204;

/** Encodes what a handler of `operation` returned. */
export function encodeOutput(service: ServiceModel, operation: OperationModel, output: unknown): WireResponse {
  if (operation.output === null) return { status: operation.status, headers: {}, body: '' };
  const members = service.shapes[operation.output]!;
  const source = output as Structure;
  const headers: Record<string, string> = {};
  let status = operation.status;
  let body: string | Uint8Array = '';
  let contentType = 'application/json';
  for (const { binding, name, wireName, type } of members) {
    const value = source[name];
    if (value === undefined || value === null) continue;
    if (binding === 'header') headers[wireName] = headerText(value);
    else if (binding === 'statusCode') status = value as number;
    else if (binding === 'payload') {
      body = type === 'blob' ? (value as Uint8Array) : JSON.stringify(jsonOf(service, type, value));
      // Lambda's payloads are JSON by contract; API Gateway's are downloads.
      if (type === 'blob' && service.id !== 'Lambda') contentType = 'application/octet-stream';
    }
  }
  // A modelled empty structure is `{}`; a shape bound to headers alone has no body.
  if (status !== NO_CONTENT && (members.length === 0 || members.some(({ binding }) => binding === 'body'))) {
    body = JSON.stringify(structureJson(service, members, source));
  }
  if (body.length > 0) headers['content-type'] ??= contentType;
  return { status, headers, body };
}

export interface WireError {
  readonly type: string;
  readonly status: number;
  readonly message: string;
  /** Further members of the modelled error, by their SDK names. */
  readonly members: Structure;
}

/** The type travels in a header and the body holds the message; `service` is `null` where none could be found. */
export function encodeError(service: ServiceModel | null, error: WireError): WireResponse {
  const headers: Record<string, string> = { 'x-amzn-errortype': error.type, 'content-type': 'application/json' };
  const members = service?.shapes[service.errors[error.type]?.shape ?? ''] ?? [];
  const messageName = members.find(({ name }) => /^message$/i.test(name))?.wireName ?? 'message';
  // Lambda tells its clients whose fault it was.
  const body: Record<string, unknown> = service?.id === 'Lambda' ? { Type: error.status < 500 ? 'User' : 'Service' } : {};
  body[messageName] = error.message;
  for (const [name, value] of Object.entries(error.members)) {
    const member = members.find((candidate) => candidate.name === name);
    if (member?.binding === 'header') headers[member.wireName] = headerText(value);
    else body[member?.wireName ?? name] = member ? jsonOf(service!, member.type, value) : value;
  }
  return { status: error.status, headers, body: JSON.stringify(body) };
}

function structureJson(service: ServiceModel, members: readonly MemberModel[], source: Structure): Structure {
  const result: Record<string, unknown> = {};
  for (const { binding, name, wireName, type } of members) {
    const value = source[name];
    if (binding !== 'body' || value === undefined || value === null) continue;
    result[wireName] = isTemplates(service, name) ? emptyAsNull(value as Structure) : jsonOf(service, type, value);
  }
  return result;
}

// v1 answers an empty mapping template as null; the one place where null is on the wire.
function isTemplates(service: ServiceModel, name: string): boolean {
  return service.id === 'ApiGateway' && (name === 'requestTemplates' || name === 'responseTemplates');
}

function emptyAsNull(templates: Structure): Structure {
  return Object.fromEntries(Object.entries(templates).map(([contentType, text]) => [contentType, text === '' ? null : text]));
}

function jsonOf(service: ServiceModel, type: TypeModel, value: unknown): unknown {
  if (typeof type === 'object') {
    if ('enum' in type) return value;
    if ('list' in type) return (value as unknown[]).map((item) => jsonOf(service, type.list, item));
    if ('shape' in type) return structureJson(service, service.shapes[type.shape]!, value as Structure);
    return Object.fromEntries(
      Object.entries(value as Structure)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => [key, jsonOf(service, type.map, item)]),
    );
  }
  switch (type) {
    case 'blob':
      return Buffer.from(value as Uint8Array).toString('base64');
    case 'epochSeconds':
      return (value as Date).getTime() / 1000;
    case 'isoDateTime':
      return (value as Date).toISOString().replace('.000Z', 'Z');
    case 'httpDate':
      return (value as Date).toUTCString();
    default:
      return value;
  }
}

/** Names of tenants' things reach headers (a download's file name); nothing in them may end the header. */
function headerText(value: unknown): string {
  return String(value).replace(/[^\x20-\x7e]/g, '?');
}
