import { describe, expect, test } from 'vitest';
import { checkHttpUri, checkProxyUri, checkServiceUri } from './integration-uri.js';
import {
  checkRequestMapping,
  checkRequestParameters,
  checkResponseMapping,
  checkResponseParameter,
} from './mapping-expressions.js';
import { AWS_QUOTAS } from '../tenancy/quotas.js';
import { checkContentType, readTemplate } from './templates.js';

const bad = (expression: string): string =>
  `Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: ${expression}]`;
const undeclared = (parameter: string): string =>
  `Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: ${parameter}]`;

describe('request parameters of a method', () => {
  for (const parameter of ['method.request.querystring.q', 'method.request.path.id', 'method.request.header.X-Api.Version_1$']) {
    test(parameter, () => checkRequestParameters({ [parameter]: true }));
  }
  for (const parameter of [
    'q',
    'method.request.body',
    'method.request.cookie.x',
    'method.request.header.',
    'method.request.header.a b',
    'method.request.header',
    'integration.request.header.x',
    'method.response.header.x',
    'method.request.multivalueheader.x',
    'method.request.header.x\ny',
    'method.request.__proto__.x',
  ]) {
    test(`${JSON.stringify(parameter)} is refused`, () => {
      expect(() => checkRequestParameters({ [parameter]: true })).toThrow(expect.objectContaining({ message: bad(parameter) }));
    });
  }
  test('a name stands in one place only', () => {
    expect(() => checkRequestParameters({ 'method.request.querystring.id': true, 'method.request.header.id': false })).toThrow(
      'Parameter names must be unique across querystring, header and path',
    );
  });
});

describe('mappings of a request', () => {
  const declared = { 'method.request.path.id': true, 'method.request.querystring.q': false, 'method.request.header.h': false };
  for (const [destination, source] of [
    ['integration.request.path.id', 'method.request.path.id'],
    ['integration.request.header.X', 'method.request.multivalueheader.h'],
    ['integration.request.querystring.q', 'method.request.multivaluequerystring.q'],
    ['integration.request.header.a', "'static, text'"],
    ['integration.request.header.a', "''"],
    ['integration.request.header.a', "'it's'"],
    ['integration.request.header.a', 'method.request.body'],
    ['integration.request.header.a', 'method.request.body.$.pets[0].name'],
    ['integration.request.header.a', 'context.authorizer.claims.cognito:username'],
    ['integration.request.header.a', 'stageVariables.version'],
  ] as const) {
    test(`${destination} <- ${source}`, () => checkRequestMapping(destination, source, declared));
  }
  for (const [destination, source, message] of [
    ['integration.request.cookie.x', "'x'", bad('integration.request.cookie.x')],
    ['method.request.header.x', "'x'", bad('method.request.header.x')],
    ['integration.request.header.', "'x'", bad('integration.request.header.')],
    ['integration.request.header.a', 'static', bad('static')],
    ['integration.request.header.a', "'", bad("'")],
    ['integration.request.header.a', "'x\r\nEvil: y'", bad("'x\r\nEvil: y'")],
    ['integration.request.header.a', '', bad('')],
    ['integration.request.header.a', 'context.', bad('context.')],
    ['integration.request.header.a', 'method.request.body.', bad('method.request.body.')],
    ['integration.request.header.a', 'method.request.constructor.x', bad('method.request.constructor.x')],
    ['integration.request.header.a', 'integration.response.header.x', bad('integration.response.header.x')],
    ['integration.request.header.a', 'method.request.header.other', undeclared('method.request.header.other')],
    ['integration.request.header.a', 'method.request.multivalueheader.q', undeclared('method.request.multivalueheader.q')],
  ] as const) {
    test(`${JSON.stringify(destination)} <- ${JSON.stringify(source)} is refused`, () => {
      expect(() => checkRequestMapping(destination, source, declared)).toThrow(expect.objectContaining({ message }));
    });
  }
});

describe('mappings of a response', () => {
  const declared = { 'method.response.header.X': true };
  for (const source of [
    'integration.response.header.Y',
    'integration.response.multivalueheader.Y',
    'integration.response.body',
    'integration.response.body.a.b',
    "'*'",
    'context.requestId',
    'stageVariables.v',
  ]) {
    test(source, () => checkResponseMapping('method.response.header.X', source, declared));
  }
  for (const [destination, source, message] of [
    ['method.response.header.Z', "'*'", undeclared('method.response.header.Z')],
    ['method.response.body', "'*'", bad('method.response.body')],
    ['method.response.header.X', 'method.request.header.a', bad('method.request.header.a')],
    ['method.response.header.X', 'integration.response.header.', bad('integration.response.header.')],
  ] as const) {
    test(`${destination} <- ${source} is refused`, () => {
      expect(() => checkResponseMapping(destination, source, declared)).toThrow(expect.objectContaining({ message }));
    });
  }
  test('a declared response parameter is a header', () => {
    checkResponseParameter('method.response.header.X-A');
    expect(() => checkResponseParameter('method.response.header.a b')).toThrow(bad('method.response.header.a b'));
  });
});

describe('where an HTTP integration may point', () => {
  for (const uri of [
    'http://example.com',
    'https://example.com:8443/a?b=c',
    'http://127.0.0.1:3000/{id}',
    'https://${stageVariables.host}/x',
    'HTTP://x/',
    'http://${stageVariables.a}.example.com:${stageVariables.port}/{proxy}',
    'http://api.${stageVariables.domain}/',
    'http://[::1]:80/',
  ]) {
    test(uri, () => checkHttpUri(uri));
  }
  for (const uri of [
    '',
    'example.com',
    'ftp://example.com',
    '${stageVariables.url}',
    'http://',
    'http:///x',
    'http://a b/',
    'http://x\n',
    'http://a:port/',
    'arn:aws:lambda:x',
  ]) {
    test(`${JSON.stringify(uri)} is refused`, () =>
      expect(() => checkHttpUri(uri)).toThrow('Invalid HTTP endpoint specified for URI'));
  }
});

describe('where an AWS integration may point', () => {
  const lambda = (functionArn: string): string =>
    `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${functionArn}/invocations`;
  const users = 'arn:aws:lambda:us-east-1:123456789012:function:users';
  const proxyOnly = "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.";
  for (const uri of [
    lambda(users),
    lambda(`${users}:live`),
    lambda(`${users}:\${stageVariables.alias}`),
    lambda('arn:aws:lambda:us-east-1:123456789012:function:${stageVariables.fn}'),
    `arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/${users}/response-streaming-invocations`,
    'arn:aws:apigateway:us-east-1:firehose:action/PutRecord',
  ]) {
    test(`AWS_PROXY ${uri}`, () => checkProxyUri(uri));
  }
  for (const [uri, message] of [
    ['', 'Invalid ARN specified in the request'],
    ['http://example.com', 'Invalid ARN specified in the request'],
    [users, 'AWS ARN for integration must contain path or action'],
    ['arn:aws:apigateway:us-east-1:lambda:functions/x', 'AWS ARN for integration must contain path or action'],
    ['arn:aws:apigateway:us-east-1:s3:path/', 'AWS ARN for integration must contain path or action'],
    ['arn:aws:apigateway:us-east-1:dynamodb:action/GetItem', proxyOnly],
    [lambda('users'), proxyOnly],
    ['arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/x', proxyOnly],
  ] as const) {
    test(`AWS_PROXY ${uri} is refused`, () => expect(() => checkProxyUri(uri)).toThrow(expect.objectContaining({ message })));
  }
  test('a service needs a role, a function does not', () => {
    const dynamo = 'arn:aws:apigateway:us-east-1:dynamodb:action/GetItem';
    checkServiceUri(lambda(users), null);
    checkServiceUri(dynamo, 'arn:aws:iam::123456789012:role/reader');
    expect(() => checkServiceUri(dynamo, null)).toThrow('Role ARN must be specified for AWS integrations');
  });
});

describe('templates', () => {
  for (const type of ['application/json', '$default', 'application/vnd.a+json', 'text/plain; charset=utf-8', '*/*']) {
    test(`${type} may have one`, () => checkContentType(type));
  }
  for (const type of ['', 'json', 'application/', 'a/b/c', '__proto__', 'a b/c']) {
    test(`"${type}" may not`, () => {
      expect(() => checkContentType(type)).toThrow(
        `Validation Result: warnings : [], errors : [Invalid content type specified: ${type}]`,
      );
    });
  }
  test('an empty one is kept as none, a large one refused', () => {
    expect(readTemplate('application/json', '', AWS_QUOTAS)).toBeNull();
    expect(readTemplate('application/json', 'x'.repeat(AWS_QUOTAS.templateBytes), AWS_QUOTAS)).toHaveLength(
      AWS_QUOTAS.templateBytes,
    );
    expect(() => readTemplate('application/json', 'ä'.repeat(AWS_QUOTAS.templateBytes), AWS_QUOTAS)).toThrow(
      'exceeds maximum size',
    );
  });
  test('one that does not parse is refused with line and column', () => {
    expect(readTemplate('application/json', '#if($a)1#end', AWS_QUOTAS)).toBe('#if($a)1#end');
    expect(() => readTemplate('text/x', '{\n  #if($a)1\n}', AWS_QUOTAS)).toThrow(
      'Invalid mapping template specified for text/x: #if has no #end; it begins at line 2, column 3',
    );
  });
});
