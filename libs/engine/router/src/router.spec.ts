import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildRouter, type RouteKey, type Router } from './router.js';

interface Case {
  readonly title: string;
  readonly line: number;
  readonly routes: RouteKey[];
  readonly requests: { readonly line: number; readonly httpMethod: string; readonly path: string; readonly expected: string }[];
}

/** `## title`, then fenced blocks `routes` and `requests`; anything else is prose. */
function readCases(text: string): Case[] {
  const cases: Case[] = [];
  let fence: string | null = null;
  text.split('\n').forEach((content, i) => {
    const line = i + 1;
    const current = cases.at(-1);
    if (content.startsWith('```')) fence = fence === null ? content.slice(3) : null;
    else if (fence === null && content.startsWith('## ')) cases.push({ title: content.slice(3), line, routes: [], requests: [] });
    else if (fence === 'routes') {
      const [httpMethod, path] = content.trim().split(/\s+/) as [string, string];
      current!.routes.push({ httpMethod, path });
    } else if (fence === 'requests') {
      const [request, expected] = content.split('->') as [string, string];
      const [httpMethod, path = ''] = request.trim().split(/\s+/) as [string, string?];
      current!.requests.push({ line, httpMethod, path, expected: expected.trim().replace(/\s+/g, ' ') });
    }
  });
  return cases;
}

/** The answer in the words of the cases file. */
function answer(routes: readonly RouteKey[], httpMethod: string, path: string): string {
  const router = buildRouter(routes);
  const params: string[] = [];
  const index = router.match(httpMethod, path, params);
  if (index === -1) return '-';
  const names = router.paramNames[index]!;
  const values = names.map((name, i) => `${name}=${params[i]}`);
  return [`${routes[index]!.httpMethod} ${routes[index]!.path}`, ...values].join(' ');
}

describe('cases', () => {
  for (const { title, line, routes, requests } of readCases(readFileSync(new URL('router.cases.md', import.meta.url), 'utf8'))) {
    test(`${title} (router.cases.md:${line})`, () => {
      for (const order of [routes, routes.toReversed()]) {
        for (const request of requests) {
          const where = `router.cases.md:${request.line}: `;
          expect(where + answer(order, request.httpMethod, request.path)).toBe(where + request.expected);
        }
      }
    });
  }
});

describe('a broken set of routes is refused by name', () => {
  for (const [name, routes, message] of [
    ['no slash in front', [{ httpMethod: 'GET', path: 'pets' }], 'path template "pets" does not start with "/"'],
    ['empty segment', [{ httpMethod: 'GET', path: '/a//b' }], 'path template "/a//b" has an empty segment'],
    ['trailing slash', [{ httpMethod: 'GET', path: '/a/' }], 'path template "/a/" has an empty segment'],
    ['nameless parameter', [{ httpMethod: 'GET', path: '/{}' }], 'path template "/{}" has a parameter without a name'],
    ['nameless greedy parameter', [{ httpMethod: 'GET', path: '/{+}' }], 'path template "/{+}" has a parameter without a name'],
    ['greedy in the middle', [{ httpMethod: 'GET', path: '/{p+}/x' }], 'path template "/{p+}/x" goes on after {p+}'],
    ['unknown verb', [{ httpMethod: 'TRACE', path: '/' }], 'route "TRACE /": not a verb API Gateway knows'],
    ['lower-case verb', [{ httpMethod: 'get', path: '/' }], 'route "get /": not a verb API Gateway knows'],
    [
      'two templates of one shape',
      [
        { httpMethod: 'GET', path: '/{a}' },
        { httpMethod: 'GET', path: '/{b}' },
      ],
      'route "GET /{b}" is there twice',
    ],
  ] as const) {
    test(name, () => expect(() => buildRouter(routes)).toThrow(new Error(message)));
  }
});

test('parameters of an earlier lookup that lost its way do not reach the caller', () => {
  const router = buildRouter([
    { httpMethod: 'GET', path: '/{a}/{b}/x' },
    { httpMethod: 'GET', path: '/{rest+}' },
  ]);
  const params = ['old'];
  expect(router.match('GET', '/1/2/y', params)).toBe(1);
  expect(params).toEqual(['1/2/y']);
});

const VERBS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'];

/** Matches a template against a path without any index; returns a specificity text that sorts better matches first. */
function naiveMatch(template: string, path: string): { readonly rank: string; readonly params: string[] } | null {
  const trimmed = path.replace(/^\/+/, '').replace(/\/+$/, '');
  const segments = trimmed === '' ? [] : trimmed.split('/');
  const parts = template === '/' ? [] : template.slice(1).split('/');
  const params: string[] = [];
  let rank = '';
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!;
    if (part.endsWith('+}')) {
      if (i >= segments.length) return null;
      params.push(segments.slice(i).join('/'));
      return { rank: rank + '2', params };
    }
    const segment = segments[i];
    if (segment === undefined) return null;
    if (part.startsWith('{')) {
      if (segment === '') return null;
      params.push(segment);
      rank += '1';
    } else if (part === segment) rank += '0';
    else return null;
  }
  return parts.length === segments.length ? { rank, params } : null;
}

/** The rule itself: of all rules that match path and verb, the most specific path wins, then the exact verb. */
function oracle(routes: readonly RouteKey[], httpMethod: string, path: string): { index: number; params: string[] } {
  const found = routes
    .map((route, index) => ({ route, index, match: naiveMatch(route.path, path) }))
    .filter(
      ({ route, match }) =>
        match !== null && (route.httpMethod === 'ANY' ? VERBS.includes(httpMethod) : route.httpMethod === httpMethod),
    )
    .map(({ route, index, match }) => ({
      index,
      params: match!.params,
      rank: match!.rank + (route.httpMethod === 'ANY' ? 'b' : 'a'),
    }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const best = found[0];
  return best === undefined ? { index: -1, params: [] } : { index: best.index, params: best.params };
}

/** Few words, so that templates overlap; some longer ones, so that wide nodes are searched. */
const word = fc.constantFrom('a', 'b', 'ab', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'B', 'a%62', 'ba', 'bb');
const template = fc
  .tuple(
    fc.array(fc.oneof({ weight: 3, arbitrary: word }, { weight: 2, arbitrary: fc.constant('{p}') }), { maxLength: 4 }),
    fc.boolean(),
  )
  .map(
    ([parts, isGreedy]) =>
      '/' + [...parts.map((part, i) => (part === '{p}' ? `{p${i}}` : part)), ...(isGreedy ? ['{g+}'] : [])].join('/'),
  );
const routeKeys = fc.uniqueArray(fc.record({ path: template, httpMethod: fc.constantFrom('ANY', ...VERBS.slice(0, 3)) }), {
  maxLength: 40,
  selector: (route) => `${route.httpMethod} ${route.path}`,
});
const requestPath = fc
  .array(fc.oneof({ weight: 5, arbitrary: word }, fc.constant(''), fc.constant('zz')), { maxLength: 6 })
  .map((parts) => '/' + parts.join('/'));

test('the trie answers like the rule spelled out, in any order of routes', () => {
  fc.assert(
    fc.property(
      routeKeys,
      fc.array(requestPath, { minLength: 1, maxLength: 20 }),
      fc.constantFrom(...VERBS),
      (routes, paths, httpMethod) => {
        const router = buildRouter(routes);
        const reversed = buildRouter(routes.toReversed());
        for (const path of paths) {
          const expected = oracle(routes, httpMethod, path);
          const params: string[] = [];
          const index = router.match(httpMethod, path, params);
          expect({ index, params }).toEqual(expected);
          const mirrored = reversed.match(httpMethod, path, []);
          expect(mirrored === -1 ? -1 : routes.length - 1 - mirrored).toBe(expected.index);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('any text is a path: nothing throws, and what matches is what the rule matches', () => {
  const routes: RouteKey[] = [
    { httpMethod: 'ANY', path: '/' },
    { httpMethod: 'GET', path: '/{a}/{b}' },
    { httpMethod: 'GET', path: '/x/{rest+}' },
    { httpMethod: 'POST', path: '/{rest+}' },
  ];
  const router = buildRouter(routes);
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ unit: fc.constantFrom('/', 'x', '%', '.', '\0') })),
      (path) => {
        for (const httpMethod of ['GET', 'POST', path]) {
          const params: string[] = [];
          const index = router.match(httpMethod, path, params);
          expect({ index, params }).toEqual(oracle(routes, httpMethod, path));
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

test('a template of ten thousand segments is matched without exhausting the stack', () => {
  const path = '/{a}'.repeat(5_000) + '/b'.repeat(5_000);
  const router = buildRouter([
    { httpMethod: 'GET', path },
    { httpMethod: 'GET', path: '/{rest+}' },
  ]);
  const params: string[] = [];
  expect(router.match('GET', path, params)).toBe(0);
  expect(params).toHaveLength(5_000);
});

/** A hand-made worst case: at every level both children lead on, and only the last segment decides. */
test('backtracking visits each resource once, however many ways lead to a dead end', () => {
  const levels = 12;
  const routes: RouteKey[] = [];
  for (let bits = 0; bits < 2 ** levels; bits++) {
    const parts = Array.from({ length: levels }, (_, level) => ((bits >> level) & 1 ? 'a' : `{p${level}}`));
    routes.push({ httpMethod: 'GET', path: `/${parts.join('/')}/end` });
  }
  const router = buildRouter(routes);
  expect(router.match('GET', '/a'.repeat(levels) + '/end', [])).toBe(2 ** levels - 1);
  expect(router.match('GET', '/a'.repeat(levels) + '/other', [])).toBe(-1);
});

/** A path that counts how often a lookup looks at it. The router takes it for a text. */
class WatchedPath {
  steps = 0;
  constructor(private readonly text: string) {}

  get length(): number {
    return this.text.length;
  }
  charCodeAt(index: number): number {
    this.steps++;
    return this.text.charCodeAt(index);
  }
  indexOf(text: string, from: number): number {
    this.steps++;
    return this.text.indexOf(text, from);
  }
  slice(start: number, end: number): string {
    return this.text.slice(start, end);
  }
}

function stepsOf(router: Router, path: string, expected: number): number {
  const watched = new WatchedPath(path);
  expect(router.match('GET', watched as unknown as string, []), path).toBe(expected);
  return watched.steps;
}

test('among 100,000 routes with a common prefix a lookup looks at each character a few times, found or not', () => {
  const prefix = '/a/a/a/a/a/a/a/a';
  const count = 100_000;
  const routes: RouteKey[] = Array.from({ length: count }, (_, i) => ({
    httpMethod: 'GET',
    path: `${prefix}/item${String(i).padStart(6, '0')}/end`,
  }));
  // Beside each segment of the prefix a variable one: dead ends to come back from.
  for (let depth = 1; depth <= 8; depth++)
    routes.push({ httpMethod: 'GET', path: `${'/a'.repeat(depth - 1)}/{v}${'/a'.repeat(8 - depth)}/dead` });
  routes.push({ httpMethod: 'GET', path: '/{rest+}' });
  const router = buildRouter(routes);
  const greedy = routes.length - 1;
  const children = Math.ceil(Math.log2(count));
  for (const [path, expected] of [
    [`${prefix}/item000000/end`, 0],
    [`${prefix}/item099999/end`, count - 1],
    [`${prefix}/item050000/end/`, 50_000],
    [`${prefix}/item050000/none`, greedy],
    [`${prefix}/item999999/end`, greedy],
    [`${prefix}/dead`, count + 7], // the latest variable: compared from the left
    [`/b${'/a'.repeat(7)}/dead`, count],
    [`${'/a'.repeat(500)}`, greedy],
  ] as const) {
    const segment = 'item000000'.length * children; // a search among 100,000, each of which may differ in its last character
    expect(stepsOf(router, path, expected), path).toBeLessThan(segment + 9 * 9 * 3 + path.length);
  }
});
