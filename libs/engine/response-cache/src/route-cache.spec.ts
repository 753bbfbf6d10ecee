// A cached route as it is linked, with a backend that is told when to answer.
import type { RouteCaching, RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import {
  CONTINUE,
  Exchange,
  lastHeader,
  PENDING,
  proceed,
  runProgram,
  STREAM_BODY,
  type Program,
  type RawHeaders,
  type Verdict,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { ManualClock } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import { MemoryResponses, ResponseCache, WARNING, type MayInvalidate, type ResponseStore, type RouteCache } from './index.js';

const CACHING: RouteCaching = {
  namespace: 'pets12',
  keyParameters: [],
  ttlSeconds: 300,
  invalidation: 'SUCCEED_WITH_RESPONSE_HEADER',
};

interface Answer {
  readonly status?: number;
  readonly headers?: RawHeaders;
  readonly body?: string | Buffer | Readable | null;
}

interface Asked {
  readonly x: Exchange;
  answer(answer?: Answer): void;
  fail(): void;
}

interface RouteOptions {
  readonly caching?: Partial<RouteCaching>;
  readonly route?: Partial<RouteSnapshot>;
  readonly stage?: Partial<StageSnapshot>;
  readonly isApart?: boolean;
  readonly mayInvalidate?: MayInvalidate;
}

class House {
  readonly clock = new ManualClock(1_000);
  readonly cache: ResponseCache;
  /** Calls of the backend that are not answered yet. */
  readonly asked: Asked[] = [];
  readonly counts = { hits: 0, misses: 0 };
  calls = 0;
  private readonly answers = new Map<Exchange, Answer>();

  constructor(sharesPrivate = false, shared: ResponseStore | null = null) {
    this.cache = new ResponseCache({ bytesMax: 1e8, bytesPerGigabyte: 1e8, clock: this.clock, sharesPrivate, shared });
  }

  link({ caching = {}, route = {}, stage = {}, isApart = false, mayInvalidate }: RouteOptions = {}): {
    cache: RouteCache;
    program: Program;
  } {
    const settings = {
      stage: stageSnapshot({ cacheGigabytes: 0.5, ...stage }),
      route: routeSnapshot({ path: '/pets/{id}', ...route, caching: { ...CACHING, ...caching } }),
    };
    const metrics = {
      record: () => undefined,
      recordCache: (isHit: boolean) => void (isHit ? this.counts.hits++ : this.counts.misses++),
    };
    const cache = this.cache.link(settings, metrics, isApart, mayInvalidate ?? null)!;
    const program: Program = {
      requestSteps: [cache.look, (x) => this.ask(x)],
      responseSteps: [cache.answerKept, (x) => this.respond(x), cache.keep],
      requestBody: STREAM_BODY,
      responseBody: STREAM_BODY,
      faults: cache.releasing({ render: (x) => void (x.status = x.fault!.status) }),
      bugFault: FAULTS.BUG,
    };
    return { cache, program };
  }

  private ask(x: Exchange): typeof PENDING {
    this.calls++;
    const over = (verdict: Verdict): void => {
      this.asked.splice(this.asked.indexOf(asked), 1);
      proceed(x, verdict);
    };
    const asked: Asked = {
      x,
      answer: (answer = {}) => {
        this.answers.set(x, answer);
        over(CONTINUE);
      },
      fail: () => over(x.fail(FAULTS.INTEGRATION_FAILURE)),
    };
    this.asked.push(asked);
    return PENDING;
  }

  /** What the steps of an integration make of its answer. */
  private respond(x: Exchange): Verdict {
    const { status = 200, headers = [], body = 'pets' } = this.answers.get(x)!;
    x.status = status;
    x.responseHeaders = [...headers];
    x.responseBody = typeof body === 'string' ? Buffer.from(body) : body;
    return CONTINUE;
  }

  /** `url`: id and query, as `7?a=b`. */
  start({ program }: { program: Program }, url = '7', headers: RawHeaders = [], over: Partial<Exchange> = {}): Caller {
    const x = new Exchange();
    const [id, query = ''] = url.split('?') as [string, string?];
    Object.assign(x, { httpMethod: 'GET', host: 'abc.localhost', rawQuery: query, traceId: 'Root=1', ...over });
    x.requestHeaders = headers;
    x.params.push(id);
    x.route = { settings: null!, paramNames: ['id'], program, metrics: null! };
    return new Caller(x, Promise.resolve(runProgram(program, x)));
  }

  /** Asked and answered, when the backend is asked at all. */
  async get(
    linked: { program: Program },
    url = '7',
    headers: RawHeaders = [],
    answer: Answer = {},
    over: Partial<Exchange> = {},
  ): Promise<Exchange> {
    const caller = this.start(linked, url, headers, over);
    this.asked.find(({ x }) => x === caller.x)?.answer(answer);
    await caller.over;
    return caller.x;
  }
}

class Caller {
  isOver = false;
  readonly over: Promise<void>;
  constructor(
    readonly x: Exchange,
    over: Promise<void>,
  ) {
    this.over = over.then(() => void (this.isOver = true));
  }
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};
const text = (x: Exchange): string => `${x.status} ${String(x.responseBody)}`;
const fields = (x: Exchange): string[] => [...(x.responseBlock?.fields ?? []), ...x.responseHeaders];

describe('a hit', () => {
  test('is the answer before, without the backend, with a trace header of its own', async () => {
    const house = new House();
    const route = house.link();
    const first = await house.get(route, '7', [], { status: 203, headers: ['X-A', '1', 'X-Amzn-Trace-Id', 'Root=1'] });
    const second = await house.get(route, '7', [], { body: 'other' }, { traceId: 'Root=2' });
    expect([text(first), text(second), house.calls]).toEqual(['203 pets', '203 pets', 1]);
    expect(fields(second)).toEqual(['X-A', '1', 'X-Amzn-Trace-Id', 'Root=2']);
    expect([house.counts, second.integrationLatencyMs]).toEqual([{ hits: 1, misses: 1 }, -1]);
  });

  test('ends with its TTL, to the millisecond', async () => {
    const house = new House();
    const route = house.link({ caching: { ttlSeconds: 2 } });
    await house.get(route);
    house.clock.advance(1_999);
    await house.get(route);
    expect(house.calls).toBe(1);
    house.clock.advance(1);
    expect(text(await house.get(route, '7', [], { body: 'new' }))).toBe('200 new');
  });

  test('is not changed by who was answered before', async () => {
    const house = new House();
    const route = house.link();
    const source = Buffer.from('pets');
    await house.get(route, '7', [], { body: source });
    source.fill('x');
    expect(text(await house.get(route))).toBe('200 pets');
  });
});

describe('what is kept (cases: storable.cases.md)', () => {
  interface Case {
    readonly title: string;
    readonly line: number;
    readonly lines: { readonly line: number; readonly text: string }[];
  }
  const cases: Case[] = [];
  let isFenced = false;
  readFileSync(new URL('storable.cases.md', import.meta.url), 'utf8')
    .split('\n')
    .forEach((content, i) => {
      if (content.startsWith('```')) isFenced = !isFenced;
      else if (!isFenced && content.startsWith('## ')) cases.push({ title: content.slice(3), line: i + 1, lines: [] });
      else if (isFenced) cases.at(-1)!.lines.push({ line: i + 1, text: content });
    });

  const pairs = (given: string): RawHeaders =>
    given === ''
      ? []
      : given.split(' & ').flatMap((field) => [field.slice(0, field.indexOf(':')), field.slice(field.indexOf(':') + 1).trim()]);
  /** `GET 7?a=b @host | header: value | 200 | header: value` as exchange and answer. */
  const ask = async (house: House, routes: ReadonlyMap<string, ReturnType<House['link']>>, line: string): Promise<void> => {
    const [request = '', headers = '', status = '', answer = ''] = line.split('|').map((part) => part.trim());
    const [verb = '', url = '', ...more] = request.split(' ');
    const host = more.find((word) => word.startsWith('@'))?.slice(1) ?? 'abc.localhost';
    const route = routes.get(more.find((word) => word.startsWith('+'))?.slice(1) ?? 'route')!;
    const body = more.includes('body');
    await house.get(
      route,
      url,
      pairs(headers),
      { status: Number(status || 200), headers: pairs(answer) },
      {
        httpMethod: verb,
        host,
        requestBody: body ? { declaredBytes: 4, atHand: Buffer.from('body'), open: () => Readable.from([]) } : null,
      },
    );
  };

  for (const { title, line, lines } of cases) {
    test(`${title} (storable.cases.md:${line})`, async () => {
      const house = new House(lines.some(({ text: content }) => content === 'as AWS'));
      const routes = new Map<string, ReturnType<House['link']>>();
      const link = (name: string, words: readonly string[]): void => {
        const value = (key: string): string | undefined =>
          words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
        const linked = house.link({
          caching: {
            keyParameters: (value('key') ?? '').split(',').filter((parameter) => parameter !== ''),
            ...(value('namespace') !== undefined && { namespace: value('namespace')! }),
          },
          route: {
            httpMethod: value('verb') ?? 'GET',
            ...(words.includes('guarded') && { authorization: { type: 'FUNCTION', authorizerId: 'a' } }),
            ...(words.includes('policy') && { authorization: { type: 'RESOURCE_POLICY', authorization: { type: 'NONE' } } }),
          },
          isApart: words.includes('apart'),
          stage: {
            binaryMediaTypes: words.includes('binary') ? ['image/png'] : [],
            deploymentId: value('deployment') ?? 'dep123',
            stage: value('stage') ?? 'dev',
            tenant: value('tenant') ?? '123456789012',
            stageVariables: { colour: value('colour') ?? 'blue' },
            cacheEpochs: { responses: Number(value('flushed') ?? 0), authorizers: 0 },
          },
        });
        routes.set(name, linked);
      };
      link('route', []);
      for (const { line: at, text: content } of lines) {
        const words = content.split(' ');
        if (words[0] === 'as') continue;
        if (words[0] === 'route' || words[0] === 'and') {
          link(words[0] === 'route' ? 'route' : words[1]!, words.slice(1));
          continue;
        }
        const arrow = content.lastIndexOf('->');
        const before = house.calls;
        await ask(house, routes, content.slice(0, arrow));
        const where = `storable.cases.md:${at}: `;
        expect(where + (house.calls === before ? 'hit' : 'backend')).toBe(where + content.slice(arrow + 2).trim());
      }
    });
  }
});

describe('invalidation', () => {
  const fresh: RawHeaders = ['Cache-Control', 'max-age=0'];
  test('by anybody, where no permission is asked for: the entry is replaced', async () => {
    const house = new House();
    const route = house.link({ caching: { invalidation: 'ANYBODY' } });
    await house.get(route, '7', [], { body: 'old' });
    for (const header of ['max-age=0', 'no-store, Max-Age = 0']) {
      const body = `after ${header}`;
      expect(text(await house.get(route, '7', ['cache-control', header], { body }))).toBe(`200 ${body}`);
      expect(text(await house.get(route))).toBe(`200 ${body}`);
    }
    expect(house.calls).toBe(3);
  });

  test('max-age of more than 0 and no-cache ask for nothing', async () => {
    const house = new House();
    const route = house.link({ caching: { invalidation: 'ANYBODY' } });
    await house.get(route);
    for (const value of ['max-age=00', 'max-age=01', 'no-cache', 's-max-age=0'])
      await house.get(route, '7', ['Cache-Control', value]);
    expect(house.calls).toBe(1);
  });

  test('a backend that fails then leaves the entry as it was', async () => {
    const house = new House();
    const route = house.link({ caching: { invalidation: 'ANYBODY' } });
    await house.get(route, '7', [], { body: 'old' });
    expect((await house.get(route, '7', fresh, { status: 500 })).status).toBe(500);
    expect(text(await house.get(route))).toBe('200 old');
  });

  for (const [invalidation, status, warning] of [
    ['FAIL_WITH_403', 403, null],
    ['SUCCEED_WITH_RESPONSE_HEADER', 200, WARNING],
    ['SUCCEED_WITHOUT_RESPONSE_HEADER', 200, null],
  ] as const) {
    test(`by nobody who may: ${invalidation}, for a hit and for a miss, and for that caller alone`, async () => {
      const house = new House();
      const route = house.link({ caching: { invalidation } });
      const miss = await house.get(route, '7', fresh);
      expect([miss.status, lastHeader(fields(miss), 'warning')]).toEqual([status, warning]);
      await house.get(route);
      const hit = await house.get(route, '7', fresh);
      expect([hit.status, lastHeader(fields(hit), 'warning')]).toEqual([status, warning]);
      expect([lastHeader(fields(await house.get(route)), 'warning'), house.calls]).toEqual([null, 1]);
    });
  }

  test('by whoever has the permission', async () => {
    const house = new House();
    const mayInvalidate: MayInvalidate = (x) => x.sourceIp === '10.0.0.1';
    const route = house.link({ caching: { invalidation: 'FAIL_WITH_403' }, mayInvalidate });
    await house.get(route);
    expect((await house.get(route, '7', fresh, {}, { sourceIp: '10.0.0.2' })).status).toBe(403);
    expect(text(await house.get(route, '7', fresh, { body: 'new' }, { sourceIp: '10.0.0.1' }))).toBe('200 new');
  });

  test('an answer that was asked for before does not replace the fresh one', async () => {
    const house = new House();
    const route = house.link({ caching: { invalidation: 'ANYBODY' } });
    const slow = house.start(route);
    house.clock.advance(10);
    await house.get(route, '7', fresh, { body: 'fresh' });
    house.asked[0]!.answer({ body: 'stale' });
    await slow.over;
    expect(text(await house.get(route))).toBe('200 fresh');
  });
});

describe('many at once', () => {
  test('are one call, and each has the answer', async () => {
    const house = new House();
    const route = house.link();
    const callers = Array.from({ length: 100 }, (_, i) => house.start(route, '7', [], { traceId: `Root=${i}` }));
    house.asked[0]!.answer({ headers: ['X-Amzn-Trace-Id', 'Root=0'] });
    await Promise.all(callers.map(({ over }) => over));
    expect([house.calls, house.counts]).toEqual([1, { hits: 99, misses: 1 }]);
    callers.forEach(({ x }, i) => expect([text(x), lastHeader(fields(x), 'x-amzn-trace-id')]).toEqual(['200 pets', `Root=${i}`]));
  });

  test('a leader that fails fails alone: the others ask for themselves', async () => {
    const house = new House();
    const route = house.link();
    const callers = [1, 2, 3].map(() => house.start(route));
    house.asked[0]!.fail();
    await turns();
    expect([callers.map(({ isOver }) => isOver), house.asked.length]).toEqual([[true, false, false], 2]);
    for (const asked of [...house.asked]) asked.answer();
    await Promise.all(callers.map(({ over }) => over));
    expect(callers.map(({ x }) => x.status)).toEqual([504, 200, 200]);
  });

  test("an answer with an error is its caller's own", async () => {
    const house = new House();
    const route = house.link();
    const callers = [1, 2].map(() => house.start(route));
    house.asked[0]!.answer({ status: 500 });
    await turns();
    house.asked[0]!.answer({ status: 200 });
    await Promise.all(callers.map(({ over }) => over));
    expect(callers.map(({ x }) => x.status)).toEqual([500, 200]);
  });

  test('when the leader leaves, one of the others leads', async () => {
    const house = new House();
    const route = house.link();
    const callers = [1, 2, 3, 4].map(() => house.start(route));
    callers[0]!.x.callerLeft();
    house.asked[0]!.fail();
    await turns();
    expect(house.asked).toHaveLength(1);
    house.asked[0]!.answer();
    await Promise.all(callers.map(({ over }) => over));
    expect([house.calls, callers.slice(1).map(({ x }) => text(x))]).toEqual([2, Array(3).fill('200 pets')]);
  });

  test('whoever leaves while it waits is let go at once, and nothing is sent after it', async () => {
    const house = new House();
    const route = house.link();
    const leader = house.start(route);
    const gone = house.start(route);
    gone.x.callerLeft();
    await gone.over;
    expect([gone.x.fault?.name, gone.x.onCallerLeft]).toEqual(['CALLER_LEFT', null]);
    house.asked[0]!.answer();
    await leader.over;
    expect(gone.x.responseBody).toBe(null);
  });

  test('nobody waits longer than the integration may take', async () => {
    vi.useFakeTimers();
    try {
      const house = new House();
      const integration = {
        type: 'HTTP_PROXY',
        uri: 'http://a/',
        httpMethod: 'GET',
        timeoutMs: 500,
        requestParameters: {},
        insecureSkipVerification: false,
      } as const;
      const route = house.link({ route: { integration } });
      const callers = [1, 2, 3].map(() => house.start(route));
      vi.advanceTimersByTime(499);
      await turns();
      expect(house.asked).toHaveLength(1);
      vi.advanceTimersByTime(1);
      await turns();
      expect(house.asked).toHaveLength(3);
      for (const asked of [...house.asked]) asked.answer();
      await Promise.all(callers.map(({ over }) => over));
    } finally {
      vi.useRealTimers();
    }
  });

  test('after an answer that cannot be kept nobody waits for another', async () => {
    const house = new House();
    const route = house.link();
    const callers = [1, 2].map(() => house.start(route));
    house.asked[0]!.answer({ headers: ['Set-Cookie', 'a=1'] });
    await turns();
    callers.push(house.start(route));
    expect(house.asked).toHaveLength(2);
    house.asked[0]!.answer({ headers: ['Set-Cookie', 'a=2'] });
    house.asked[0]!.answer({ headers: ['Set-Cookie', 'a=3'] });
    await Promise.all(callers.map(({ over }) => over));
    expect(callers.map(({ x }) => lastHeader(fields(x), 'set-cookie'))).toEqual(['a=1', 'a=2', 'a=3']);
  });

  test('answers that vary are one call for each variant', async () => {
    const house = new House();
    const route = house.link();
    const languages = ['en', 'de', 'en', 'de', 'en'];
    const callers = languages.map((language) => house.start(route, '7', ['Accept-Language', language]));
    const reply = (asked: Asked): void =>
      asked.answer({ headers: ['Vary', 'Accept-Language'], body: lastHeader(asked.x.requestHeaders, 'accept-language')! });
    reply(house.asked[0]!);
    await turns();
    expect(house.asked).toHaveLength(1);
    reply(house.asked[0]!);
    await Promise.all(callers.map(({ over }) => over));
    expect([callers.map(({ x }) => String(x.responseBody)), house.calls]).toEqual([languages, 2]);
  });

  test('a bug in the leader lets the others go on', async () => {
    const house = new House();
    const { program } = house.link();
    const broken: Program = {
      ...program,
      responseSteps: [
        () => {
          throw new Error('a bug');
        },
        ...program.responseSteps,
      ],
    };
    const leader = house.start({ program: broken });
    const other = house.start({ program });
    house.asked[0]!.answer();
    await leader.over;
    await turns();
    house.asked[0]!.answer();
    await other.over;
    expect([leader.x.fault?.name, text(other.x)]).toEqual(['BUG', '200 pets']);
  });
});

describe('bodies', () => {
  const declared = (body: Readable, bytes: number): Answer => ({ body: Object.assign(body, { declared: bytes }) });

  test('a streamed one is kept when all of it is there', async () => {
    const house = new House();
    const route = house.link();
    const first = await house.get(route, '7', [], { body: Readable.from([Buffer.from('pe'), Buffer.from('ts')]) });
    expect([text(first), text(await house.get(route)), house.calls]).toEqual(['200 pets', '200 pets', 1]);
  });

  test('one that is too large goes on to its caller whole, and is not kept', async () => {
    const house = new House();
    const route = house.link();
    const chunks = Array.from({ length: 33 }, (_, i) => Buffer.alloc(32_768, i));
    const x = await house.get(route, '7', [], { body: Readable.from(chunks) });
    const received: Buffer[] = [];
    for await (const chunk of x.responseBody as Readable) received.push(chunk as Buffer);
    expect(Buffer.concat(received).equals(Buffer.concat(chunks))).toBe(true);
    await house.get(route);
    expect(house.calls).toBe(2);
  });

  test('the largest one that is kept has 1 MiB', async () => {
    const house = new House();
    const route = house.link({ caching: { keyParameters: ['method.request.path.id'] } });
    for (const [id, bytes, calls] of [
      ['a', 1_048_576, 1],
      ['b', 1_048_577, 3],
    ] as const) {
      await house.get(route, id, [], { body: Buffer.alloc(bytes) });
      await house.get(route, id, [], { body: Buffer.alloc(bytes) });
      expect(house.calls).toBe(calls);
    }
  });

  test('one that breaks off is a fault, is not kept, and fails nobody else', async () => {
    const house = new House();
    const route = house.link();
    const callers = [1, 2].map(() => house.start(route));
    const body = new Readable({ read: () => undefined });
    body.push('pe');
    house.asked[0]!.answer(declared(body, 4));
    body.destroy(new Error('reset'));
    await callers[0]!.over;
    expect(callers[0]!.x.fault?.name).toBe('INTEGRATION_FAILURE');
    await turns();
    house.asked[0]!.answer();
    await callers[1]!.over;
    expect(text(callers[1]!.x)).toBe('200 pets');
  });

  test('one that is shorter than it was said to be is not kept', async () => {
    const house = new House();
    const route = house.link();
    const caller = house.start(route);
    caller.x.responseBodyBytes = 9;
    house.asked[0]!.answer({ body: Readable.from([Buffer.from('pets')]) });
    await caller.over;
    expect(caller.x.fault?.name).toBe('INTEGRATION_FAILURE');
  });
});

describe('nodes that share', () => {
  /** A store that answers later, and counts who asks. */
  class Shared implements ResponseStore {
    readonly memory = new MemoryResponses(1e8);
    asked = 0;
    async find(...args: Parameters<ResponseStore['find']>) {
      this.asked++;
      await turns();
      return this.memory.find(...args);
    }
    async keep(...args: Parameters<ResponseStore['keep']>) {
      return this.memory.keep(...args);
    }
  }
  const houses = () => {
    const shared = new Shared();
    const [one, other] = [new House(false, shared), new House(false, shared)];
    return { shared, one, other };
  };
  const answered = async (house: House, caller: Caller, answer: Answer = {}): Promise<string> => {
    await turns();
    await turns();
    house.asked.find(({ x }) => x === caller.x)?.answer(answer);
    await caller.over;
    return text(caller.x);
  };

  test('have what one of them was answered, and ask the store once for all who wait', async () => {
    const { shared, one, other } = houses();
    const [there, here] = [one.link(), other.link()];
    expect(await answered(one, one.start(there))).toBe('200 pets');
    const before = shared.asked;
    const callers = Array.from({ length: 50 }, () => other.start(here));
    for (const caller of callers) expect(await answered(other, caller)).toBe('200 pets');
    expect([other.calls, shared.asked - before]).toEqual([0, 1]);
    await answered(other, other.start(here));
    expect(shared.asked - before).toBe(1); // from memory
  });

  test('have the variants, too', async () => {
    const { one, other } = houses();
    const [there, here] = [one.link(), other.link()];
    const german: RawHeaders = ['Accept-Language', 'de'];
    await answered(one, one.start(there, '7', german), { headers: ['Vary', 'Accept-Language'], body: 'Tiere' });
    expect(await answered(other, other.start(here, '7', german))).toBe('200 Tiere');
    expect(other.calls).toBe(0);
    const english = other.start(here, '7', ['Accept-Language', 'en']);
    expect(await answered(other, english, { headers: ['Vary', 'Accept-Language'], body: 'pets' })).toBe('200 pets');
    expect(other.calls).toBe(1);
  });

  test('ask the backend while the store has nothing', async () => {
    const { one } = houses();
    const route = one.link();
    const callers = [1, 2, 3].map(() => one.start(route));
    await turns();
    expect(await answered(one, callers[0]!)).toBe('200 pets');
    await Promise.all(callers.map(({ over }) => over));
    expect(one.calls).toBe(1);
  });
});

test('a route without caching has no step for it', () => {
  const house = new House();
  const metrics = { record: () => undefined };
  const caching = CACHING;
  expect(house.cache.link({ stage: stageSnapshot(), route: routeSnapshot() }, metrics)).toBe(null);
  expect(house.cache.link({ stage: stageSnapshot(), route: routeSnapshot({ caching }) }, metrics)).toBe(null); // no cluster
  expect(house.cache.link({ stage: stageSnapshot({ cacheGigabytes: 0.5 }), route: routeSnapshot() }, metrics)).toBe(null);
});

test('the size of a cluster bounds what its stage keeps', async () => {
  const house = new House();
  const route = house.link({ stage: { cacheGigabytes: 0.0005 }, caching: { keyParameters: ['method.request.path.id'] } }); // 50 kB
  for (let i = 0; i < 200; i++) await house.get(route, String(i));
  expect(house.cache.memory.bytes).toBeLessThanOrEqual(50_000);
  expect(house.cache.memory.bytes).toBeGreaterThan(40_000);
});
