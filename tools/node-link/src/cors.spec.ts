/** The recipe of docs/cors.md, served by a real node. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { serveApi } from './imported-api.js';
import { testFolder } from './harness.js';

let scope: Awaited<ReturnType<typeof testFolder>>;
beforeEach(async () => {
  scope = await testFolder();
});
afterEach(() => scope.close());

const page = readFileSync(new URL('../../../docs/cors.md', import.meta.url), 'utf8');
const document = JSON.parse(/```json\n(.*?)```/s.exec(page)![1]!) as object;

test('a browser reads answers, preflights and errors of the gateway', async () => {
  const api = await serveApi(scope, document);
  const origin = { Origin: 'https://shop.example' };
  const preflight = await api.ask('/pets', {
    httpMethod: 'OPTIONS',
    headers: { ...origin, 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'x-api-key' },
  });
  expect(preflight).toMatchObject({
    status: 204,
    headers: {
      'access-control-allow-origin': 'https://shop.example',
      'access-control-allow-methods': 'GET,OPTIONS',
      'access-control-allow-headers': 'Content-Type,X-Api-Key',
    },
  });
  for (const [path, status] of [
    ['/pets', 403],
    ['/nowhere', 403],
  ] as const) {
    const refused = await api.ask(path, { headers: origin });
    expect([path, refused.status]).toEqual([path, status]);
    expect(refused.headers).toMatchObject({
      'access-control-allow-origin': 'https://shop.example',
      'access-control-allow-credentials': 'true',
      vary: 'Origin',
    });
  }
  const fromElsewhere = await api.ask('/nowhere');
  expect(fromElsewhere.headers).not.toHaveProperty('access-control-allow-origin');
});
