import { expect, test } from 'vitest';
import type { Integration, Method, Resource } from '../rest-apis/rest-api.js';
import { definitionDigest, freezeDefinition } from './definition.js';
import type { DeployedParts } from './deployment.js';
import { sampleRestApi } from '../rest-apis/samples.js';

const api = sampleRestApi({ id: 'abcdefghij' });
const resource = (id: string, path: string): Resource => ({ apiId: api.id, id, parentId: null, pathPart: null, path });
const mock: Integration = {
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
  cacheNamespace: 'x',
  cacheKeyParameters: [],
  tlsConfig: null,
  responseTransferMode: null,
  integrationTarget: null,
  integrationResponses: {},
};
const method = (resourceId: string, httpMethod: string, integration: Integration | null = mock): Method => ({
  apiId: api.id,
  resourceId,
  httpMethod,
  authorizationType: 'NONE',
  authorizerId: null,
  authorizationScopes: [],
  apiKeyRequired: false,
  operationName: null,
  requestValidatorId: null,
  requestParameters: null,
  requestModels: null,
  methodResponses: {},
  integration,
});

const resources = [
  resource('root', '/'),
  resource('a', '/Pets'),
  resource('b', '/pets'),
  resource('c', '/pets/{id}'),
  resource('d', '/é'),
];
const methods = [method('root', 'GET'), method('b', 'GET'), method('b', 'POST'), method('c', 'ANY'), method('d', 'GET')];

const parts: DeployedParts = { models: [], requestValidators: [], authorizers: [], gatewayResponses: [] };

test('an API freezes to the same bytes in whatever order its parts were read', () => {
  const frozen = freezeDefinition(api, resources, methods, parts);
  const reversed = freezeDefinition(api, [...resources].reverse(), [...methods].reverse(), parts);
  expect(reversed).toEqual(frozen);
  expect(definitionDigest(reversed)).toBe(definitionDigest(frozen));
  expect(frozen.resources.map((r) => r.path)).toEqual(['/', '/Pets', '/pets', '/pets/{id}', '/é']);
  expect(frozen.methods.map((m) => `${m.resourceId} ${m.httpMethod}`)).toEqual(['root GET', 'b GET', 'b POST', 'c ANY', 'd GET']);
});

test('any difference in the definition changes its digest', () => {
  const digest = definitionDigest(freezeDefinition(api, resources, methods, parts));
  expect(definitionDigest(freezeDefinition(api, resources, methods.slice(1), parts))).not.toBe(digest);
  expect(definitionDigest(freezeDefinition({ ...api, binaryMediaTypes: ['*/*'] }, resources, methods, parts))).not.toBe(digest);
});

test('an API without methods is not deployable', () => {
  expect(() => freezeDefinition(api, resources, [], parts)).toThrow("The REST API doesn't contain any methods");
});

test('a method without integration is not deployable', () => {
  expect(() => freezeDefinition(api, resources, [...methods, method('a', 'GET', null)], parts)).toThrow(
    'No integration defined for method',
  );
});
