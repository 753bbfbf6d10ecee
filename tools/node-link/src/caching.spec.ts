/** Cached responses of a stage, from the management API to a node in a process of its own, with callers and a backend on real sockets. */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { ScriptedUpstream, startRedis } from '@gatehouse/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { testFolder } from './harness.js';
import { CONTEXT, serveApi, type Answer, type ServedApi } from './imported-api.js';

let scope: Awaited<ReturnType<typeof testFolder>>;
let upstream: ScriptedUpstream;
let api: ServedApi;

const replace = (path: string, value: string) => ({ op: 'replace' as const, path, value });
const update = (...patchOperations: ReturnType<typeof replace>[]) =>
  api.deployments.UpdateStage(CONTEXT, { restApiId: api.restApiId, stageName: 'prod', patchOperations });
/** On the node when it returns: the update behind it is. */
const flush = async () => {
  await api.deployments.FlushStageCache(CONTEXT, { restApiId: api.restApiId, stageName: 'prod' });
  await update(replace('/description', `flushed ${++flushes}`));
};
let flushes = 0;

const proxy = (path: string, cacheKeyParameters: readonly string[] = []) => ({
  parameters: [
    { name: 'type', in: 'query', schema: { type: 'string' } },
    { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
  ].filter(({ name }) => name === 'type' || path.includes('{id}')),
  responses: { '200': { description: 'ok' } },
  'x-amazon-apigateway-integration': {
    type: 'http_proxy',
    httpMethod: 'ANY',
    uri: `${upstream.url}${path}`,
    cacheKeyParameters,
    requestParameters: path.includes('{id}') ? { 'integration.request.path.id': 'method.request.path.id' } : {},
  },
});

beforeAll(async () => {
  scope = await testFolder();
  upstream = await ScriptedUpstream.start();
  const keyed = ['method.request.querystring.type'];
  const paths = {
    '/pets': { get: proxy('/pets', keyed), post: proxy('/pets', keyed) },
    '/pets/{id}': { get: proxy('/pets/{id}', ['method.request.path.id']) },
    '/open': { get: proxy('/open') },
  };
  api = await serveApi(
    scope,
    { openapi: '3.0.1', info: { title: 'pets', version: '1' }, paths },
    { GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true' },
  );
  await update(
    replace('/cacheClusterEnabled', 'true'),
    replace('/cacheClusterSize', '0.5'),
    replace('/*/*/caching/enabled', 'true'),
    replace('/*/*/caching/ttlInSeconds', '3600'),
    replace('/~1open/GET/caching/requireAuthorizationForCacheControl', 'false'),
  );
}, 30_000);
afterAll(async () => {
  await scope.close();
  await upstream.close();
});

/** Counts answers of the backend: each has a number of its own. */
let number = 0;
beforeEach(async () => {
  upstream.does(({ response, url }) => void response.end(`${url} ${++number}`));
  await flush();
});
const bodyOf = ({ body }: Answer): string => body.toString();

describe('a stage with a cache', () => {
  test('answers again without the backend, with headers of the backend and ids of its own', async () => {
    upstream.does(({ response }) => void response.setHeader('X-From', 'backend').end('{"pet": 1}'));
    const before = upstream.calls.length;
    const [first, second] = [await api.ask('/pets?type=cat'), await api.ask('/pets?type=cat&more=1')];
    expect(upstream.calls.length - before).toBe(1);
    expect([second.status, bodyOf(second), second.headers['x-from']]).toEqual([200, '{"pet": 1}', 'backend']);
    expect(second.headers['content-length']).toBe('10');
    expect(second.headers['x-amzn-requestid']).not.toBe(first.headers['x-amzn-requestid']);
    expect(Object.keys(second.headers).filter((name) => name === 'age' || name === 'x-cache')).toEqual([]);
  });

  test('tells requests apart by key parameters, and caches GET alone', async () => {
    expect(bodyOf(await api.ask('/pets?type=cat'))).not.toBe(bodyOf(await api.ask('/pets?type=dog')));
    expect(bodyOf(await api.ask('/pets/1'))).not.toBe(bodyOf(await api.ask('/pets/2')));
    const post = { httpMethod: 'POST', body: 'x' };
    expect(bodyOf(await api.ask('/pets', post))).not.toBe(bodyOf(await api.ask('/pets', post)));
  });

  test('answers callers of HTTP/2 as well', async () => {
    upstream.does(({ response }) => void response.setHeader('X-From', 'backend').end(`${++number}`));
    const first = await api.ask('/pets');
    const session = connectHttp2(`http://127.0.0.1:${api.node.port}`);
    try {
      const stream = session.request({
        ':path': `/_aws/execute-api/${api.restApiId}/prod/pets`,
        ':authority': `127.0.0.1:${api.node.port}`,
      });
      const [head] = (await once(stream, 'response')) as [Record<string, string | number>];
      const chunks = await stream.toArray();
      const body = Buffer.concat(chunks as Buffer[]).toString();
      expect([head[':status'], head['x-from'], head['content-length'], body]).toEqual([
        200,
        'backend',
        String(body.length),
        bodyOf(first),
      ]);
    } finally {
      session.destroy();
    }
  });

  test('is empty after a flush', async () => {
    const first = bodyOf(await api.ask('/pets'));
    expect(bodyOf(await api.ask('/pets'))).toBe(first);
    await flush();
    expect(bodyOf(await api.ask('/pets'))).not.toBe(first);
  });

  test('is empty after a deployment', async () => {
    const first = bodyOf(await api.ask('/pets'));
    await api.deployments.CreateDeployment(CONTEXT, { restApiId: api.restApiId, stageName: 'prod' });
    expect(bodyOf(await api.ask('/pets'))).not.toBe(first);
  });

  test('asks the backend each time while caching is off', async () => {
    await update(replace('/cacheClusterEnabled', 'false'));
    expect(bodyOf(await api.ask('/pets'))).not.toBe(bodyOf(await api.ask('/pets')));
    await update(replace('/cacheClusterEnabled', 'true'));
  });
});

describe('Cache-Control: max-age=0', () => {
  const fresh = { headers: { 'Cache-Control': 'max-age=0' } };
  test('has the entry replaced where anybody may do so', async () => {
    const first = bodyOf(await api.ask('/open'));
    const second = bodyOf(await api.ask('/open', fresh));
    expect(second).not.toBe(first);
    expect(bodyOf(await api.ask('/open'))).toBe(second);
  });

  for (const [strategy, status, warns] of [
    ['FAIL_WITH_403', 403, false],
    ['SUCCEED_WITHOUT_RESPONSE_HEADER', 200, false],
    ['SUCCEED_WITH_RESPONSE_HEADER', 200, true],
  ] as const) {
    test(`of whom nobody knows is answered as the stage says: ${strategy}`, async () => {
      await update(replace('/*/*/caching/unauthorizedCacheControlHeaderStrategy', strategy));
      const first = bodyOf(await api.ask('/pets'));
      const answer = await api.ask('/pets', fresh);
      expect([answer.status, answer.headers['warning'] !== undefined]).toEqual([status, warns]);
      if (status === 403) expect(answer.headers['x-amzn-errortype']).toBe('AccessDeniedException');
      else expect(bodyOf(answer)).toBe(first);
      expect(bodyOf(await api.ask('/pets'))).toBe(first);
    });
  }
});

describe('a stampede', () => {
  test('of callers on connections of their own is one call to the backend', async () => {
    const before = upstream.calls.length;
    upstream.does(async ({ response }) => {
      await waiting;
      response.end('one for all');
    });
    let goOn!: () => void;
    const waiting = new Promise<void>((resolve) => (goOn = resolve));
    const answers = Array.from({ length: 200 }, () => api.ask('/pets?type=herd'));
    await upstream.called(before + 1);
    await new Promise((resolve) => setTimeout(resolve, 200)); // the others are under way
    goOn();
    const all = await Promise.all(answers);
    expect(new Set(all.map((answer) => `${answer.status} ${bodyOf(answer)}`))).toEqual(new Set(['200 one for all']));
    expect(upstream.calls.length - before).toBe(1);
  });

  test('goes on when the caller who was first hangs up', async () => {
    const before = upstream.calls.length;
    upstream.does(() => undefined); // no answer
    const leader = connect(api.node.port, '127.0.0.1');
    leader.write(`GET /_aws/execute-api/${api.restApiId}/prod/pets?type=left HTTP/1.1\r\nHost: a\r\n\r\n`);
    await upstream.called(before + 1);
    const others = [1, 2, 3].map(() => api.ask('/pets?type=left', { headers: { Host: 'a' } }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    upstream.does(({ response }) => void response.end('for the others'));
    leader.destroy();
    expect((await Promise.all(others)).map(bodyOf)).toEqual(Array(3).fill('for the others'));
    expect(upstream.calls.length - before).toBe(2);
  });
});

test('hits and misses are counted by method', async () => {
  await api.ask('/pets/7');
  await api.ask('/pets/7');
  const line = (what: string, page: string): number =>
    Number(
      new RegExp(`^gatehouse_engine_cache_${what}_total\\{[^}]*resource="/pets/\\{id\\}"[^}]*\\} (\\d+)$`, 'm').exec(page)?.[1],
    );
  await vi.waitFor(async () => {
    const page = await (await fetch(`http://127.0.0.1:${api.node.adminPort}/metrics`)).text();
    expect(line('hits', page)).toBeGreaterThanOrEqual(1);
    expect(line('misses', page)).toBeGreaterThanOrEqual(1);
  });
});

test('workers of a node share what they keep through Redis', async () => {
  const redis = await startRedis({ own: true });
  const own = await testFolder();
  try {
    const served = await serveApi(
      own,
      {
        openapi: '3.0.1',
        info: { title: 'pets', version: '1' },
        paths: { '/pets': { get: proxy('/pets', ['method.request.querystring.type']) } },
      },
      { GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true', GATEHOUSE_WORKERS: '2', GATEHOUSE_CACHE_REDIS_URL: redis.url },
    );
    await served.deployments.UpdateStage(CONTEXT, {
      restApiId: served.restApiId,
      stageName: 'prod',
      patchOperations: [replace('/cacheClusterEnabled', 'true'), replace('/*/*/caching/enabled', 'true')],
    });
    // A worker that does not hear of Redis in time asks the backend, as it may: then another key is tried.
    for (let attempt = 0; ; attempt++) {
      expect(attempt, 'keys of which each worker asked for itself').toBeLessThan(20);
      const before = upstream.calls.length;
      const bodies = new Set<string>();
      for (let i = 0; i < 24; i++) bodies.add(bodyOf(await served.ask(`/pets?type=${attempt}`)));
      if (bodies.size === 1 && upstream.calls.length - before === 1) break;
    }
  } finally {
    await own.close();
    await redis.stop();
  }
}, 60_000);
