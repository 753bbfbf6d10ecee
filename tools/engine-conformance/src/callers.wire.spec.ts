// Callers that are slow, large, impatient or in doubt. What a few bytes can say is in requests.cases.md.
import type { RawCaller } from '@gatehouse/testkit';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { readAnswers, type Answer } from './answers.js';
import { afterBody, conform, eventually, extra, forEveryEngine, within } from './conform.js';
import { HOST } from './gate.js';

const get = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n${headers}\r\n`;
const post = (headers: string): string => `POST /dev/x HTTP/1.1\r\nHost: ${HOST}\r\n${headers}\r\n`;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

async function answersUntilClosed(caller: RawCaller, ms = 3_000): Promise<Answer[]> {
  const text = await within(ms, 'the end of the connection', caller.untilClosed());
  const { answers, rest } = readAnswers(text, [], true);
  expect(rest).toBe('');
  return answers;
}

/** Writes as fast as the peer takes it, until all is out or the connection ends. Bytes that were handed over. */
async function flood(caller: RawCaller, piece: Buffer, count: number): Promise<number> {
  for (let i = 0; i < count && !caller.socket.destroyed; i++) {
    if (!caller.socket.write(piece)) {
      await new Promise<void>((resolve) => {
        caller.socket.once('drain', resolve);
        caller.socket.once('close', resolve);
      });
    }
  }
  return caller.socket.bytesWritten;
}

const mebibytes = (): number => process.memoryUsage().rss / 1024 / 1024;

forEveryEngine((engine) => {
  // 14: behind a good request

  for (const [what, rubbish] of [
    ['one byte, NUL', '\0'],
    ['a line', 'rubbish\r\n\r\n'],
    ['a request without Host', 'GET /dev/x HTTP/1.1\r\n\r\n'],
    [
      'a framing fault',
      `POST /dev/x HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
  ] as const) {
    for (const [front, request] of [
      ['a GET', get('/dev/good')],
      ['a last chunk', `${post('Transfer-Encoding: chunked\r\n')}2\r\nhi\r\n0\r\n\r\n`],
      ['a body of a length', `${post('Content-Length: 2\r\n')}hi`],
    ] as const) {
      conform(engine, 14, `${what} behind ${front}: its answer is delivered, then nothing more is taken`, async (house) => {
        const { gate, up } = await house.behind(() => undefined);
        const caller = await house.caller(gate);
        caller.send(request + rubbish);
        const call = await within(3_000, 'the request', up.called(1));
        await call.body;
        call.send(OK);
        await within(3_000, 'the first answer', caller.until('\r\n\r\nok'));
        caller.send(get('/dev/smuggled')); // whatever it makes of the rubbish, what stands behind it is none of its requests
        const answers = await answersUntilClosed(caller).catch(async () => {
          // A request that was read well and refused may leave the connection open.
          const { answers } = readAnswers(await caller.until(''), [], false);
          expect(answers.map(({ status }) => status)).toContain(400);
          return answers;
        });
        expect(answers[0]).toMatchObject({ status: 200, body: 'ok' });
        expect(answers.slice(1).filter(({ status }) => status === 200)).toEqual([]);
      });
    }
  }

  conform(engine, 14, 'one extra byte behind a last chunk does not keep the connection', async (house) => {
    const { gate } = await house.behind((call) => call.send(OK), { listener: { headTimeoutMs: 300 } });
    const caller = await house.caller(gate);
    caller.send(`${post('Transfer-Encoding: chunked\r\n')}2\r\nhi\r\n0\r\n\r\nX`);
    const [answer, ...others] = await answersUntilClosed(caller, 5_000);
    expect([answer!.status, others.every(({ status }) => status === 400 || status === 408)]).toEqual([200, true]);
  });

  // 16 and 17: too much

  conform(engine, 16, 'a chunk extension of 32 MB is cut at the limit, and the upstream sees no whole message', async (house) => {
    const { gate, up } = await house.behind(afterBody(() => OK));
    const caller = await house.caller(gate);
    caller.send(`${post('Transfer-Encoding: chunked\r\n')}5;a=`);
    const before = mebibytes();
    const written = await within(5_000, 'the end of the flood', flood(caller, Buffer.alloc(65_536, 'a'), 512));
    await within(3_000, 'the end of the connection', caller.untilClosed());
    expect(written).toBeLessThan(16 * 1024 * 1024);
    expect(mebibytes() - before).toBeLessThan(64);
    for (const { body } of up.calls) await expect(body).rejects.toThrow();
  });

  conform(engine, 16, 'extensions of many chunks count together', async (house) => {
    const { gate, up } = await house.behind(afterBody(() => OK));
    const caller = await house.caller(gate);
    caller.send(post('Transfer-Encoding: chunked\r\n'));
    await within(
      5_000,
      'the end of the flood',
      flood(caller, Buffer.from(`1;a=${'b'.repeat(1_000)}\r\nx\r\n`.repeat(16)), 1_000),
    );
    await within(3_000, 'the end of the connection', caller.untilClosed());
    for (const { body } of up.calls) await expect(body).rejects.toThrow();
  });

  for (const [what, line] of [
    ['100,000 short trailers', 'a: b\r\n'],
    ['trailers of 100 MB', `a: ${'b'.repeat(1_000)}\r\n`],
  ] as const) {
    conform(engine, 16, `${what} are cut at the limit`, async (house) => {
      const { gate, up } = await house.behind(afterBody(() => OK));
      const caller = await house.caller(gate);
      caller.send(`${post('Transfer-Encoding: chunked\r\n')}2\r\nhi\r\n0\r\n`);
      const before = mebibytes();
      await within(5_000, 'the end of the flood', flood(caller, Buffer.from(line.repeat(1_000)), 100));
      await within(3_000, 'the end of the connection', caller.untilClosed());
      expect(mebibytes() - before).toBeLessThan(64);
      for (const { body } of up.calls) await expect(body).rejects.toThrow();
    });
  }

  for (const [what, headers] of [
    ['10,000 headers', 'a:b\r\n'.repeat(10_000)],
    ['10,000 headers of one name', 'cookie: a=b\r\n'.repeat(10_000)],
    ['a header of 21,000 bytes', `a: ${'b'.repeat(21_000)}\r\n`],
    ['a header name of 21,000 bytes', `${'b'.repeat(21_000)}: a\r\n`],
  ] as const) {
    conform(engine, 17, `${what} are 431, and no upstream hears of them`, async (house) => {
      const { gate, up } = await house.behind((call) => call.send(OK));
      const caller = await house.caller(gate);
      caller.send(get('/dev/x', headers));
      expect((await answersUntilClosed(caller)).map(({ status }) => status)).toEqual([431]);
      expect(up.calls).toEqual([]);
    });
  }

  conform(engine, 17, 'a header of 10 MB is 431 or cut, and the memory stays', async (house) => {
    const { gate, up } = await house.behind((call) => call.send(OK));
    const caller = await house.caller(gate);
    caller.send(`GET /dev/x HTTP/1.1\r\nHost: ${HOST}\r\na: `);
    const written = await within(5_000, 'the end of the flood', flood(caller, Buffer.alloc(65_536, 'b'), 160));
    const text = await within(3_000, 'the end of the connection', caller.untilClosed());
    expect(text.slice(0, 12)).toMatch(/^$|^HTTP\/1\.1 431$/); // bytes under way may take the answer with them
    expect(written).toBeLessThan(10 * 1024 * 1024);
    expect(up.calls).toEqual([]);
  });

  conform(engine, 17, 'a request line of 30,000 bytes is 414 or 431', async (house) => {
    const { gate, up } = await house.behind((call) => call.send(OK));
    const caller = await house.caller(gate);
    caller.send(get(`/dev/${'x'.repeat(30_000)}`));
    expect([414, 431]).toContain((await answersUntilClosed(caller))[0]!.status);
    expect(up.calls).toEqual([]);
  });

  conform(engine, 17, 'of the headers that are taken none is dropped', async (house) => {
    const { gate, up } = await house.behind((call) => call.send(OK));
    const caller = await house.caller(gate);
    const names = Array.from({ length: 150 }, (_, i) => `x-${i}`);
    caller.send(get('/dev/x', names.map((name) => `${name}: y\r\n`).join('')));
    await within(3_000, 'the answer', caller.until('ok'));
    expect(names.filter((name) => !up.calls[0]!.head.includes(`\r\n${name}: y`))).toEqual([]);
  });

  // 18: slow

  const slow = { headTimeoutMs: 400, requestTimeoutMs: 900, stalledCallerMs: 500 };

  async function drip(caller: RawCaller, text: string): Promise<void> {
    for (let i = 0; !caller.socket.destroyed; i++) {
      caller.send(text[i % text.length]!);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  for (const [what, begin, text] of [
    ['a head that comes byte by byte', 'GET /dev/x HTTP/1.1\r\n', `Host: ${HOST}\r\nX: ${'y'.repeat(10_000)}`],
    ['a body that comes byte by byte', post('Content-Length: 10000\r\n'), 'y'],
    ['chunks that come byte by byte', post('Transfer-Encoding: chunked\r\n'), '1\r\ny\r\n'],
    ['trailers that come byte by byte', `${post('Transfer-Encoding: chunked\r\n')}0\r\n`, 'a: b\r\n'],
  ] as const) {
    conform(engine, 18, `${what} is cut by a timer; its slot is free, and others are served meanwhile`, async (house) => {
      const { gate, up } = await house.behind(
        afterBody(() => OK),
        { listener: slow },
      );
      const caller = await house.caller(gate);
      caller.send(begin);
      const dripping = drip(caller, text);
      expect((await gate.call('/dev/good')).status).toBe(200);
      const answers = await answersUntilClosed(caller, 6_000);
      expect(answers.filter(({ status }) => status !== 408)).toEqual([]);
      await dripping;
      await eventually('the end of the exchange', () => gate.listener.inFlightCount === 0);
      expect(up.calls.filter(({ target }) => target === '/good').length).toBe(1);
      for (const { target, body } of up.calls) if (target !== '/good') await expect(body).rejects.toThrow();
    });
  }

  conform(engine, 18, 'a caller that stops sending its body is cut, and so is the upstream call', async (house) => {
    const { gate, up } = await house.behind(() => undefined, { listener: slow });
    const caller = await house.caller(gate);
    caller.send(`${post('Content-Length: 100\r\n')}half`);
    const call = await within(3_000, 'the call', up.called(1));
    await answersUntilClosed(caller, 6_000);
    await expect(within(3_000, 'the end of the upstream call', call.body)).rejects.toThrow('the sender left');
    await eventually('the end of the exchange', () => gate.listener.inFlightCount === 0);
  });

  conform(engine, 18, 'a caller that does not read its answer is cut, and the upstream with it', async (house) => {
    const { gate, up } = await house.behind(
      (call) => {
        call.send('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n');
        const piece = Buffer.alloc(65_536, 'a');
        const more = (): void => {
          while (call.send(piece));
        };
        call.socket.on('drain', more);
        more();
      },
      { listener: slow, timeoutMs: 20_000 },
    );
    const caller = await house.caller(gate);
    caller.socket.pause();
    caller.send(get('/dev/x'));
    await within(3_000, 'the call', up.called(1));
    await eventually('the end of the exchange', () => gate.listener.inFlightCount === 0 && gate.lines.length === 1, 8_000);
    await within(3_000, 'the end of the upstream call', up.idle());
    expect((await gate.call('/dev')).status).toBe(200);
  });

  conform(engine, 18, 'a caller that reads slowly but steadily gets everything', async (house) => {
    const bytes = 4 * 1024 * 1024;
    const { gate } = await house.behind(
      (call) =>
        call.send(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`), Buffer.alloc(bytes, 'a')])),
      { listener: slow, timeoutMs: 20_000 },
    );
    const caller = await house.caller(gate);
    let got = 0;
    caller.socket.on('data', (text: string) => {
      got += text.length;
      caller.socket.pause();
      setTimeout(() => caller.socket.resume(), 20);
    });
    caller.send(get('/dev/x', 'Connection: close\r\n'));
    await within(15_000, 'the end of the answer', caller.untilClosed());
    expect(got).toBeGreaterThan(bytes);
  });

  for (const framing of ['Content-Length: 9437184', 'Transfer-Encoding: chunked']) {
    conform(
      engine,
      18,
      `an upload (${framing}) that the upstream takes late comes whole, and others are served meanwhile`,
      async (house) => {
        const { gate, up } = await house.behind((call) => {
          if (call.httpMethod === 'PUT') call.socket.pause();
          void call.body.then((body) => call.send(`HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n${body.length}`));
        });
        const caller = await house.caller(gate);
        caller.send(`PUT /dev/x HTTP/1.1\r\nHost: ${HOST}\r\n${framing}\r\n\r\n`);
        const piece = Buffer.alloc(1024 * 1024, 'a');
        const pieces = framing.startsWith('Content') ? [piece] : [Buffer.from('100000\r\n'), piece, Buffer.from('\r\n')];
        for (let i = 0; i < 9; i++) for (const part of pieces) caller.socket.write(part);
        if (pieces.length > 1) caller.send('0\r\n\r\n');
        const call = await within(3_000, 'the call', up.called(1));
        expect((await gate.call('/dev')).status).toBe(200);
        call.socket.resume();
        await within(10_000, 'the answer', caller.until('\r\n\r\n9437184'));
      },
    );
  }

  conform(engine, 18, 'a connection without a request is closed', async (house) => {
    const { gate } = await house.behind((call) => call.send(OK), { listener: { keepAliveMs: 200, headTimeoutMs: 300 } });
    const served = await house.caller(gate);
    served.send(get('/dev/x'));
    await within(5_000, 'the end of the used connection', served.untilClosed());
    const silent = await house.caller(gate);
    expect((await answersUntilClosed(silent, 5_000)).filter(({ status }) => status !== 408)).toEqual([]);
  });

  // 19: Expect

  const EXPECT = 'Expect: 100-continue\r\n';

  conform(engine, 19, 'an upstream that never answers is 504, and the caller is not left waiting', async (house) => {
    const { gate } = await house.behind(() => undefined, { timeoutMs: 400 });
    const caller = await house.caller(gate);
    caller.send(post(`${EXPECT}Content-Length: 5\r\n`));
    const text = await within(3_000, 'the answer', caller.until('timed out'));
    const [answer] = readAnswers(`${text}"}`, [], false).answers;
    expect(answer?.status ?? Number(/HTTP\/1\.1 (5\d\d)/.exec(text)![1])).toBe(504);
  });

  conform(engine, 19, 'an upstream that answers 417 before it has the body: the caller gets it', async (house) => {
    const { gate } = await house.behind((call) => call.send('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno'));
    const caller = await house.caller(gate);
    caller.send(post(`${EXPECT}Content-Length: 5\r\n`));
    const text = await within(3_000, 'the answer', caller.until('\r\n\r\nno'));
    expect(readAnswers(text, [], false).answers[0]).toMatchObject({ status: 417, body: 'no' });
  });

  for (const [what, request, status] of [
    ['an unknown route', `POST /none/x HTTP/1.1\r\nHost: ${HOST}\r\n${EXPECT}Content-Length: 5\r\n\r\n`, 403],
    ['a body beyond the limit', post(`${EXPECT}Content-Length: 99999999\r\n`), 413],
    ['a malformed path', `POST /dev/../x HTTP/1.1\r\nHost: ${HOST}\r\n${EXPECT}Content-Length: 5\r\n\r\n`, 400],
  ] as const) {
    conform(engine, 19, `${what} is refused without asking for the body, and nothing is read behind it`, async (house) => {
      const { gate, up } = await house.behind((call) => call.send(OK));
      const caller = await house.caller(gate);
      caller.send(request);
      await within(3_000, 'the answer', caller.until('"}'));
      caller.send(get('/dev/smuggled'));
      const [answer, ...others] = await answersUntilClosed(caller);
      expect([answer!.status, answer!.interim, others]).toEqual([status, [], []]);
      expect(up.calls).toEqual([]);
    });
  }

  conform(engine, 19, 'a body that is wanted is asked for, once, and arrives', async (house) => {
    const { gate, up } = await house.behind(afterBody((body) => `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n${body}`));
    const caller = await house.caller(gate);
    caller.send(post(`${EXPECT}Content-Length: 5\r\n`));
    await within(3_000, '100 Continue', caller.until('HTTP/1.1 100 Continue\r\n\r\n'));
    caller.send('hello');
    const text = await within(3_000, 'the answer', caller.until('\r\n\r\nhello'));
    expect(readAnswers(text, [], false).answers).toMatchObject([{ status: 200, body: 'hello', interim: [100] }]);
    expect(up.calls[0]!.head).not.toMatch(/^expect:/im);
  });

  conform(engine, 19, 'a body that comes without waiting is taken', async (house) => {
    const { gate } = await house.behind(afterBody((body) => `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n${body}`));
    const caller = await house.caller(gate);
    caller.send(`${post(`${EXPECT}Content-Length: 5\r\n`)}hello${get('/dev', 'Connection: close\r\n')}`);
    const answers = await answersUntilClosed(caller);
    expect(answers.map(({ status, body }) => `${status} ${body}`)).toEqual(['200 hello', '200 ']);
  });

  conform(engine, 19, 'another expectation than 100-continue is 417', async (house) => {
    const { gate, up } = await house.behind((call) => call.send(OK));
    const caller = await house.caller(gate);
    caller.send(post('Expect: 200-ok\r\nContent-Length: 0\r\n'));
    const text = await within(3_000, 'the answer', caller.until('\r\n\r\n'));
    expect(text.slice(0, 12)).toBe('HTTP/1.1 417');
    expect(up.calls).toEqual([]);
  });

  // Order and connections

  conform(engine, 14, 'pipelined requests are answered in order, each by its own answer', async (house) => {
    const { gate, up } = await house.behind((call) => {
      setTimeout(() => call.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${call.target}`), call.target === '/1' ? 50 : 0);
    });
    const caller = await house.caller(gate);
    caller.send(get('/dev/1') + get('/dev/2') + get('/dev/3', 'Connection: close\r\n') + get('/dev/4'));
    expect((await answersUntilClosed(caller)).map(({ body }) => body)).toEqual(['/1', '/2', '/3']);
    expect(up.calls.map(({ target }) => target).filter((target) => target === '/4')).toEqual([]);
  });

  conform(engine, 14, `pipelined requests are worked on ${engine.pipelines}`, async (house) => {
    const { gate, up } = await house.behind(() => undefined);
    const caller = await house.caller(gate);
    caller.send(get('/dev/1') + get('/dev/2'));
    const first = await within(3_000, 'the first call', up.called(1));
    if (engine.pipelines === 'in parallel') await within(3_000, 'the second call', up.called(2));
    else {
      await gate.call('/dev'); // time in which the second one would have come
      expect(up.calls.length).toBe(1);
    }
    for (const call of [...up.calls].reverse()) call.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${call.target}`);
    if (up.calls.length === 1)
      (await within(3_000, 'the second call', up.called(2))).send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/2');
    await within(3_000, 'both answers', caller.until('\r\n\r\n/2'));
    expect((await caller.until('')).match(/\r\n\r\n\/\d/g)).toEqual(['\r\n\r\n/1', '\r\n\r\n/2']);
    expect(first.target).toBe('/1');
  });

  const halfClosed = extra(engine, 'halfClosed', 18);
  if (halfClosed !== null) {
    conform(engine, 18, 'a caller that says it is done sending still gets its answer', async (house) => {
      const { gate, up } = await house.behind(() => undefined, { listener: halfClosed() });
      const caller = await house.caller(gate);
      caller.socket.end(get('/dev/x'));
      const call = await within(3_000, 'the call', up.called(1));
      call.send(OK);
      expect((await answersUntilClosed(caller)).map(({ status, body }) => `${status} ${body}`)).toEqual(['200 ok']);
    });
  }

  conform(engine, 18, 'a caller that resets ends the upstream call', async (house) => {
    const { gate, up } = await house.behind(() => undefined);
    const caller = await house.caller(gate);
    caller.send(get('/dev/x'));
    await within(3_000, 'the call', up.called(1));
    caller.socket.resetAndDestroy();
    await within(3_000, 'the end of the upstream call', up.idle());
    await eventually('the record', () => gate.lines.length === 1);
    expect(gate.listener.inFlightCount).toBe(0);
  });

  conform(engine, 18, 'connections that come and go without a word leave nothing behind', async (house) => {
    const { gate } = await house.behind((call) => call.send(OK));
    for (let i = 0; i < 50; i++) {
      const socket = connect(gate.port, '127.0.0.1');
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.once('connect', resolve));
      if (i % 2 === 0) socket.resetAndDestroy();
      else socket.end();
      socket.destroy();
    }
    expect((await gate.call('/dev/x')).text).toBe('ok');
    expect([gate.listener.inFlightCount, gate.lines.length, gate.bugs]).toEqual([0, 1, []]);
  });
});

describe('the reader of answers', () => {
  test('refuses what is framed twice, and what is no header', () => {
    expect(() =>
      readAnswers('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', [], false),
    ).toThrow('framed twice');
    expect(() => readAnswers('HTTP/1.1 200 OK\r\nX : y\r\n\r\n', [], false)).toThrow('no header');
    expect(() => readAnswers('rubbish\r\n\r\n', [], false)).toThrow('no answer');
  });
});
