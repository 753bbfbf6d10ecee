import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { completeTrace, Randomness } from './index.js';
import { isApiHost, parseHost, resolveTarget, type DomainNames } from './target.js';

const SUFFIX = '.localhost';
/** No host is a custom domain name. */
const NOBODYS: DomainNames = { domainName: () => null };
const API = 'abc123.execute-api.localhost';

for (const [header, expected] of [
  ['abc.execute-api.localhost', 'abc.execute-api.localhost'],
  ['ABC.Execute-API.LocalHost:8080', 'abc.execute-api.localhost'],
  ['abc.execute-api.localhost.', 'abc.execute-api.localhost'],
  ['abc.execute-api.localhost.:80', 'abc.execute-api.localhost'],
  ['127.0.0.1:8080', '127.0.0.1'],
  ['[::1]:8080', '[::1]'],
  ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['', null],
  ['a b', null],
  ['a/b', null],
  ['a@b', null],
  ['a:b', null],
  ['-a', null],
  ['a:123456', null],
] as const) {
  test(`host ${JSON.stringify(header)} is ${expected}`, () => {
    expect(parseHost(header)).toBe(expected);
  });
}

for (const [host, url, apiId, stage, path, resourcePath, rawQuery] of [
  [API, '/dev/users', 'abc123', 'dev', '/dev/users', '/users', ''],
  [API, '/dev', 'abc123', 'dev', '/dev', '/', ''],
  [API, '/dev/', 'abc123', 'dev', '/dev/', '/', ''],
  [API, '/dev?a=1?b', 'abc123', 'dev', '/dev', '/', 'a=1?b'],
  [API, '///dev//x/', 'abc123', 'dev', '/dev//x/', '//x/', ''],
  [API, '/dev/a%2Fb;v=1/..c/.d', 'abc123', 'dev', '/dev/a%2Fb;v=1/..c/.d', '/a%2Fb;v=1/..c/.d', ''],
  [API, 'http://ABC123.execute-api.localhost:80/dev/x?y', 'abc123', 'dev', '/dev/x', '/x', 'y'],
  ['127.0.0.1', '/_aws/execute-api/abc123/dev/users/1?q', 'abc123', 'dev', '/dev/users/1', '/users/1', 'q'],
  ['127.0.0.1', '/_aws/execute-api/abc123/dev', 'abc123', 'dev', '/dev', '/', ''],
] as const) {
  test(`${host} ${url} is ${apiId}/${stage} ${resourcePath}`, () => {
    expect(resolveTarget(host, url, SUFFIX, NOBODYS)).toEqual({
      apiId,
      stage,
      region: null,
      path,
      resourcePath,
      rawQuery,
      basePath: null,
    });
  });
}

test('the AWS form of a host names a region', () => {
  expect(resolveTarget('abc123.execute-api.eu-west-1.localhost', '/dev', SUFFIX, NOBODYS)).toMatchObject({
    apiId: 'abc123',
    region: 'eu-west-1',
    stage: 'dev',
  });
  for (const host of [
    'abc123.execute-api.eu.west.localhost',
    'abc123.execute-apis.localhost',
    'abc123.execute-api.evil-localhost',
  ]) {
    expect(resolveTarget(host, '/dev', SUFFIX, NOBODYS)).toBe('UNKNOWN_HOST');
  }
});

// faults.md 21 to 23: one canonical form, or none.
for (const path of [
  '/dev/./x',
  '/dev/../x',
  '/dev/x/..',
  '/dev/%2e%2e/x',
  '/dev/%2E./x',
  '/dev/.%2e',
  '/%2e/dev',
  '/dev/..%2fx',
  '/dev/%2e%2e%5cx',
  '/dev/a%5c..',
  '/dev/%00',
  '/dev/a%0d%0ab',
  '/dev/%7f',
  '/dev/a\\b',
  '/dev/a#b',
  '/dev/%',
  '/dev/%4',
  '/dev/%u0041',
  '/dev/%c0%ae',
  '/dev/%e0%80%af',
  '/dev/%ff',
  '/dev/\u00e9',
  '/dev/a b',
  '/dev/x?a=%',
  '/dev/x?a=%c0%ae',
  '/dev/x?a=1#b',
  '*',
  'dev/x',
  'http://other.example/dev',
  'ftp://abc123.execute-api.localhost/dev',
]) {
  test(`${path} is refused as malformed`, () => {
    expect(resolveTarget(API, path, SUFFIX, NOBODYS)).toBe('MALFORMED');
  });
}

for (const [host, path] of [
  ['localhost', '/dev/x'],
  ['127.0.0.1', '/_aws/execute-api/abc123'],
  ['127.0.0.1', '/_aws/execute-api/abc123/'],
  [API, '/'],
  ['a.b.execute-api.localhost', '/dev'],
  ['.execute-api.localhost', '/dev'],
] as const) {
  test(`${host} ${path} names no stage`, () => {
    expect(resolveTarget(host, path, SUFFIX, NOBODYS)).toBe('UNKNOWN_HOST');
  });
}

test('whatever path is let in, decoding it once shows no dot segment, no control character and no backslash pair', () => {
  const piece = fc.constantFrom(
    'a',
    '.',
    '..',
    '%2e',
    '%2E',
    '%2f',
    '%5c',
    '%5C',
    '%00',
    '%25',
    '%252e',
    '/',
    '\\',
    '#',
    ';',
    '%c3%a9',
    '%',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const target = resolveTarget(API, `/dev/${pieces.join('')}`, SUFFIX, NOBODYS);
      if (typeof target === 'string') return;
      const decoded = decodeURIComponent(target.path);
      expect(decoded.split(/[/\\]/).some((part) => part === '.' || part === '..')).toBe(false);
      expect([...decoded].every((char) => char >= ' ')).toBe(true);
      expect(target.path.endsWith(target.resourcePath) || target.resourcePath === '/').toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

const ROOT = '1-5759e988-bd862e3fe1be46a994272793';
for (const [incoming, expected] of [
  [`Root=${ROOT};Parent=53995c3f42cd8ad8;Sampled=0`, `Root=${ROOT};Parent=53995c3f42cd8ad8;Sampled=0`],
  [`Root=${ROOT};Parent=53995c3f42cd8ad8`, `Root=${ROOT};Parent=53995c3f42cd8ad8;Sampled=1`],
  [`Root=${ROOT}`, new RegExp(`^Root=${ROOT};Parent=[0-9a-f]{16};Sampled=0$`)],
  [`Sampled=1; Self=1-2-3; Root=${ROOT}`, new RegExp(`^Root=${ROOT};Parent=[0-9a-f]{16};Sampled=1$`)],
  [null, /^Root=1-6955b900-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$/],
  ['Root=nonsense;Parent=x;Sampled=maybe', /^Root=1-6955b900-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$/],
] as const) {
  test(`trace header ${incoming} is completed`, () => {
    const completed = completeTrace(incoming, Date.UTC(2026, 0, 1), new Randomness());
    if (typeof expected === 'string') expect(completed).toBe(expected);
    else expect(completed).toMatch(expected);
  });
}

/** One custom domain name with a mapping of each kind; which one matches is engine/link's. */
const MAPPED: DomainNames = {
  domainName: (host) =>
    host === 'api.example.com'
      ? {
          match: (path) => {
            if (path.startsWith('/v1')) return { basePath: 'v1', apiId: 'one', stage: 'dev', rest: path.slice('/v1'.length) };
            if (path.startsWith('/any')) return { basePath: 'any', apiId: 'two', stage: null, rest: path.slice('/any'.length) };
            return null;
          },
        }
      : null,
};

for (const [url, apiId, stage, path, resourcePath, basePath] of [
  ['/v1', 'one', 'dev', '/v1', '/', 'v1'],
  ['/v1/', 'one', 'dev', '/v1/', '/', 'v1'],
  ['/v1/pets?q=1', 'one', 'dev', '/v1/pets', '/pets', 'v1'],
  ['/any/prod/pets', 'two', 'prod', '/any/prod/pets', '/pets', 'any'],
  ['/any/prod', 'two', 'prod', '/any/prod', '/', 'any'],
  ['https://API.example.com/v1/x', 'one', 'dev', '/v1/x', '/x', 'v1'],
] as const) {
  test(`on a custom domain name, ${url} is ${resourcePath} of ${apiId}/${stage}`, () => {
    const rawQuery = url.split('?')[1] ?? '';
    const target = { apiId, stage, region: null, path, resourcePath, rawQuery, basePath };
    expect(resolveTarget('api.example.com', url, SUFFIX, MAPPED)).toEqual(target);
  });
}

for (const url of ['/', '/v2/x', '/any', '/any/']) {
  test(`on a custom domain name, ${url} leads nowhere`, () => {
    expect(resolveTarget('api.example.com', url, SUFFIX, MAPPED)).toBe('UNKNOWN_HOST');
  });
}

test('on a custom domain name, paths are as canonical as anywhere', () => {
  expect(resolveTarget('api.example.com', '/v1/%2e%2e/x', SUFFIX, MAPPED)).toBe('MALFORMED');
});

test('hosts and paths of APIs are never a custom domain name’s, whoever has taken one', () => {
  const everything: DomainNames = {
    domainName: () => ({ match: () => ({ basePath: '', apiId: 'thief', stage: 's', rest: '/' }) }),
  };
  for (const [host, url] of [
    [API, '/dev/x'],
    ['gateway.example.com', '/_aws/execute-api/abc123/dev/x'],
  ] as const) {
    expect(resolveTarget(host, url, SUFFIX, everything)).toMatchObject({ apiId: 'abc123', stage: 'dev', basePath: null });
  }
  expect(resolveTarget(API, '/', SUFFIX, everything)).toBe('UNKNOWN_HOST');
  expect(
    [API, 'a.execute-api.eu-west-1.localhost', 'execute-api.localhost', 'a.localhost'].map((host) => isApiHost(host, SUFFIX)),
  ).toEqual([true, true, false, false]);
});

test('a host may name the VPC endpoint beside the API', () => {
  expect(resolveTarget('abc123-vpce-0a1b.execute-api.localhost', '/dev/x', SUFFIX, NOBODYS)).toMatchObject({
    apiId: 'abc123',
    stage: 'dev',
    resourcePath: '/x',
  });
});

test('on the host of a VPC endpoint a header names the API, and nowhere else', () => {
  const host = 'vpce-0a1b-xyz.execute-api.us-east-1.vpce.localhost';
  const named = { apiId: 'abc123', region: 'us-east-1', stage: 'dev' };
  expect(resolveTarget(host, '/dev', SUFFIX, NOBODYS, 'abc123')).toMatchObject(named);
  expect(resolveTarget(host, '/dev', SUFFIX, NOBODYS)).toBe('UNKNOWN_HOST');
  expect(resolveTarget(API, '/dev', SUFFIX, NOBODYS, 'zzz999')).toMatchObject({ apiId: 'abc123' });
  expect(isApiHost(host, SUFFIX)).toBe(true);
});
