import { SNAPSHOT_FORMAT, type RouteSnapshot, type StageSnapshot } from '@gatehouse/contracts';

/** `GET /` that nobody may not call, with a mock behind it; every member can be given. */
export function routeSnapshot(over: Partial<RouteSnapshot> = {}): RouteSnapshot {
  return {
    resourceId: 'res123',
    path: '/',
    httpMethod: 'GET',
    operationName: null,
    apiKeyRequired: false,
    authorization: { type: 'NONE' },
    throttle: null,
    integration: {
      type: 'MOCK',
      passthroughBehavior: 'WHEN_NO_MATCH',
      requestTemplates: { 'application/json': '{"statusCode": 200}' },
      responses: [{ statusCode: 200, selectionPattern: null, responseParameters: {}, responseTemplates: {} }],
    },
    ...over,
  };
}

/** Stage `dev` of API `abc123defg`, with one route; every member can be given. */
export function stageSnapshot(over: Partial<StageSnapshot> = {}): StageSnapshot {
  return {
    format: SNAPSHOT_FORMAT,
    tenant: '123456789012',
    region: 'us-east-1',
    apiId: 'abc123defg',
    apiName: 'pets',
    stage: 'dev',
    deploymentId: 'dep123',
    stageVariables: {},
    apiKeySource: 'HEADER',
    binaryMediaTypes: [],
    disableExecuteApiEndpoint: false,
    accountThrottle: null,
    routes: [routeSnapshot()],
    gatewayResponses: [],
    ...over,
  };
}
