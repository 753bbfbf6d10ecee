/** Domain to wire; what is not set is absent. */
import type { ApiGateway } from '@gatehouse/aws-api';
import type {
  Authorizer,
  DocumentationPart,
  DocumentationVersion,
  Model,
  RequestValidator,
  ShownGatewayResponse,
} from '@gatehouse/domain';

export function modelToWire(model: Model): ApiGateway.Model {
  return {
    id: model.modelId,
    name: model.id,
    description: model.description ?? undefined,
    schema: model.schema,
    contentType: model.contentType,
  };
}

export function requestValidatorToWire(validator: RequestValidator): ApiGateway.RequestValidator {
  return {
    id: validator.id,
    name: validator.name ?? undefined,
    validateRequestBody: validator.validateRequestBody,
    validateRequestParameters: validator.validateRequestParameters,
  };
}

/** The console's and the imports' word for the type is `authType`: AWS says "custom" of functions where nothing else was given. */
export function authorizerToWire(authorizer: Authorizer): ApiGateway.Authorizer {
  const { type, providerARNs } = authorizer;
  return {
    id: authorizer.id,
    name: authorizer.name,
    type,
    providerARNs: providerARNs.length === 0 ? undefined : providerARNs,
    authType: authorizer.authType ?? (type === 'COGNITO_USER_POOLS' ? 'cognito_user_pools' : 'custom'),
    authorizerUri: authorizer.authorizerUri ?? undefined,
    authorizerCredentials: authorizer.authorizerCredentials ?? undefined,
    identitySource: authorizer.identitySource ?? undefined,
    identityValidationExpression: authorizer.identityValidationExpression ?? undefined,
    authorizerResultTtlInSeconds: authorizer.authorizerResultTtlInSeconds ?? undefined,
  };
}

export function gatewayResponseToWire(response: ShownGatewayResponse): ApiGateway.GatewayResponse {
  return {
    responseType: response.responseType as ApiGateway.GatewayResponseType,
    statusCode: response.statusCode ?? undefined,
    responseParameters: response.responseParameters,
    responseTemplates: response.responseTemplates,
    defaultResponse: response.isDefault,
  };
}

export function documentationPartToWire({ id, location, properties }: DocumentationPart): ApiGateway.DocumentationPart {
  return {
    id: id === '' ? undefined : id,
    location: {
      type: location.type,
      path: location.path ?? undefined,
      method: location.method ?? undefined,
      statusCode: location.statusCode ?? undefined,
      name: location.name ?? undefined,
    },
    properties: properties === '' ? undefined : properties,
  };
}

export function documentationVersionToWire(version: DocumentationVersion): ApiGateway.DocumentationVersion {
  return {
    version: version.id,
    createdDate: new Date(version.createdAtMs),
    description: version.description ?? undefined,
  };
}
