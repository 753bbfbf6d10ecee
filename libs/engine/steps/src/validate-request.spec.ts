import type { RequestValidation } from '@gatehouse/contracts';
import { CONTINUE, contextVariable, Exchange, LinkRefusal, STREAM_BODY, type RouteSettings } from '@gatehouse/engine-exchange';
import { systemClock } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { authorize, bodyToCheck, checkBody, checkParameters } from './index.js';

const NO_FUNCTIONS = { call: () => Promise.reject(new Error('a function was called')) };

interface Case {
  readonly title: string;
  readonly line: number;
  readonly required: string[];
  readonly bodyModels: Record<string, string | null>;
  readonly models: Record<string, string>;
  readonly requests: { readonly line: number; readonly text: string }[];
}

/** `## title`, then fenced blocks `validation`, `models` and `requests`; anything else is prose. */
function readCases(text: string): Case[] {
  const cases: Case[] = [];
  let fence: string | null = null;
  text.split('\n').forEach((content, i) => {
    const current = cases.at(-1);
    const [first = '', second = '', third = ''] = content.split(' ');
    if (content.startsWith('```')) fence = fence === null ? content.slice(3) : null;
    else if (fence === null && content.startsWith('## '))
      cases.push({ title: content.slice(3), line: i + 1, required: [], bodyModels: {}, models: {}, requests: [] });
    else if (fence === 'validation' && first === 'required') current!.required.push(second);
    else if (fence === 'validation') current!.bodyModels[second] = third === 'null' ? null : third;
    else if (fence === 'models') current!.models[first] = content.slice(first.length + 1);
    else if (fence === 'requests') current!.requests.push({ line: i + 1, text: content });
  });
  return cases;
}

function settings(validation: RequestValidation, models: Record<string, string> = {}): RouteSettings {
  const route = routeSnapshot({ authorization: { type: 'VALIDATE', validation, authorization: { type: 'NONE' } } });
  return { stage: stageSnapshot({ models }), route };
}

/** In the words of the cases file. */
function answer(made: RouteSettings, text: string): string {
  const [query = '', headers = '', body = ''] = text.split('|').map((part) => part.trim());
  const x = new Exchange();
  x.rawQuery = query === '-' ? '' : query;
  x.requestHeaders =
    headers === '' ? [] : [headers.slice(0, headers.indexOf(':')), headers.slice(headers.indexOf(':') + 1).trim()];
  x.bufferedBody = Buffer.from(body);
  x.params.push('7');
  x.route = { settings: made.route, paramNames: ['id'], program: null!, metrics: null! };
  for (const step of [checkParameters(made), checkBody(made)]) {
    if (step === null || step(x) === CONTINUE) continue;
    const detail = contextVariable('error.validationErrorString')!(x);
    return detail === null ? x.faultMessage! : `${x.faultMessage} # ${JSON.parse(`"${detail}"`)}`;
  }
  return 'valid';
}

describe('cases', () => {
  const text = readFileSync(new URL('validate-request.cases.md', import.meta.url), 'utf8');
  for (const { title, line, required, bodyModels, models, requests } of readCases(text)) {
    test(`${title} (validate-request.cases.md:${line})`, () => {
      const made = settings({ requiredParameters: required, bodyModels }, models);
      for (const request of requests) {
        const arrow = request.text.lastIndexOf('->');
        const where = `validate-request.cases.md:${request.line}: `;
        expect(where + answer(made, request.text.slice(0, arrow))).toBe(where + request.text.slice(arrow + 2).trim());
      }
    });
  }
});

test('a route without validation pays nothing for it, and one without models does not wait for bodies', () => {
  const plain = { stage: stageSnapshot(), route: routeSnapshot() };
  expect([checkParameters(plain), checkBody(plain), bodyToCheck(plain, STREAM_BODY)]).toEqual([null, null, STREAM_BODY]);
  const parameters = settings({ requiredParameters: ['method.request.header.a'], bodyModels: null });
  expect([checkBody(parameters), bodyToCheck(parameters, STREAM_BODY)]).toEqual([null, STREAM_BODY]);
  expect(authorize({ functions: NO_FUNCTIONS, http: NO_FUNCTIONS, limits: { clock: systemClock } })(parameters)).toBe(null);
});

test('who is not let in is not told what a valid request is', () => {
  const validation = { requiredParameters: ['method.request.header.a'], bodyModels: null };
  const authorization = { type: 'VALIDATE', validation, authorization: { type: 'REFUSE', reason: 'gone' } } as const;
  const x = new Exchange();
  authorize({ functions: NO_FUNCTIONS, http: NO_FUNCTIONS, limits: { clock: systemClock } })({
    stage: stageSnapshot(),
    route: routeSnapshot({ authorization }),
  })!(x);
  expect(x.fault!.name).toBe('ACCESS_DENIED');
});

test('what callers send stays out of the log', () => {
  const made = settings({ requiredParameters: [], bodyModels: { 'application/json': 'Pet' } }, { Pet: '{"maxLength":1}' });
  const x = new Exchange();
  x.bufferedBody = Buffer.from('"secret"');
  checkBody(made)!(x);
  expect(`${String(x.faultCause)}, ${x.faultDoing}`).toBe('the body does not fit its model, validating the body');
});

test('routes of one stage share a compiled model', () => {
  let reads = 0;
  const models = {
    get Pet() {
      reads++;
      return '{}';
    },
  };
  const made = settings({ requiredParameters: [], bodyModels: { 'application/json': 'Pet', 'text/json': 'Pet' } });
  const shared = { ...made, stage: { ...made.stage, models } };
  for (let count = 0; count < 3; count++) expect(checkBody(shared)).not.toBe(null);
  expect(reads).toBe(1);
});

describe('what this node cannot check refuses the route', () => {
  for (const [name, validation, models] of [
    ['a model that is not there', { requiredParameters: [], bodyModels: { a: 'None' } }, {}],
    ['a model that is no schema', { requiredParameters: [], bodyModels: { a: 'Bad' } }, { Bad: '{"type":"text"}' }],
    ['a model that is no JSON', { requiredParameters: [], bodyModels: { a: 'Bad' } }, { Bad: '{' }],
    ['a model that never ends', { requiredParameters: [], bodyModels: { a: 'Bad' } }, { Bad: '{"allOf":[{"$ref":"#"}]}' }],
    ['a parameter of another kind', { requiredParameters: ['integration.request.header.a'], bodyModels: null }, {}],
  ] as const) {
    test(name, () => {
      const made = settings(validation, models);
      expect(() => [checkParameters(made), checkBody(made)]).toThrow(LinkRefusal);
    });
  }
});
