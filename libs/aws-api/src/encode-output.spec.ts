import { describe, expect, test } from 'vitest';
import { ApiGateway, ApiGatewayV2, encodeError, encodeOutput, Lambda, type ServiceModel, type WireResponse } from './index.js';

const encoded = (service: ServiceModel, operation: string, output: unknown): WireResponse =>
  encodeOutput(service, service.operations[operation]!, output);
const json = { 'content-type': 'application/json' };

describe('an output', () => {
  const createdDate = new Date(Date.UTC(2026, 10, 20, 10, 11, 12, 500));
  test('of v1 lists under `item`, with seconds since the epoch', () => {
    expect(
      encoded(ApiGateway.model, 'GetRestApis', { items: [{ id: 'a', createdDate, description: undefined }], position: 'p' }),
    ).toEqual({
      status: 200,
      headers: json,
      body: '{"item":[{"id":"a","createdDate":1795169472.5}],"position":"p"}',
    });
  });
  test('of v2 has camel case and ISO timestamps', () => {
    expect(
      encoded(ApiGatewayV2.model, 'CreateApi', { ApiId: 'a', CreatedDate: new Date(Date.UTC(2026, 10, 20)), Tags: {} }),
    ).toEqual({
      status: 201,
      headers: json,
      body: '{"apiId":"a","createdDate":"2026-11-20T00:00:00Z","tags":{}}',
    });
  });
  test('has the status of the model', () => {
    expect(encoded(ApiGateway.model, 'UpdateMethodResponse', {}).status).toBe(201);
    expect(encoded(ApiGateway.model, 'DeleteRestApi', undefined)).toEqual({ status: 202, headers: {}, body: '' });
    expect(encoded(ApiGateway.model, 'DeleteMethod', undefined)).toEqual({ status: 204, headers: {}, body: '' });
  });
  test('answers an empty v1 template as null', () => {
    expect(encoded(ApiGateway.model, 'PutIntegration', { requestTemplates: { 'application/json': '' } }).body).toBe(
      '{"requestTemplates":{"application/json":null}}',
    );
  });
  test('that is a modelled empty structure is {}', () => {
    expect(encoded(ApiGatewayV2.model, 'TagResource', {})).toEqual({ status: 201, headers: json, body: '{}' });
    // A 204 has no body, whatever the model says of its shape.
    expect(encoded(Lambda.model, 'DeleteCodeSigningConfig', {})).toEqual({ status: 204, headers: {}, body: '' });
  });
  test('of Invoke is its payload, with status and headers of its own', () => {
    const output = { StatusCode: 202, FunctionError: 'Unhandled', ExecutedVersion: '$LATEST', Payload: Buffer.from('{}') };
    expect(encoded(Lambda.model, 'Invoke', output)).toEqual({
      status: 202,
      headers: { ...json, 'x-amz-function-error': 'Unhandled', 'x-amz-executed-version': '$LATEST' },
      body: Buffer.from('{}'),
    });
    expect(encoded(Lambda.model, 'Invoke', { StatusCode: 204 })).toEqual({ status: 204, headers: {}, body: '' });
    // Lambda's DeleteFunction chooses its own status.
    expect(encoded(Lambda.model, 'DeleteFunction', { StatusCode: 204 })).toEqual({ status: 204, headers: {}, body: '' });
  });
  test('cannot break out of a header', () => {
    const output = { contentDisposition: 'attachment; filename="a\r\nset-cookie: x"', body: Buffer.from('x') };
    expect(encoded(ApiGateway.model, 'GetExport', output).headers).toEqual({
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment; filename="a??set-cookie: x"',
    });
  });
});

describe('an error', () => {
  test('has its type in a header and its message in the body', () => {
    const error = { type: 'NotFoundException', status: 404, message: 'Invalid API identifier specified 1:a', members: {} };
    expect(encodeError(ApiGateway.model, error)).toEqual({
      status: 404,
      headers: { ...json, 'x-amzn-errortype': 'NotFoundException' },
      body: '{"message":"Invalid API identifier specified 1:a"}',
    });
  });
  test('puts modelled members where the model binds them', () => {
    const throttled = { type: 'TooManyRequestsException', status: 429, message: 'slow', members: { retryAfterSeconds: '2' } };
    expect(encodeError(ApiGateway.model, throttled).headers['retry-after']).toBe('2');
    const missing = { type: 'NotFoundException', status: 404, message: 'gone', members: { ResourceType: 'Api' } };
    expect(encodeError(ApiGatewayV2.model, missing).body).toBe('{"message":"gone","resourceType":"Api"}');
  });
  test('of Lambda says whose fault it is, in the spelling of its model', () => {
    const error = { type: 'ResourceNotFoundException', status: 404, message: 'Function not found', members: {} };
    expect(encodeError(Lambda.model, error).body).toBe('{"Type":"User","Message":"Function not found"}');
    expect(encodeError(Lambda.model, { ...error, type: 'InvalidParameterValueException' }).body).toBe(
      '{"Type":"User","message":"Function not found"}',
    );
    expect(encodeError(Lambda.model, { ...error, type: 'ServiceException', status: 500 }).body).toBe(
      '{"Type":"Service","Message":"Function not found"}',
    );
  });
});
