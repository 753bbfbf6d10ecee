import { PassThrough, Readable } from 'node:stream';
import { expect, test } from 'vitest';
import {
  BodyTooLarge,
  compileSource,
  CONTINUE,
  Exchange,
  ExchangePool,
  FAULT,
  PENDING,
  proceed,
  lastHeader,
  limitStream,
  readAll,
  removeHeader,
  RESPOND,
  runProgram,
  startProgram,
  STREAM_BODY,
  type FaultKind,
  type Program,
  type RawHeaders,
  type Step,
  type Verdict,
} from './index.js';

const BUG: FaultKind = {
  name: 'BUG',
  responseType: 'DEFAULT_5XX',
  status: 500,
  errorType: 'X',
  message: 'no',
  source: 'gateway',
  retry: false,
};

function program(requestSteps: Step[], responseSteps: Step[] = []): Program {
  return {
    requestSteps,
    responseSteps,
    requestBody: STREAM_BODY,
    responseBody: STREAM_BODY,
    faults: { render: (x) => void (x.status = x.fault!.status) },
    bugFault: BUG,
  };
}

test('a reset Exchange equals a new one and has the same fields in the same order', () => {
  const pool = new ExchangePool();
  const used = pool.acquire();
  for (const key of Object.keys(used)) {
    if (key !== 'params') Object.assign(used, { [key]: 'used' });
  }
  used.params.push('1');
  pool.release(used);
  const again = pool.acquire();
  expect(again).toBe(used);
  expect(again).toEqual(new Exchange());
  expect(Object.keys(again)).toEqual(Object.keys(new Exchange()));
});

test('a program of synchronous steps is over before startProgram returns', () => {
  const seen: number[] = [];
  const isOver = startProgram(
    program(
      [() => (seen.push(1), CONTINUE), () => (seen.push(2), RESPOND), () => (seen.push(3), CONTINUE)],
      [() => (seen.push(4), CONTINUE)],
    ),
    new Exchange(),
  );
  expect([isOver, seen]).toEqual([true, [1, 2, 4]]);
});

test('a step that waits without a promise goes on by itself, in either half', async () => {
  const seen: string[] = [];
  const waits =
    (name: string): Step =>
    (x) => {
      setImmediate(() => {
        seen.push(name);
        proceed(x, CONTINUE);
      });
      return PENDING;
    };
  await runProgram(program([waits('a'), waits('b')], [waits('c')]), new Exchange());
  expect(seen).toEqual(['a', 'b', 'c']);
});

for (const late of [false, true]) {
  const as = (step: (x: Exchange) => Verdict): Step => (late ? async (x) => step(x) : step);
  const when = late ? 'later' : 'at once';

  test(`RESPOND skips the rest of the request half only (steps that finish ${when})`, async () => {
    const seen: string[] = [];
    const note = (text: string, verdict: 0 | 1 | 2): Step => as(() => (seen.push(text), verdict));
    await runProgram(
      program([note('a', CONTINUE), note('b', RESPOND), note('c', CONTINUE)], [note('d', CONTINUE)]),
      new Exchange(),
    );
    expect(seen).toEqual(['a', 'b', 'd']);
  });

  test(`a fault in either half ends in the fault responder (steps that finish ${when})`, async () => {
    for (const halves of [
      [[as((x) => x.fail(BUG))], []],
      [[], [as((x) => x.fail(BUG))]],
    ] as Step[][][]) {
      const x = new Exchange();
      await runProgram(program(halves[0]!, halves[1]), x);
      expect(x.status).toBe(500);
    }
  });

  test(`a step that throws ends as the bug fault, with its cause kept (steps that finish ${when})`, async () => {
    const x = new Exchange();
    await runProgram(
      program([
        as(() => {
          throw new Error('oops');
        }),
      ]),
      x,
    );
    expect([x.status, x.fault, (x.faultCause as Error).message]).toEqual([500, BUG, 'oops']);
  });
}

test('the first fault stays, because later ones follow from it', () => {
  const x = new Exchange();
  expect(x.fail(BUG, null, 'first')).toBe(FAULT);
  x.fail({ ...BUG, status: 418 }, null, 'second');
  expect([x.fault!.status, x.faultDoing]).toEqual([500, 'first']);
});

test('a caller that left before anybody asked for the signal still raises it', () => {
  const x = new Exchange();
  x.callerLeft();
  expect(x.signal.aborted).toBe(true);
});

test('header names match in any case, and the last of several wins', () => {
  const headers: RawHeaders = ['X-A', '1', 'x-a', '2', 'B', '3'];
  expect(lastHeader(headers, 'x-a')).toBe('2');
  removeHeader(headers, 'x-a');
  expect(headers).toEqual(['B', '3']);
});

for (const [name, rawQuery, expected] of [
  ['plus is a space and %2B a plus', 'a=1+2&a=%2B', ['a', '1 2', 'a', '+']],
  ['a name without = has an empty value', 'flag&x=', ['flag', '', 'x', '']],
  ['only the first = separates', 'a=b=c', ['a', 'b=c']],
  ['empty parts are nothing', '&&a=1&', ['a', '1']],
] as const) {
  test(`query: ${name}`, () => {
    const x = new Exchange();
    x.rawQuery = rawQuery;
    expect(x.query).toEqual(expected);
  });
}

test('a stream beyond its limit fails and does not hand out what is above it', async () => {
  const limited = limitStream(Readable.from([Buffer.alloc(6), Buffer.alloc(6)]), 10);
  await expect(readAll(limited, 100)).rejects.toBeInstanceOf(BodyTooLarge);
});

test('readAll refuses to hold more than its limit', async () => {
  await expect(readAll(Readable.from([Buffer.alloc(11)]), 10)).rejects.toBeInstanceOf(BodyTooLarge);
  expect((await readAll(Readable.from([Buffer.from('ab'), Buffer.from('c')]), 10)).toString()).toBe('abc');
});

test('a body whose sender leaves in the middle rejects, limited or not', async () => {
  for (const wrap of [(s: Readable) => s, (s: Readable) => limitStream(s, 100)]) {
    const source = new PassThrough();
    source.write('half');
    const reading = readAll(wrap(source), 100);
    source.destroy();
    await expect(reading).rejects.toThrow('ended early');
  }
});

// Over HTTP/2 all names are lower case on the wire.
for (const [protocol, name, expected] of [
  ['HTTP/1.1', 'X-Kind', []],
  ['HTTP/1.1', 'x-kind', ['b', 'a,b']],
  ['HTTP/2.0', 'X-Kind', ['b', 'a,b']],
  ['HTTP/2.0', 'x-kind', ['b', 'a,b']],
  ['HTTP/2.0', 'X-None', []],
  ['HTTP/2.0', 'host', ['h', 'h']],
] as const) {
  test(`a mapping of ${name} finds ${JSON.stringify(expected)} among the names that came by ${protocol}`, () => {
    const x = new Exchange();
    x.protocol = protocol;
    x.requestHeaders = ['Host', 'h', 'x-kind', 'a', 'x-kind', 'b'];
    const found = ['header', 'multivalueheader'].flatMap((kind) => compileSource(`method.request.${kind}.${name}`, {})!(x));
    expect(found).toEqual(expected);
  });
}
