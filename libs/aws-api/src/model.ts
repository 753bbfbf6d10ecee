/** A service of AWS as data: what src/gen holds and the protocol code reads. */
export interface ServiceModel {
  readonly id: ServiceId;
  /** The service in the credential scope of a signature. */
  readonly signingName: string;
  readonly operations: Readonly<Record<string, OperationModel>>;
  readonly shapes: Readonly<Record<string, ShapeModel>>;
  readonly enums: Readonly<Record<string, readonly string[]>>;
  readonly errors: Readonly<Record<string, ErrorModel>>;
}

export type ServiceId = 'ApiGateway' | 'ApiGatewayV2' | 'ApiGatewayManagement' | 'Lambda';

export interface OperationModel {
  readonly name: string;
  readonly httpMethod: string;
  /** Path with `{label}` and `{label+}`, then a fixed query such as `?mode=import`. */
  readonly uri: string;
  readonly status: number;
  /** Names of shapes; `null` for none. */
  readonly input: string | null;
  readonly output: string | null;
}

/** A structure's members; required ones come first. */
export type ShapeModel = readonly MemberModel[];

export interface MemberModel {
  /** The name in our TypeScript types, which is the SDK's. */
  readonly name: string;
  readonly binding: Binding;
  /** JSON member, query parameter, or lower-case header name; the label's name in the path. */
  readonly wireName: string;
  readonly type: TypeModel;
  readonly isRequired: boolean;
}

export type Binding = 'label' | 'query' | 'queryParams' | 'header' | 'payload' | 'body' | 'statusCode';

export type TypeModel =
  | 'string'
  | 'boolean'
  | 'integer'
  | 'double'
  | 'blob'
  | TimestampFormat
  | { readonly enum: string }
  | { readonly list: TypeModel }
  | { readonly map: TypeModel }
  | { readonly shape: string };

export type TimestampFormat = 'epochSeconds' | 'isoDateTime' | 'httpDate';

export interface ErrorModel {
  readonly status: number;
  readonly shape: string;
}
