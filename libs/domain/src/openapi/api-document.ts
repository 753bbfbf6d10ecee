/**
 * What an OpenAPI document says of a REST API, in the words of the management API: each member is the request that the single
 * operation would have got. Parts are named, not numbered: ids come with `assemble`.
 */
import type { AuthorizerRequest } from '../api-parts/authorizer.js';
import type { LocationRequest } from '../api-parts/documentation.js';
import type { GatewayResponseRequest } from '../api-parts/gateway-response.js';
import type { ModelRequest } from '../api-parts/model.js';
import type { IntegrationRequest, IntegrationResponseRequest } from '../rest-apis/integration-rules.js';
import type { MethodRequest, MethodResponseRequest } from '../rest-apis/method-rules.js';
import type { RestApiRequest } from '../rest-apis/rest-api-rules.js';

export interface ApiDocument {
  /** Absent members were not said. */
  readonly settings: Omit<Partial<RestApiRequest>, 'tags'>;
  readonly models: readonly ModelRequest[];
  readonly requestValidators: readonly ValidatorEntry[];
  readonly authorizers: readonly AuthorizerRequest[];
  readonly gatewayResponses: readonly { readonly type: string; readonly request: GatewayResponseRequest }[];
  /** In the order of the document; two entries may mean the same path. */
  readonly paths: readonly PathEntry[];
  /** `null`: the document has no documentation extension. */
  readonly documentation: readonly DocumentationEntry[] | null;
  /** What was left out, and why. */
  readonly warnings: readonly string[];
  /** What cannot be read as the request it should be. */
  readonly errors: readonly string[];
}

export interface ValidatorEntry {
  readonly name: string;
  readonly validateRequestBody: boolean;
  readonly validateRequestParameters: boolean;
}

export interface PathEntry {
  /** With the base path in front, if that was asked for; `/pets/{id}`. */
  readonly path: string;
  readonly methods: readonly MethodEntry[];
}

export interface MethodEntry {
  readonly httpMethod: string;
  /** Without ids of authorizer and validator. */
  readonly request: MethodRequest;
  readonly authorizerName: string | null;
  readonly requestValidatorName: string | null;
  readonly responses: readonly { readonly statusCode: string; readonly request: MethodResponseRequest }[];
  readonly integration: IntegrationRequest | null;
  readonly integrationResponses: readonly { readonly statusCode: string; readonly request: IntegrationResponseRequest }[];
}

export interface DocumentationEntry {
  readonly location: LocationRequest;
  /** JSON text. */
  readonly properties: string;
}

export const BASE_PATH_MODES = ['ignore', 'prepend', 'split'] as const;
export type BasePathMode = (typeof BASE_PATH_MODES)[number];

export interface ReadOptions {
  /** Models refer to one another by the id of their API. */
  readonly apiId: string;
  readonly basePath: BasePathMode;
}
