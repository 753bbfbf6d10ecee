// Request validation through real sockets: what reaches the upstream, and what does not. The rules are beside the step.
import type { RequestValidation, RouteAuthorization } from '@gatehouse/contracts';
import { expect } from 'vitest';
import { conform, forEveryEngine } from './conform.js';
import { stageOf } from './gate.js';

const PET = JSON.stringify({ required: ['name'], properties: { name: { type: 'string', pattern: '^(a+)+$' } } });

const checked = (validation: Partial<RequestValidation>): RouteAuthorization => ({
  type: 'VALIDATE',
  validation: { requiredParameters: [], bodyModels: null, ...validation },
  authorization: { type: 'NONE' },
});

forEveryEngine((engine) => {
  conform(engine, 52, 'a valid request goes through as it came, an invalid one never reaches the upstream', async (house) => {
    const up = await house.upstream();
    const gate = await house.gate();
    const authorization = checked({
      requiredParameters: ['method.request.header.x-a', 'method.request.querystring.q'],
      bodyModels: { 'application/json': 'Pet' },
    });
    await gate.publish(
      stageOf([{ path: '/pets', httpMethod: 'POST', authorization, integration: gate.to(`${up.url}/pets`) }], {
        models: { Pet: PET },
      }),
    );
    const call = (path: string, headers: string[], body: string) =>
      gate.call(path, { httpMethod: 'POST', headers: [...headers, 'Content-Type', 'application/json'], body });
    for (const [path, headers, body, status, message] of [
      ['/dev/pets', [], '{"name":"a"}', 400, 'Missing required request parameters: [x-a, q]'],
      ['/dev/pets?q=1', ['x-a', '1'], '{"name":', 400, 'Invalid request body'],
      ['/dev/pets?q=1', ['x-a', '1'], '{}', 400, 'Invalid request body'],
      ['/dev/pets?q=1', ['x-a', '1'], `{"name":"${'a'.repeat(50_000)}b"}`, 400, 'Invalid request body'],
    ] as const) {
      const answer = await call(path, [...headers], body);
      expect([answer.status, JSON.parse(answer.text)]).toEqual([status, { message }]);
      expect(answer.headers['x-amzn-errortype']).toBe('BadRequestException');
    }
    expect(up.calls).toHaveLength(0);
    const body = `{ "name" : "${'a'.repeat(50_000)}" }`;
    expect((await call('/dev/pets?q=1', ['x-a', '1'], body)).status).toBe(200);
    expect(String(await up.calls[0]!.body)).toBe(body);
  });

  conform(engine, 52, 'a model that slipped through makes its own route fail, and no other', async (house) => {
    const gate = await house.gate();
    await gate.publish(
      stageOf(
        [
          { path: '/', httpMethod: 'GET' },
          { path: '/bad', httpMethod: 'GET', authorization: checked({ bodyModels: { 'application/json': 'Bad' } }) },
        ],
        { models: { Bad: '{"anyOf":[{"$ref":"#"}]}' } },
      ),
    );
    expect((await gate.call('/dev')).status).toBe(200);
    expect((await gate.call('/dev/bad')).status).toBe(500);
  });
});
