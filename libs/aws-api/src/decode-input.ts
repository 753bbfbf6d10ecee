/**
 * The request as the operation's input: labels, query, headers, body or payload into members, checked for type, presence
 * and enums. Unknown members are ignored and `null` counts as absent, as in the real service.
 */
import { Constraints } from './constraints.js';
import type { MemberModel, OperationModel, ServiceModel, TimestampFormat, TypeModel } from './model.js';
import { ProtocolError, serializationError } from './protocol-error.js';
import type { QueryParameter } from './query.js';

export interface OperationRequest {
  readonly labels: Readonly<Record<string, string>>;
  readonly query: readonly QueryParameter[];
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

type Json = Readonly<Record<string, unknown>>;

/** Throws ProtocolError: SerializationException for wrong types, ValidationException for all broken constraints together. */
export function decodeInput(
  service: ServiceModel,
  operation: OperationModel,
  request: OperationRequest,
): Record<string, unknown> {
  if (operation.input === null) return {};
  return new InputDecoder(service, operation, request).decode(service.shapes[operation.input]!);
}

class InputDecoder {
  private readonly constraints: Constraints;

  constructor(
    private readonly service: ServiceModel,
    private readonly operation: OperationModel,
    private readonly request: OperationRequest,
  ) {
    this.constraints = new Constraints(service, operation);
  }

  decode(members: readonly MemberModel[]): Record<string, unknown> {
    const body = members.some(({ binding }) => binding === 'body') ? this.readBody() : {};
    const input: Record<string, unknown> = {};
    for (const member of members) {
      const path = member.binding === 'body' ? this.constraints.bodyPath(member.wireName) : member.name;
      const value = this.readMember(member, members, body, path);
      if (member.isRequired) this.constraints.checkPresent(value, path);
      if (member.name === 'statusCode') this.constraints.checkStatusCode(value, path);
      if (value !== undefined) input[member.name] = value;
    }
    this.constraints.throwIfViolated();
    return input;
  }

  private readMember(member: MemberModel, members: readonly MemberModel[], body: Json, path: string): unknown {
    const { binding, wireName, type } = member;
    switch (binding) {
      case 'label':
        return this.fromText(this.request.labels[wireName]!, type, path);
      case 'header': {
        const text = this.request.headers[wireName];
        return text === undefined ? undefined : this.fromText(text, type, path);
      }
      case 'query':
        return this.fromQuery(wireName, type, path);
      case 'queryParams':
        return this.queryMap(members);
      case 'payload':
        return this.fromPayload(member, path);
      case 'body':
        return this.fromJson(body[wireName], type, path);
      case 'statusCode':
        return undefined;
    }
  }

  private readBody(): Json {
    if (this.request.body.length === 0) return {};
    const contentType = this.request.headers['content-type'];
    if (contentType !== undefined && contentType !== '' && !/^[\w.+-]+\/([\w.+-]+\+|x-amz-)?json\b/i.test(contentType)) {
      throw new ProtocolError(
        'UnsupportedMediaTypeException',
        415,
        `The body of ${this.operation.name} must be application/json, not '${contentType}'`,
      );
    }
    return structureOf(parseJson(this.request.body));
  }

  private fromPayload({ type, isRequired }: MemberModel, path: string): unknown {
    const { body } = this.request;
    if (body.length === 0 && !isRequired) return undefined;
    return type === 'blob' ? body : this.fromJson(body.length === 0 ? undefined : parseJson(body), type, path);
  }

  private fromQuery(wireName: string, type: TypeModel, path: string): unknown {
    const texts = this.request.query.filter(([name]) => name === wireName).map(([, value]) => value);
    if (texts.length === 0) return undefined;
    if (typeof type === 'object' && 'list' in type) return texts.map((text) => this.fromText(text, type.list, path));
    return this.fromText(texts[0]!, type, path);
  }

  /** All parameters that have no member of their own, such as `?basepath=prepend` of an import. */
  private queryMap(members: readonly MemberModel[]): Record<string, string> | undefined {
    const named = new Set(members.filter(({ binding }) => binding === 'query').map(({ wireName }) => wireName));
    for (const part of this.operation.uri.split('?')[1]?.split('&') ?? []) named.add(part.split('=')[0]!);
    const entries = this.request.query.filter(([name]) => !named.has(name) && !/^x-amz-/i.test(name));
    return entries.length === 0 ? undefined : Object.fromEntries(entries.toReversed());
  }

  private fromText(text: string, type: TypeModel, path: string): unknown {
    if (typeof type === 'object' && 'enum' in type) this.constraints.checkEnum(text, type.enum, path);
    switch (type) {
      case 'boolean':
        if (text === 'true' || text === 'false') return text === 'true';
        throw conversionError(text, 'Boolean');
      case 'integer':
      case 'double':
        if (!/^-?\d+(\.\d+)?$/.test(text)) throw conversionError(text, type === 'integer' ? 'Integer' : 'Double');
        return this.fromJson(Number(text), type, path);
      case 'epochSeconds':
      case 'isoDateTime':
      case 'httpDate':
        return timestamp(text, type);
      default:
        return text;
    }
  }

  private fromJson(value: unknown, type: TypeModel, path: string): unknown {
    if (value === undefined || value === null) return undefined;
    if (typeof type === 'object') return this.compound(value, type, path);
    switch (type) {
      case 'string':
        return scalar(value, 'string', 'String');
      case 'boolean':
        return scalar(value, 'boolean', 'Boolean');
      case 'double':
        return scalar(value, 'number', 'Double');
      case 'integer': {
        const whole = Math.trunc(scalar(value, 'number', 'Integer') as number);
        if (!Number.isSafeInteger(whole)) throw conversionError(value, 'Integer');
        return whole;
      }
      case 'blob':
        return base64(scalar(value, 'string', 'Blob') as string);
      case 'epochSeconds':
      case 'isoDateTime':
      case 'httpDate':
        return timestamp(value, type);
    }
  }

  private compound(value: unknown, type: Extract<TypeModel, object>, path: string): unknown {
    if ('enum' in type) {
      const text = scalar(value, 'string', 'String') as string;
      this.constraints.checkEnum(text, type.enum, path);
      return text;
    }
    if ('list' in type) return this.list(value, type.list, path);
    if ('map' in type) {
      // Object.fromEntries defines properties, so a key "__proto__" stays a key.
      return Object.fromEntries(
        Object.entries(structureOf(value))
          .map(([key, item]) => [key, this.fromJson(item, type.map, `${path}.${key}.member`)] as const)
          .filter(([, item]) => item !== undefined),
      );
    }
    return this.structure(structureOf(value), this.service.shapes[type.shape]!, path);
  }

  private list(value: unknown, type: TypeModel, path: string): unknown[] {
    if (!Array.isArray(value)) throw serializationError('Expected list or null');
    if (typeof type === 'object' && 'enum' in type) {
      const texts = present(value).map((item) => scalar(item, 'string', 'String') as string);
      this.constraints.checkEnumList(texts, type.enum, path);
      return texts;
    }
    return present(value).map((item, index) => this.fromJson(item, type, `${path}.${index + 1}.member`));
  }

  private structure(source: Json, members: readonly MemberModel[], path: string): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const { name, wireName, type, isRequired } of members) {
      const memberPath = `${path}.${wireName}`;
      const value = this.fromJson(source[wireName], type, memberPath);
      if (isRequired) this.constraints.checkPresent(value, memberPath);
      if (value !== undefined) result[name] = value;
    }
    return result;
  }
}

function present(items: readonly unknown[]): unknown[] {
  return items.filter((item) => item !== null);
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    throw serializationError('The request body is not valid JSON');
  }
}

function structureOf(value: unknown): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw serializationError('Expected map or null');
  return value as Json;
}

function scalar(value: unknown, expected: 'string' | 'boolean' | 'number', javaType: string): unknown {
  if (typeof value !== expected) throw conversionError(value, javaType);
  return value;
}

// The classes of the real service's JSON reader; clients' tests compare these texts.
const JAVA_CLASSES: Readonly<Record<string, string>> = {
  boolean: 'java.lang.Boolean',
  number: 'com.amazon.coral.value.json.numbers.TruncatingBigNumber',
  string: 'java.lang.String',
};

function conversionError(value: unknown, javaType: string): ProtocolError {
  if (Array.isArray(value)) return serializationError('Start of list found where not expected');
  if (typeof value === 'object') return serializationError('Start of structure or map found where not expected.');
  return serializationError(`class ${JAVA_CLASSES[typeof value]} can not be converted to an ${javaType}`);
}

function base64(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw serializationError('A binary member must be base64');
  return Buffer.from(text, 'base64');
}

/** Both JSON forms are taken wherever a timestamp may stand. */
function timestamp(value: unknown, format: TimestampFormat): Date {
  if (typeof value !== 'number' && typeof value !== 'string') throw conversionError(value, 'Date');
  const isSeconds = typeof value === 'number' || (format === 'epochSeconds' && /^-?\d+(\.\d+)?$/.test(value));
  const date = new Date(isSeconds ? Math.round(Number(value) * 1000) : value);
  if (Number.isNaN(date.getTime())) throw conversionError(value, 'Date');
  return date;
}
