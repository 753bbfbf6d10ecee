// Which API and which route a request reaches. The router's own properties are beside the router.
import { routeSnapshot } from '@gatehouse/testkit';
import { expect } from 'vitest';
import { conform, forEveryEngine } from './conform.js';
import { stageOf } from './gate.js';

forEveryEngine((engine) => {
  conform(
    engine,
    24,
    'a literal beats a variable, a variable a greedy one, a method ANY, with a slash at the end or without',
    async (house) => {
      const gate = await house.gate();
      const routes = [
        ['GET', '/pets/6'],
        ['ANY', '/pets/6'],
        ['GET', '/pets/{id}'],
        ['GET', '/pets/{id}/toys'],
        ['GET', '/pets/{proxy+}'],
        ['ANY', '/{proxy+}'],
      ] as const;
      await gate.publish(stageOf(routes.map(([httpMethod, path], i) => mockRoute(httpMethod, path, 200 + i))));
      for (const [httpMethod, path, index] of [
        ['GET', '/pets/6', 0],
        ['GET', '/pets/6/', 0],
        ['POST', '/pets/6', 1],
        ['GET', '/pets/7', 2],
        ['GET', '/pets/%36', 2],
        ['GET', '/pets/6%2f', 2],
        ['GET', '/pets/7/toys', 3],
        ['GET', '/pets/7/toys/1', 4],
        ['DELETE', '/pets/7', 5],
        ['GET', '/Pets/6', 5],
        ['GET', '/other', 5],
      ] as const) {
        expect(`${httpMethod} ${path} ${(await gate.call(`/dev${path}`, { httpMethod })).status}`).toBe(
          `${httpMethod} ${path} ${200 + index}`,
        );
      }
    },
  );

  conform(engine, 25, 'among 100,000 routes with a common prefix the right one answers, and a near miss none', async (house) => {
    const gate = await house.gate();
    const routes = Array.from({ length: 99_998 }, (_, i) => mockRoute('GET', `/a/a/a/a/${'a'.repeat(i % 40)}${i}/b`, 200));
    await gate.publish(
      stageOf([...routes, mockRoute('GET', '/a/a/a/a/last/b', 201), mockRoute('GET', '/a/{x}/{y}/{z}/{v}/c', 202)]),
    );
    for (const [path, status] of [
      ['/a/a/a/a/0/b', 200],
      [`/a/a/a/a/${'a'.repeat(99_997 % 40)}99997/b`, 200],
      ['/a/a/a/a/last/b', 201],
      ['/a/a/a/a/last/c', 202],
      ['/a/a/a/a/last/d', 403],
      [`/${'a/'.repeat(2_000)}b`, 403],
    ] as const) {
      expect((await gate.call(`/dev${path}`)).status, path.slice(0, 50)).toBe(status);
    }
  });

  conform(engine, 26, 'each of 120 APIs answers under its own name, however it is spelled', async (house) => {
    const gate = await house.gate();
    const apiIds = Array.from({ length: 120 }, (_, i) => `api${i}`);
    await gate.publish(...apiIds.map((apiId, i) => stageOf([mockRoute('GET', '/', 200 + i)], { apiId })));
    for (const [i, apiId] of apiIds.entries()) {
      for (const host of [`${apiId}.execute-api.b`, `${apiId.toUpperCase()}.Execute-Api.B:443`, `${apiId}.execute-api.b.`]) {
        expect((await gate.call('/dev', { host })).status, host).toBe(200 + i);
      }
    }
    expect((await gate.call('/dev', { host: 'api120.execute-api.b' })).status).toBe(403);
  });
});

function mockRoute(httpMethod: string, path: string, status: number): ReturnType<typeof routeSnapshot> {
  return routeSnapshot({
    httpMethod,
    path,
    integration: {
      type: 'MOCK',
      passthroughBehavior: 'WHEN_NO_MATCH',
      requestTemplates: { 'application/json': '{"statusCode": 200}' },
      responses: [{ statusCode: status, selectionPattern: null, responseParameters: {}, responseTemplates: {} }],
    },
  });
}
