import { freezeDefinition, type RestApi, type RestApiDefinition } from '@gatehouse/domain';

/** An API with one method, at its root. */
export const oneMethodDefinition = (api: RestApi): RestApiDefinition =>
  freezeDefinition(
    api,
    [{ apiId: api.id, id: 'root', parentId: null, pathPart: null, path: '/' }],
    [
      {
        apiId: api.id,
        resourceId: 'root',
        httpMethod: 'GET',
        authorizationType: 'NONE',
        authorizerId: null,
        authorizationScopes: [],
        apiKeyRequired: false,
        operationName: null,
        requestValidatorId: null,
        requestParameters: null,
        requestModels: null,
        methodResponses: {},
        integration: {
          type: 'HTTP_PROXY',
          httpMethod: 'GET',
          uri: 'http://backend.example/',
          connectionType: 'INTERNET',
          connectionId: null,
          credentials: null,
          requestParameters: null,
          requestTemplates: null,
          passthroughBehavior: 'WHEN_NO_MATCH',
          contentHandling: null,
          timeoutInMillis: 29_000,
          cacheNamespace: 'root',
          cacheKeyParameters: [],
          tlsConfig: null,
          responseTransferMode: null,
          integrationTarget: null,
          integrationResponses: {},
        },
      },
    ],
    { models: [], requestValidators: [], authorizers: [], gatewayResponses: [] },
  );
