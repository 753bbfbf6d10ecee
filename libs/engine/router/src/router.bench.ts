/**
 * Nanoseconds per lookup; run with `node src/router.bench.ts`. Faults list, line 25: 100,000 routes with a common prefix
 * must answer in less than 20 µs.
 */
import { buildRouter, type RouteKey } from './router.ts';

function measure(name: string, routes: readonly RouteKey[], requests: readonly string[], lookups = 300_000): void {
  const router = buildRouter(routes);
  const params: string[] = [];
  let matched = 0;
  const run = (rounds: number): void => {
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < requests.length; i++) if (router.match('GET', requests[i]!, params) !== -1) matched++;
    }
  };
  const rounds = Math.max(1, Math.ceil(lookups / requests.length));
  run(rounds); // warm up
  const start = process.hrtime.bigint();
  run(rounds);
  const nanoseconds = Number(process.hrtime.bigint() - start) / (rounds * requests.length);
  console.log(`${name.padEnd(46)} ${nanoseconds.toFixed(0).padStart(8)} ns/lookup  ${matched > 0 ? '' : '(no match)'}`);
}

const get = (path: string): RouteKey => ({ httpMethod: 'GET', path });
const spread = (count: number, make: (i: number) => string): string[] =>
  Array.from({ length: 1_000 }, (_, i) => make((i * 7919) % count));

measure(
  'ten routes',
  ['/', '/pets', '/pets/{id}', '/pets/{id}/toys', '/users', '/users/{id}', '/a', '/b', '/c', '/{proxy+}'].map(get),
  ['/pets/6/toys'],
);
measure(
  'narrow node (8 children, scanned)',
  Array.from({ length: 8 }, (_, i) => get(`/service-${i}`)),
  spread(8, (i) => `/service-${i}`),
);
measure(
  'wide node (9 children, searched)',
  Array.from({ length: 9 }, (_, i) => get(`/service-${i}`)),
  spread(9, (i) => `/service-${i}`),
);
for (const count of [10_000, 100_000]) {
  const flat = Array.from({ length: count }, (_, i) => get(`/api/v1/tenants/service-${i}`));
  measure(
    `${count} routes, common prefix, last differs`,
    flat,
    spread(count, (i) => `/api/v1/tenants/service-${i}`),
  );
  measure(
    `${count} routes, common prefix, no match`,
    flat,
    spread(count, (i) => `/api/v1/tenants/service-${i}x`),
  );
  const deep = Array.from({ length: count }, (_, i) => get(`/api/v1/{tenant}/s${i % 1000}/{id}/t${Math.floor(i / 1000)}`));
  measure(
    `${count} routes with parameters`,
    deep,
    spread(count, (i) => `/api/v1/me/s${i % 1000}/42/t${Math.floor(i / 1000)}`),
  );
}
// The worst a template set can do: every node is visited before the lookup fails.
const levels = 8;
const binary = Array.from({ length: 2 ** levels }, (_, bits) =>
  get('/' + Array.from({ length: levels }, (__, level) => ((bits >> level) & 1 ? 'a' : `{p${level}}`)).join('/') + '/end'),
);
measure(`${2 ** levels} routes, both children at every level`, binary, ['/a'.repeat(levels) + '/other'], 10_000);
