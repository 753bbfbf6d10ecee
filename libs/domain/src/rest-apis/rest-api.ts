/** Text by name. */
export type TextMap = Readonly<Record<string, string>>;
export type FlagMap = Readonly<Record<string, boolean>>;

export interface RestApi {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly version: string | null;
  readonly createdAtMs: number;
  readonly region: string;
  readonly rootResourceId: string;
  readonly binaryMediaTypes: readonly string[];
  /** Bytes; `null` switches compression off. */
  readonly minimumCompressionSize: number | null;
  readonly apiKeySource: 'HEADER' | 'AUTHORIZER';
  readonly endpointConfiguration: {
    readonly types: readonly string[];
    readonly ipAddressType: string;
    readonly vpcEndpointIds: readonly string[];
  };
  /** JSON text, as given. */
  readonly policy: string | null;
  readonly disableExecuteApiEndpoint: boolean;
  readonly securityPolicy: string | null;
  readonly endpointAccessMode: string | null;
  readonly tags: TextMap;
}

/** A node of the path tree. */
export interface Resource {
  readonly apiId: string;
  readonly id: string;
  /** `null` for the root. */
  readonly parentId: string | null;
  /** `null` for the root; else e.g. `pets`, `{id}`, `{proxy+}`. */
  readonly pathPart: string | null;
  /** From the root, e.g. `/pets/{id}`. */
  readonly path: string;
}

export interface Method {
  readonly apiId: string;
  readonly resourceId: string;
  /** Upper-case verb, or `ANY`. */
  readonly httpMethod: string;
  readonly authorizationType: string;
  readonly authorizerId: string | null;
  readonly authorizationScopes: readonly string[];
  readonly apiKeyRequired: boolean;
  readonly operationName: string | null;
  readonly requestValidatorId: string | null;
  /** `method.request.header.X` to "required". `null` (never given or emptied) is not the same as `{}` on the wire. */
  readonly requestParameters: FlagMap | null;
  readonly requestModels: TextMap | null;
  /** By status code, `"200"`. */
  readonly methodResponses: Readonly<Record<string, MethodResponse>>;
  readonly integration: Integration | null;
}

export interface MethodResponse {
  readonly statusCode: string;
  readonly responseParameters: FlagMap | null;
  readonly responseModels: TextMap | null;
}

export type IntegrationType = 'HTTP' | 'AWS' | 'MOCK' | 'HTTP_PROXY' | 'AWS_PROXY';

export interface Integration {
  readonly type: IntegrationType;
  /** Verb towards the backend; `null` only for MOCK, which ignores it. */
  readonly httpMethod: string | null;
  readonly uri: string | null;
  readonly connectionType: string | null;
  readonly connectionId: string | null;
  readonly credentials: string | null;
  readonly requestParameters: TextMap | null;
  /** Media type to template; an empty template reads back as `null`. */
  readonly requestTemplates: Readonly<Record<string, string | null>> | null;
  readonly passthroughBehavior: string;
  readonly contentHandling: string | null;
  readonly timeoutInMillis: number;
  readonly cacheNamespace: string;
  readonly cacheKeyParameters: readonly string[];
  readonly tlsConfig: { readonly insecureSkipVerification: boolean } | null;
  readonly responseTransferMode: string | null;
  readonly integrationTarget: string | null;
  readonly integrationResponses: Readonly<Record<string, IntegrationResponse>>;
}

export interface IntegrationResponse {
  readonly statusCode: string;
  readonly selectionPattern: string | null;
  readonly responseParameters: TextMap | null;
  readonly responseTemplates: Readonly<Record<string, string | null>> | null;
  readonly contentHandling: string | null;
}
