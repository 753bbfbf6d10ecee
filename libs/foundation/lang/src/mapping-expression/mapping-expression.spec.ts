import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMappingExpression, type MappingExpression } from './mapping-expression.js';

const parameter = (
  side: Extract<MappingExpression, { kind: 'parameter' }>['side'],
  location: 'querystring' | 'path' | 'header',
  name: string,
  isMultiValue = false,
): MappingExpression => ({ kind: 'parameter', side, location, isMultiValue, name });

describe('an expression is read into its parts', () => {
  for (const [text, expected] of [
    ['method.request.header.X-A', parameter('method.request', 'header', 'X-A')],
    ['method.request.querystring.a.b', parameter('method.request', 'querystring', 'a.b')],
    ['method.request.path.proxy', parameter('method.request', 'path', 'proxy')],
    ['method.request.multivalueheader.A', parameter('method.request', 'header', 'A', true)],
    ['method.request.multivaluequerystring.$a_b-c', parameter('method.request', 'querystring', '$a_b-c', true)],
    ['integration.request.path.id', parameter('integration.request', 'path', 'id')],
    ['integration.response.multivalueheader.A', parameter('integration.response', 'header', 'A', true)],
    ['method.response.header.A', parameter('method.response', 'header', 'A')],
    ['gatewayresponse.header.x!~', parameter('gatewayresponse', 'header', 'x!~')],
    ['method.request.body', { kind: 'body', side: 'method.request', path: '' }],
    ["integration.response.body.$.a['b']", { kind: 'body', side: 'integration.response', path: "$.a['b']" }],
    ['stageVariables.a_b', { kind: 'stageVariable', name: 'a_b' }],
    ['context.authorizer.claims.cognito:username', { kind: 'context', name: 'authorizer.claims.cognito:username' }],
    ["'a, \u00e9'", { kind: 'static', text: 'a, \u00e9' }],
    ["''", { kind: 'static', text: '' }],
    ["'it's'", { kind: 'static', text: "it's" }],
  ] as const) {
    test(text, () => expect(parseMappingExpression(text)).toEqual(expected));
  }
});

describe('what is no expression is null', () => {
  for (const text of [
    '',
    'x',
    "'",
    "'a",
    "'a\r\nb: c'",
    'method.request',
    'method.request.',
    'method.request.header',
    'method.request.header.',
    'method.request.header.a b',
    'method.request.header.a!',
    'method.request.cookie.a',
    'method.request.constructor.a',
    'method.request.multivaluepath.a',
    'method.response.querystring.a',
    'integration.request.multivalueheader.a',
    'integration.request.body',
    'integration.response.path.a',
    'gatewayresponse.querystring.a',
    'gatewayresponse.header.a b',
    'method.request.body.',
    'method.request.body.a\nb',
    'method.request.bodyx',
    'stageVariables.',
    'stageVariables.a:b',
    'context.',
    'context.a b',
    'Method.request.header.a',
    ' method.request.header.a',
  ]) {
    test(JSON.stringify(text), () => expect(parseMappingExpression(text)).toBe(null));
  }
});

/** The parts, written again. */
function written(expression: MappingExpression): string {
  switch (expression.kind) {
    case 'parameter':
      return `${expression.side}.${expression.isMultiValue ? 'multivalue' : ''}${expression.location}.${expression.name}`;
    case 'body':
      return `${expression.side}.body${expression.path === '' ? '' : `.${expression.path}`}`;
    case 'static':
      return `'${expression.text}'`;
    case 'context':
      return `context.${expression.name}`;
    default:
      return `stageVariables.${expression.name}`;
  }
}

test('nothing of an expression is lost, whatever it says', () => {
  const piece = fc.constantFrom(
    'method',
    'request',
    'response',
    'integration',
    'gatewayresponse',
    'header',
    'multivalueheader',
    'body',
    'path',
    'context',
    'stageVariables',
    "'",
    'a',
    '$',
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join('.')),
    fc.string().map((inner) => `'${inner}'`),
  );
  let readCount = 0;
  fc.assert(
    fc.property(text, (made) => {
      const expression = parseMappingExpression(made);
      if (expression === null) return;
      readCount++;
      expect(written(expression)).toBe(made);
    }),
    { seed: 2, numRuns: 3_000 },
  );
  expect(readCount).toBeGreaterThan(100);
});
