import { Exchange, InvalidBody, type LinkedRoute, type LinkedStage } from '@gatehouse/engine-exchange';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { compileAccessFormat } from './index.js';

type Changes = Record<string, unknown>;

function exchange({ integrationType, streamIdleMs, authorizer, invalidBody, ...changes }: Changes = {}): Exchange {
  const x = new Exchange();
  const snapshot = stageSnapshot();
  const own = {
    ...(integrationType !== undefined && { type: integrationType }),
    ...(streamIdleMs !== undefined && { streamIdleMs }),
  };
  const integration = { ...snapshot.routes[0]!.integration, ...own };
  const settings = { ...routeSnapshot({ path: '/pets/{id}' }), integration };
  return Object.assign(x, {
    requestId: 'r-1',
    extendedRequestId: 'x-1=',
    receivedAtMs: Date.UTC(2026, 0, 1),
    httpMethod: 'GET',
    host: 'abc123defg.execute-api.localhost',
    path: '/dev/pets/7',
    rawQuery: 'x=1',
    sourceIp: '198.51.100.7',
    userAgent: 'curl/8',
    traceId: 'Root=1-0-0',
    stage: { snapshot } as LinkedStage,
    route: { settings } as LinkedRoute,
    upstreamAnswer: { status: 200, headers: ['x-amzn-RequestId', 'up-1'], body: null },
    integrationLatencyMs: 12.6,
    status: 200,
    deliveredBytes: 42,
    ...(authorizer !== undefined && { authorizer: authorizerOf(authorizer as Changes) }),
    ...(invalidBody !== undefined && { faultCause: bodyError(invalidBody as string) }),
    ...changes,
  });
}

const authorizerOf = ({ claims = null, context, ...rest }: Changes): unknown => ({
  usageIdentifierKey: null,
  ...rest,
  claims,
  context: new Map(Object.entries(context as Changes)),
});

const bodyError = (message: string): InvalidBody => new InvalidBody(() => [message.slice(1, -1)]);

interface Case {
  readonly title: string;
  readonly line: number;
  readonly set: Changes;
  readonly format: string;
  readonly expected: string;
}

function readCases(markdown: string): Case[] {
  const cases: Case[] = [];
  let title = '';
  let fence: string | null = null;
  let set: Changes = {};
  markdown.split('\n').forEach((text, index) => {
    if (text.startsWith('```')) fence = fence === null ? text.slice(3).trim() : null;
    else if (fence === null && text.startsWith('## ')) [title, set] = [text.slice(3), {}];
    else if (fence === 'set') set = JSON.parse(text) as Changes;
    else if (fence === 'prints') {
      const [format, expected] = text.split(' => ') as [string, string];
      cases.push({ title, line: index + 1, set, format: format.replaceAll('⏎', '\n'), expected });
    }
  });
  return cases;
}

const FILE = 'access-format.cases.md';
describe.each(readCases(readFileSync(path.join(import.meta.dirname, FILE), 'utf8')))(
  `${FILE}:$line $title`,
  ({ set, format, expected }) => {
    test(format, () => expect(compileAccessFormat(format)(exchange(set), 15.4)).toBe(expected));
  },
);

const FUZZ = { seed: 20_261_121, numRuns: 3_000 };
const NAMES = ['requestId', 'identity.userAgent', 'path', 'authorizer.a-b:c', 'error.messageString', 'no.such', 'status', ''];
const pieces = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...NAMES.map((name) => `$context.${name}`))));

test('whatever the format and the caller say, a line is one line', () => {
  fc.assert(
    fc.property(pieces, fc.string({ unit: 'binary' }), (texts, agent) => {
      const format = texts.join('').replaceAll(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, '');
      const line = compileAccessFormat(format)(exchange({ userAgent: agent, path: agent, faultMessage: agent }), 1);
      expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
    }),
    FUZZ,
  );
});

test('whatever a caller says, a JSON format gives JSON that says the same', () => {
  const format = compileAccessFormat(
    '{"agent":"$context.identity.userAgent","path":"$context.path","m":$context.error.messageString}',
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
      const line = format(exchange({ userAgent: text, path: text, faultMessage: text }), 1);
      expect(JSON.parse(line)).toEqual({ agent: text, path: text, m: text });
    }),
    FUZZ,
  );
});

test('a text without variables is its own line', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z{}()$"'<> .\\-]*$/), (text) => {
      expect(compileAccessFormat(text)(exchange(), 1)).toBe(text.trim());
    }),
    FUZZ,
  );
});

test('a format that names a long path many times ends at 256 KB', () => {
  const format = compileAccessFormat('$context.path'.repeat(230));
  expect(format(exchange({ path: `/${'x'.repeat(9_000)}` }), 1).length).toBe(256 * 1024);
});

test('one value takes at most 8,192 characters', () => {
  expect(compileAccessFormat('$context.path.')(exchange({ path: 'x'.repeat(9_000) }), 1)).toBe(`${'x'.repeat(8_192)}.`);
});
