import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { endpointProblem, functionArnOf, resolveStageVariables, uriPlaceholders } from './uri.js';

describe('stage variables in a URI', () => {
  for (const [name, text, expected] of [
    ['are put in place wherever they stand', 'https://${stageVariables.host}/v${stageVariables.n}', 'https://example.com/v1'],
    ['may follow each other', '${stageVariables.n}${stageVariables.n}', '11'],
    ['that are not set count as empty', 'a${stageVariables.gone}b', 'ab'],
    ['are not those every object has', 'a${stageVariables.constructor}b', 'ab'],
    ['need their exact form', '$stageVariables.n ${stageVariables.n', '$stageVariables.n ${stageVariables.n'],
    ['are not resolved twice', '${stageVariables.nested}', '${stageVariables.n}'],
  ] as const) {
    test(name, () =>
      expect(resolveStageVariables(text, { host: 'example.com', n: '1', nested: '${stageVariables.n}' }).text).toBe(expected),
    );
  }

  test('that are not set are named once each', () =>
    expect(resolveStageVariables('${stageVariables.a}${stageVariables.b}${stageVariables.a}', {}).missing).toEqual(['a', 'b']));
});

describe('the address of a backend', () => {
  for (const [uri, problem] of [
    ['https://example.com', null],
    ['HTTP://example.com/a?b=c', null],
    ['http://127.0.0.1:9000/{proxy}', null],
    ['http://{host}/x', null],
    ['http://[::1]:8080/', null],
    ['https://example.com:443/', null],
    ['https://example.com:22/', 'port 22 is not allowed (80, 443, 1024 to 65535 are)'],
    ['https://example.com:99999/', 'it is not a URL'],
    ['example.com', 'it is not a URL'],
    ['', 'it is not a URL'],
    ['https:///x', 'it has no host'],
    ['https:/x', 'it has no host'],
    ['https:x', 'it has no host'],
    ['https://\\x', 'it has no host'],
    ['https://example.com/a b', 'it holds blanks or backslashes'],
    ['https://example.com\\@evil.example', 'it holds blanks or backslashes'],
    ['ftp://example.com/', 'the scheme must be http or https'],
    ['file:///etc/passwd', 'the scheme must be http or https'],
    ['https://user:secret@example.com/', 'it must not hold credentials'],
  ] as const) {
    test(`${uri || '(empty)'}: ${problem ?? 'can be called'}`, () => expect(endpointProblem(uri)).toBe(problem));
  }

  test('is judged without throwing, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `https://${text}`),
        ),
        (uri) => {
          if (endpointProblem(uri) === null) expect(new URL(uri.replace(/\{[^{}]*\}/g, 'x')).hostname).not.toBe('');
        },
      ),
    );
  });
});

test('placeholders are named once each', () => expect(uriPlaceholders('http://{a}/{b}/{a}/{}')).toEqual(['a', 'b', '']));

describe('the function of a Lambda proxy integration', () => {
  const uri = (arn: string): string => `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${arn}/invocations`;
  const arn = 'arn:aws:lambda:us-east-1:123456789012:function:users';
  for (const [name, text, expected] of [
    ['unqualified', uri(arn), arn],
    ['with an alias', uri(`${arn}:live`), `${arn}:live`],
    ['with a version', uri(`${arn}:12`), `${arn}:12`],
    ['$LATEST', uri(`${arn}:$LATEST`), `${arn}:$LATEST`],
    ['in another partition', uri(arn).replaceAll('arn:aws:', 'arn:aws-cn:'), arn.replace('arn:aws:', 'arn:aws-cn:')],
    ['an empty qualifier', uri(`${arn}:`), null],
    ['an empty name', uri('arn:aws:lambda:us-east-1:123456789012:function:'), null],
    ['a name instead of an ARN', uri('users'), null],
    ['an account that is none', uri(arn.replace('123456789012', '12')), null],
    ['streaming', uri(arn).replace('2015-03-31', '2021-11-15'), null],
    ['the ARN alone', arn, null],
    ['another service', 'arn:aws:apigateway:us-east-1:firehose:action/PutRecord', null],
    ['something behind it', `${uri(arn)}/x`, null],
    ['a line break', `${uri(arn)}\n`, null],
  ] as const) {
    test(name, () => expect(functionArnOf(text)).toBe(expected));
  }
});
