/** Definitions for specs about documents: everything a document can say, once. */
import { freezeDefinition } from '../deployments/definition.js';
import type { DeployedParts, RestApiDefinition } from '../deployments/deployment.js';
import { newMethod } from '../rest-apis/method-rules.js';
import type { Method, Resource, RestApi } from '../rest-apis/rest-api.js';
import { sampleRestApi } from '../rest-apis/samples.js';

export const SAMPLE_API_ID = 'api1234567';
export const FUNCTION_URI =
  'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111111111111:function:pets/invocations';
const MODELS = `https://apigateway.amazonaws.com/restapis/${SAMPLE_API_ID}/models`;
const apiId = SAMPLE_API_ID;

const resource = (id: string, parentId: string | null, pathPart: string | null, path: string): Resource => ({
  apiId,
  id,
  parentId,
  pathPart,
  path,
});

export const SAMPLE_RESOURCES: readonly Resource[] = [
  resource('root', null, null, '/'),
  resource('pets12', 'root', 'pets', '/pets'),
  resource('pet123', 'pets12', '{petId}', '/pets/{petId}'),
  resource('empty1', 'root', 'empty', '/empty'),
  resource('proxy1', 'root', 'deep', '/deep'),
  resource('proxy2', 'proxy1', '{proxy+}', '/deep/{proxy+}'),
];

/** A method with a MOCK integration, as requests make it. */
export function sampleMethod(resourceId: string, httpMethod: string, about: Partial<Method> = {}): Method {
  const method = newMethod({ apiId, resourceId, httpMethod }, { authorizationType: 'NONE' });
  return {
    ...method,
    integration: {
      type: 'MOCK',
      httpMethod: null,
      uri: null,
      connectionType: null,
      connectionId: null,
      credentials: null,
      requestParameters: null,
      requestTemplates: null,
      passthroughBehavior: 'WHEN_NO_MATCH',
      contentHandling: null,
      timeoutInMillis: 29_000,
      cacheNamespace: resourceId,
      cacheKeyParameters: [],
      tlsConfig: null,
      responseTransferMode: null,
      integrationTarget: null,
      integrationResponses: {},
    },
    ...about,
  };
}

const response = (statusCode: string, selectionPattern: string | null) => ({
  statusCode,
  selectionPattern,
  responseParameters: null,
  responseTemplates: null,
  contentHandling: null,
});

export const SAMPLE_METHODS: readonly Method[] = [
  sampleMethod('pets12', 'GET', {
    operationName: 'listPets',
    requestParameters: { 'method.request.querystring.page': false, 'method.request.header.X-Trace.id': true },
    requestValidatorId: 'valid1',
    methodResponses: {
      '200': {
        statusCode: '200',
        responseParameters: { 'method.response.header.X-Count': false },
        responseModels: { 'application/json': 'Pets' },
      },
      '404': { statusCode: '404', responseParameters: null, responseModels: null },
    },
    integration: {
      ...sampleMethod('pets12', 'GET').integration!,
      type: 'HTTP',
      httpMethod: 'GET',
      uri: 'http://pets.example/${stageVariables.version}',
      connectionType: 'INTERNET',
      requestParameters: { 'integration.request.querystring.page': 'method.request.querystring.page' },
      cacheKeyParameters: ['method.request.querystring.page'],
      integrationResponses: {
        '200': { ...response('200', null), responseParameters: { 'method.response.header.X-Count': "'1'" } },
        '404': { ...response('404', '4\\d{2}'), responseTemplates: { 'application/json': '{"no": "pet"}', 'text/plain': null } },
        // Never chosen: another one stands for the same pattern.
        '500': response('500', ''),
      },
    },
  }),
  sampleMethod('pets12', 'POST', {
    apiKeyRequired: true,
    authorizationType: 'CUSTOM',
    authorizerId: 'token1',
    requestModels: { 'application/json': 'Pet' },
    integration: {
      ...sampleMethod('pets12', 'POST').integration!,
      type: 'AWS_PROXY',
      httpMethod: 'POST',
      uri: FUNCTION_URI,
      timeoutInMillis: 5_000,
      contentHandling: 'CONVERT_TO_TEXT',
      credentials: 'arn:aws:iam::111111111111:role/call',
    },
  }),
  sampleMethod('pet123', 'GET', { authorizationType: 'AWS_IAM' }),
  sampleMethod('pet123', 'DELETE', {
    authorizationType: 'COGNITO_USER_POOLS',
    authorizerId: 'pools1',
    authorizationScopes: ['pets/write'],
  }),
  sampleMethod('proxy2', 'ANY', {
    requestParameters: { 'method.request.path.proxy': true },
    integration: {
      ...sampleMethod('proxy2', 'ANY').integration!,
      type: 'HTTP_PROXY',
      httpMethod: 'ANY',
      uri: 'https://backend.example/{proxy}',
      connectionType: 'VPC_LINK',
      connectionId: 'link12',
      passthroughBehavior: 'NEVER',
      tlsConfig: { insecureSkipVerification: true },
      requestParameters: { 'integration.request.path.proxy': 'method.request.path.proxy' },
    },
  }),
];

const lambda = {
  apiId,
  authType: null,
  authorizerUri: FUNCTION_URI,
  authorizerCredentials: null,
  providerARNs: [],
  identityValidationExpression: null,
  authorizerResultTtlInSeconds: null,
};

export const SAMPLE_PARTS: DeployedParts = {
  models: [
    {
      apiId,
      id: 'Pet',
      modelId: 'modl01',
      contentType: 'application/json',
      description: 'an animal',
      schema: JSON.stringify({
        $schema: 'http://json-schema.org/draft-04/schema#',
        type: 'object',
        required: ['name'],
        properties: {
          name: { type: 'string' },
          mother: { $ref: `${MODELS}/Pet` },
          legs: { $ref: '#/definitions/Legs' },
          nickname: { $ref: `${MODELS}/Pet#/properties/name` },
          other: { $ref: 'https://apigateway.amazonaws.com/restapis/other12345/models/Pet' },
        },
        definitions: { Legs: { type: 'integer' } },
      }),
    },
    {
      apiId,
      id: 'Pets',
      modelId: 'modl02',
      contentType: 'application/json',
      description: null,
      schema: JSON.stringify({ type: 'array', items: { $ref: `${MODELS}/Pet` } }),
    },
  ],
  requestValidators: [
    { apiId, id: 'valid1', name: 'all', validateRequestBody: true, validateRequestParameters: true },
    { apiId, id: 'valid2', name: null, validateRequestBody: false, validateRequestParameters: true },
  ],
  authorizers: [
    {
      ...lambda,
      id: 'token1',
      name: 'door',
      type: 'TOKEN',
      identitySource: 'method.request.header.Authorization',
      identityValidationExpression: '^Bearer .+$',
      authorizerResultTtlInSeconds: 60,
    },
    {
      ...lambda,
      id: 'reques',
      name: 'window',
      type: 'REQUEST',
      identitySource: 'method.request.querystring.k, context.path',
      authType: 'oauth2',
      authorizerResultTtlInSeconds: 0,
    },
    {
      ...lambda,
      id: 'pools1',
      name: 'pools',
      type: 'COGNITO_USER_POOLS',
      authorizerUri: null,
      identitySource: 'method.request.header.Authorization',
      providerARNs: ['arn:aws:cognito-idp:us-east-1:111111111111:userpool/us-east-1_abc'],
    },
  ],
  gatewayResponses: [
    {
      apiId,
      id: 'THROTTLED',
      statusCode: '420',
      responseParameters: { 'gatewayresponse.header.X-Calm': "'yes'" },
      responseTemplates: { 'application/json': '{}' },
    },
    { apiId, id: 'DEFAULT_5XX', statusCode: null, responseParameters: null, responseTemplates: { 'text/plain': 'sorry' } },
  ],
};

export const SAMPLE_API: RestApi = sampleRestApi({
  description: 'Animals',
  version: '1.2.0',
  apiKeySource: 'AUTHORIZER',
  binaryMediaTypes: ['image/png', 'application/octet-stream'],
  minimumCompressionSize: 1_024,
  policy: '{"Version":"2012-10-17","Statement":[]}',
  disableExecuteApiEndpoint: true,
});

export function sampleDefinition(about: Partial<RestApi> = {}): RestApiDefinition {
  return freezeDefinition({ ...SAMPLE_API, ...about }, SAMPLE_RESOURCES, SAMPLE_METHODS, SAMPLE_PARTS);
}
