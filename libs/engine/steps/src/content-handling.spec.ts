import type { ContentHandling, IntegrationResponseSnapshot, IntegrationSnapshot } from '@gatehouse/contracts';
import { CONTINUE, Exchange, runProgram, type Step } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { convertProxyAnswer, mapProxyResponse, mapRequest, mapResponse, readBody } from './index.js';

interface Case {
  readonly title: string;
  binary: string[];
  readonly requests: { readonly line: number; readonly text: string }[];
  readonly answers: { readonly line: number; readonly text: string }[];
}

/** `## title`, then fenced blocks `binary`, `requests` and `answers`; anything else is prose. */
function readCases(text: string): Case[] {
  const cases: Case[] = [];
  let fence: string | null = null;
  text.split('\n').forEach((content, i) => {
    const current = cases.at(-1)!;
    if (content.startsWith('```')) fence = fence === null ? content.slice(3) : null;
    else if (fence === null && content.startsWith('## ')) {
      cases.push({ title: content.slice(3), binary: [], requests: [], answers: [] });
    } else if (fence === 'binary') current.binary = content === '-' ? [] : content.split(' ');
    else if (fence === 'requests' || fence === 'answers') current[fence].push({ line: i + 1, text: content });
  });
  return cases;
}

function payload(text: string): Buffer {
  if (text === '-') return Buffer.alloc(0);
  const hex = text === 'PNG' ? '89504e47' : text.startsWith('hex:') ? text.slice(4) : null;
  return hex === null ? Buffer.from(text) : Buffer.from(hex, 'hex');
}

const handlingOf = (text: string): ContentHandling | null => (text === '-' ? null : (text as ContentHandling));

const UPSTREAM = { uri: 'http://a/', httpMethod: 'POST', timeoutMs: 1, requestParameters: {}, insecureSkipVerification: false };

/** As the compiler writes it. */
function integrationOf(
  type: string,
  contentHandling: ContentHandling | null,
  requestTemplates: Record<string, string>,
  responses: IntegrationResponseSnapshot[],
): IntegrationSnapshot {
  const templates = { passthroughBehavior: 'WHEN_NO_MATCH', requestTemplates, responses } as const;
  if (type === 'HTTP_PROXY') return { type: 'CONVERT', contentHandling, integration: { type, ...UPSTREAM } };
  const integration =
    type === 'MOCK' ? ({ type, ...templates } as const) : ({ type: 'HTTP', ...UPSTREAM, ...templates } as const);
  return { type: 'CONVERT', contentHandling, integration: { type: 'VELOCITY', integration } };
}

async function run(steps: readonly (Step | null)[], x: Exchange): Promise<void> {
  await runProgram(
    {
      requestSteps: steps.filter((step) => step !== null),
      responseSteps: [],
      requestBody: { type: 'stream' },
      responseBody: { type: 'stream' },
      faults: { render: () => undefined },
      bugFault: FAULTS.BUG,
    },
    x,
  );
}

function exchange(stage: ReturnType<typeof stageSnapshot>, headers: string[]): Exchange {
  const x = new Exchange();
  x.httpMethod = 'POST';
  x.requestHeaders = headers;
  x.traceId = 'Root=1-2-3';
  x.stage = {
    digest: '',
    snapshot: stage,
    isCanary: null,
    canary: null,
    faults: { render: () => undefined },
    metrics: null!,
    match: () => null,
  };
  x.route = { settings: routeSnapshot(), paramNames: [], program: null!, metrics: null! };
  return x;
}

async function faultOr(x: Exchange, result: () => Buffer | Promise<Buffer>): Promise<Buffer | string> {
  if (x.fault === null) return result();
  expect(x.faultCause ?? null).not.toBeInstanceOf(TypeError);
  return x.fault === FAULTS.API_CONFIGURATION_ERROR ? '500' : x.fault.name;
}

async function sent(binaryMediaTypes: string[], text: string): Promise<Buffer | string> {
  const [type = '', handling = '', contentType = '', body = '', template = ''] = text.split('|').map((part) => part.trim());
  const templates: Record<string, string> = template === '-' ? {} : { $default: template };
  const integration = integrationOf(type, handlingOf(handling), templates, []);
  const stage = stageSnapshot({ binaryMediaTypes });
  const x = exchange(stage, contentType === '-' ? [] : ['Content-Type', contentType]);
  const bytes = payload(body);
  x.requestBody = { declaredBytes: bytes.length, atHand: null, open: () => Readable.from([bytes]) };
  const mapping = mapRequest({ stage, route: routeSnapshot({ integration }) });
  await run([readBody(mapping.body), mapping.step], x);
  return faultOr(x, async () => {
    if (type === 'MOCK') return Buffer.from(String(x.upstreamAnswer!.status));
    const { body: out } = x.upstreamRequest!;
    return out === null ? Buffer.alloc(0) : Buffer.isBuffer(out) ? out : Buffer.concat(await out.toArray());
  });
}

async function delivered(binaryMediaTypes: string[], text: string): Promise<Buffer | string> {
  const [type = '', handling = '', contentType = '', accept = '', body = '', template = ''] = text
    .split('|')
    .map((part) => part.trim());
  const contentHandling = handlingOf(handling);
  const response: IntegrationResponseSnapshot = {
    statusCode: 200,
    selectionPattern: null,
    responseParameters: {},
    responseTemplates: template === '-' ? {} : { 'text/x': template },
    ...(contentHandling !== null && { contentHandling }),
  };
  const stage = stageSnapshot({ binaryMediaTypes });
  const settings = { stage, route: routeSnapshot({ integration: integrationOf(type, null, {}, [response]) }) };
  const x = exchange(stage, accept === '-' ? [] : ['Accept', accept]);
  x.integrationResponseIndex = 0;
  x.upstreamAnswer = {
    status: 200,
    headers: contentType === '-' ? [] : ['Content-Type', contentType],
    body: type === 'MOCK' ? null : Readable.from([payload(body)]),
  };
  const steps =
    type === 'HTTP_PROXY'
      ? [convertProxyAnswer(settings), mapProxyResponse]
      : [mapResponse([response], settings, type !== 'MOCK', true).step];
  await run(steps, x);
  return faultOr(x, async () => {
    const out = x.responseBody;
    return out === null ? Buffer.alloc(0) : Buffer.isBuffer(out) ? out : Buffer.concat(await out.toArray());
  });
}

describe('cases', () => {
  for (const { title, binary, requests, answers } of readCases(
    readFileSync(new URL('./content-handling.cases.md', import.meta.url), 'utf8'),
  )) {
    test(title, async () => {
      expect(requests.length + answers.length).toBeGreaterThan(0);
      for (const [lines, outcome] of [
        [requests, sent],
        [answers, delivered],
      ] as const) {
        for (const { line, text } of lines) {
          const [given = '', expected = ''] = text.split(' -> ');
          const place = `content-handling.cases.md:${line}: ${given}`;
          expect(await outcome(binary, given), place).toEqual(expected.trim() === '500' ? '500' : payload(expected.trim()));
        }
      }
    });
  }
});

test('a body that is not converted streams through an API with binary media types', () => {
  const stage = stageSnapshot({ binaryMediaTypes: ['image/png'] });
  const integration = { type: 'HTTP_PROXY', ...UPSTREAM } as const;
  expect(mapRequest({ stage, route: routeSnapshot({ integration }) }).body).toEqual({ type: 'stream' });
  const x = exchange(stage, ['Accept', 'text/plain']);
  const body = Readable.from(['a']);
  x.upstreamAnswer = { status: 200, headers: ['Content-Type', 'text/plain'], body };
  expect(convertProxyAnswer({ stage, route: routeSnapshot() })!(x)).toBe(CONTINUE);
  expect(x.upstreamAnswer.body).toBe(body);
});

test('a route of an API without binary media types has no step for it', () => {
  expect(convertProxyAnswer({ stage: stageSnapshot(), route: routeSnapshot() })).toBe(null);
});
