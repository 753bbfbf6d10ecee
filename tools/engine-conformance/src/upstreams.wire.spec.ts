// answers.cases.md, and upstreams that reset, stop, flood or answer out of turn: faults 32 to 35.
import type { RawScript, RawUpstreamCall } from '@gatehouse/testkit';
import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { readAnswers, type Answer } from './answers.js';
import { escaped, readCases, unescaped, type Case } from './cases.js';
import { afterBody, conform, eventually, forEveryEngine, within, type House } from './conform.js';
import { HOST, type Gate } from './gate.js';

const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood';
const get = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n${headers}\r\n`;

/** What a caller that hangs up after it got, as the cases write it. */
async function outcome(house: House, gate: Gate, request: string): Promise<{ text: string; answer: Answer | null }> {
  const caller = await house.caller(gate);
  const httpMethod = request.slice(0, request.indexOf(' '));
  let text = '';
  let isClosed = false;
  caller.socket.on('data', (piece) => (text += piece));
  caller.socket.on('close', () => (isClosed = true));
  caller.send(request);
  await eventually(
    'an answer, or the end of the connection,',
    () => isClosed || readAnswers(text, [httpMethod], false).answers.length > 0,
  );
  const [answer] = readAnswers(text, [httpMethod], false).answers;
  caller.close();
  if (answer !== undefined) return { text: `${answer.status} "${escaped(answer.body)}"`, answer };
  // The head is out, and the body has no end: whatever stands in it came without a lie about its length.
  const head = text.indexOf('\r\n\r\n');
  const body = /^transfer-encoding: chunked$/im.test(text.slice(0, head))
    ? text.slice(head + 4).replace(/[0-9a-f]+\r\n([^]*?)(?:\r\n|$)/gi, '$1')
    : text.slice(head + 4);
  return { text: text === '' ? 'cut' : `cut "${escaped(body)}"`, answer: null };
}

/** The same upstream answers `good` from now on, and callers get that. */
async function isSound(gate: Gate): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const { status, text } = await within(3_000, 'a good answer', gate.call('/dev/good'));
    expect(`${status} ${text}`, 'what the next caller gets').toBe('200 good');
  }
  expect([gate.listener.inFlightCount, gate.bugs]).toEqual([0, []]);
}

const goodOr =
  (script: RawScript): RawScript =>
  (call) =>
    call.target === '/good' ? call.send(GOOD) : script(call);

async function passes(house: House, one: Case): Promise<void> {
  const httpMethod = one.title.startsWith('HEAD') ? 'HEAD' : 'GET';
  const { gate } = await house.behind(goodOr((call) => call.send(one.bytes)));
  const { text, answer } = await outcome(house, gate, get('/dev/x').replace('GET', httpMethod));
  const isOurs = answer !== null && answer.headers.some((header) => /^x-amzn-errortype:/i.test(header));
  const actual = isOurs ? String(answer.status) : text;
  const fits = one.expected.split(' or ').some((expectation) => {
    const split = / \[!?[^\]]*: /.exec(expectation)?.index ?? expectation.length;
    if (actual !== expectation.slice(0, split)) return false;
    return [...expectation.slice(split).matchAll(/ \[(!?)([^\]]*)\]/g)].every(
      ([, not, header]) => (not === '!') !== answer!.headers.includes(unescaped(header!)),
    );
  });
  expect(fits ? one.expected : `${actual} ${answer?.headers.join(' | ') ?? ''}`, `${one.where}: ${escaped(one.bytes)}`).toBe(
    one.expected,
  );
  await isSound(gate);
}

const head = (length: number): string => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`;

/** Sends as fast as it is taken, until the connection ends. */
function flood(call: RawUpstreamCall, piece: string): void {
  const bytes = Buffer.from(piece.repeat(Math.ceil(65_536 / piece.length)), 'latin1');
  const more = (): void => {
    while (call.send(bytes));
  };
  call.socket.on('drain', more);
  more();
}

forEveryEngine((engine) => {
  for (const one of readCases('answers.cases.md')) {
    conform(engine, one.fault, `${one.title} (${one.where})`, (house) => passes(house, one));
  }

  // 32: it breaks

  for (const [what, script] of [
    ['resets before the head', ({ socket }: RawUpstreamCall) => socket.resetAndDestroy()],
    ['closes before the head', ({ socket }: RawUpstreamCall) => socket.end()],
    [
      'resets in the middle of the head',
      ({ send, socket }: RawUpstreamCall) => (send('HTTP/1.1 200 OK\r\nX-'), setTimeout(() => socket.resetAndDestroy(), 30)),
    ],
    ['closes in the middle of the head', ({ socket }: RawUpstreamCall) => socket.end('HTTP/1.1 200 OK\r\nX-')],
    ['closes behind an informational answer', ({ socket }: RawUpstreamCall) => socket.end('HTTP/1.1 103 Early\r\n\r\n')],
    ['closes in the middle of the status line', ({ socket }: RawUpstreamCall) => socket.end('HTTP/1.')],
  ] as const) {
    for (const httpMethod of ['GET', 'POST']) {
      conform(engine, 32, `an upstream that ${what} of a ${httpMethod}: 502 or 504, under its cause`, async (house) => {
        const { gate } = await house.behind(goodOr(script));
        const { answer } = await outcome(house, gate, get('/dev/x', 'Content-Length: 0\r\n').replace('GET', httpMethod));
        expect([502, 504]).toContain(answer?.status);
        await eventually('the record', () => gate.lines.length === 1);
        expect(gate.lines[0]!.fault).toBe('INTEGRATION_FAILURE');
        await isSound(gate);
      });
    }
  }

  for (const [what, answer, body] of [
    ['a body of a length', `${head(10)}half`, 'half'],
    ['a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf', 'half'],
    ['a chunk line', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n1', 'half'],
    ['the last chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n', 'half'],
  ] as const) {
    for (const end of ['reset', 'close'] as const) {
      conform(engine, 32, `a ${end} in the middle of ${what} cuts the caller too, under its cause`, async (house) => {
        const { gate } = await house.behind(
          goodOr(({ send, socket }) => {
            send(answer);
            setTimeout(() => (end === 'reset' ? socket.resetAndDestroy() : socket.end()), 50);
          }),
        );
        expect((await outcome(house, gate, get('/dev/x'))).text).toBe(`cut "${body}"`);
        await eventually('the record', () => gate.lines.length === 1);
        expect(gate.lines[0]!.fault).toBe('INTEGRATION_FAILURE');
        await isSound(gate);
      });
    }
  }

  conform(engine, 32, 'a connection that nobody accepts is 502 or 504, under its cause', async (house) => {
    const up = await house.rawUpstream();
    const { url } = up;
    await up.close();
    const gate = await house.gate();
    await gate.proxyTo(url);
    expect([502, 504]).toContain((await gate.call('/dev/x')).status);
    await eventually('the record', () => gate.lines.length === 1);
    expect(gate.lines[0]!.fault).toBe('INTEGRATION_FAILURE');
    up.close = () => Promise.resolve();
  });

  conform(
    engine,
    32,
    'an answer that only the end of the connection ends is whole, or cut when that is a reset',
    async (house) => {
      const { gate } = await house.behind(
        goodOr(({ target, send, socket }) => {
          send('HTTP/1.1 200 OK\r\n\r\nsome');
          setTimeout(() => (target === '/reset' ? socket.resetAndDestroy() : socket.end()), 50);
        }),
      );
      expect((await outcome(house, gate, get('/dev/x'))).text).toBe('200 "some"');
      expect((await outcome(house, gate, get('/dev/reset'))).text).toBe('cut "some"');
      await isSound(gate);
    },
  );

  conform(
    engine,
    32,
    'an upstream that stops in the middle of its body is cut at the timeout, and so is the caller',
    async (house) => {
      const { gate, up } = await house.behind(
        goodOr(({ send }) => send(`${head(10)}half`)),
        {},
        { timeoutMs: 300 },
      );
      expect((await outcome(house, gate, get('/dev/x'))).text).toBe('cut "half"');
      await within(3_000, 'the end of the upstream call', up.idle());
      await isSound(gate);
    },
  );

  for (const [what, bytes] of [
    ['says nothing', ''],
    ['stops in the middle of its head', 'HTTP/1.1 200 OK\r\nX: '],
    ['stops behind an informational answer', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ] as const) {
    conform(engine, 32, `an upstream that ${what} is 504 at the timeout, and its connection is closed`, async (house) => {
      const { gate, up } = await house.behind(
        goodOr(({ send }) => send(bytes)),
        {},
        { timeoutMs: 300 },
      );
      expect((await outcome(house, gate, get('/dev/x'))).answer?.status).toBe(504);
      await within(3_000, 'the end of the upstream call', up.idle());
      await isSound(gate);
    });
  }

  // 33: out of turn

  const UPLOAD = `POST /dev/x HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 100000\r\n\r\n${'a'.repeat(1_000)}`;

  conform(
    engine,
    33,
    'an answer that comes before the request was read is passed on, and its connection is not used again',
    async (house) => {
      const { gate, up } = await house.behind(goodOr(({ send }) => send(`${head(5)}early`)));
      const { answer } = await outcome(house, gate, UPLOAD);
      expect([answer?.status, answer?.body]).toEqual([200, 'early']);
      await isSound(gate);
      expect(up.calls.filter(({ target }) => target === '/good').map(({ connection }) => connection)).not.toContain(
        up.calls[0]!.connection,
      );
    },
  );

  conform(engine, 33, 'an early answer whose upstream resets behind it still arrives, or is 502 or 504', async (house) => {
    const { gate } = await house.behind(
      goodOr(({ send, socket }) => (send(`${head(5)}early`), setTimeout(() => socket.resetAndDestroy(), 20))),
    );
    const { text, answer } = await outcome(house, gate, UPLOAD);
    expect(answer !== null && (answer.status === 502 || answer.status === 504) ? 'refused' : text).toMatch(
      /^refused$|^200 "early"$|^cut/,
    );
    await isSound(gate);
  });

  conform(engine, 33, 'an answer that came before its request was sent goes to nobody', async (house) => {
    const { gate } = await house.behind((call) => {
      call.send(GOOD);
      if (call.target === '/x') setTimeout(() => call.send(`${head(8)}smuggled`), 30);
    });
    expect((await gate.call('/dev/x')).text).toBe('good');
    await new Promise((resolve) => setTimeout(resolve, 80)); // the stray answer is on its way
    await isSound(gate);
  });

  conform(engine, 33, 'of an answer with stray bytes behind it no other request sees any, whenever they come', async (house) => {
    const { gate, up } = await house.behind(
      goodOr((call) => {
        call.send(`${head(2)}ok${call.target === '/together' ? `${head(8)}smuggled` : ''}`);
        if (call.target === '/apart') setImmediate(() => call.send(`${head(8)}smuggled`));
      }),
    );
    for (const path of ['/together', '/apart', '/together', '/apart']) {
      expect((await gate.call(`/dev${path}`)).text).toBe('ok');
      // Bytes that come when the next request is on its way look like its answer; these come before.
      if (path === '/apart') await new Promise((resolve) => setTimeout(resolve, 80));
      const { text } = await gate.call('/dev/good');
      expect(text).toBe('good');
    }
    await isSound(gate);
    expect(up.unreadable).toEqual([]);
  });

  conform(engine, 33, 'Connection: close of an upstream is obeyed', async (house) => {
    const { gate, up } = await house.behind((call) => call.send(GOOD.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')));
    await isSound(gate);
    expect(new Set(up.calls.map(({ connection }) => connection)).size).toBe(up.calls.length);
  });

  conform(engine, 33, 'an upstream of HTTP/1.0 is not asked twice on one connection', async (house) => {
    const { gate, up } = await house.behind((call) => call.send(GOOD.replace('HTTP/1.1', 'HTTP/1.0')));
    await isSound(gate);
    expect(new Set(up.calls.map(({ connection }) => connection)).size).toBe(up.calls.length);
  });

  // 34: too much

  conform(
    engine,
    34,
    'a thousand informational answers are borne or refused, and never passed on as something else',
    async (house) => {
      const { gate } = await house.behind(
        goodOr(({ send }) => send(`${'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(1_000)}${GOOD}`)),
      );
      const { text, answer } = await outcome(house, gate, get('/dev/x'));
      expect(answer?.status === 502 || answer?.status === 504 ? 'refused' : text).toMatch(/^refused$|^200 "good"$/);
      await isSound(gate);
    },
  );

  conform(engine, 34, 'informational answers without end are cut by a limit or by the timeout', async (house) => {
    const { gate, up } = await house.behind(
      goodOr((call) => flood(call, 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')),
      {},
      { timeoutMs: 500 },
    );
    expect([502, 504]).toContain((await outcome(house, gate, get('/dev/x'))).answer?.status);
    await within(3_000, 'the end of the upstream call', up.idle());
    await isSound(gate);
  });

  for (const [what, begin, piece] of [
    ['one header of 10 MB', 'HTTP/1.1 200 OK\r\nX: ', 'a'],
    ['100,000 headers', 'HTTP/1.1 200 OK\r\n', 'a: b\r\n'],
    ['an endless status line', 'HTTP/1.1 200 ', 'a'],
    ['an endless informational head', 'HTTP/1.1 103 Early\r\nX: ', 'a'],
  ] as const) {
    conform(engine, 34, `a head that does not end (${what}) is 502 or 504, and its connection is closed`, async (house) => {
      const { gate, up } = await house.behind(
        goodOr((call) => (call.send(begin), flood(call, piece))),
        {},
        { timeoutMs: 20_000 },
      );
      expect([502, 504]).toContain((await outcome(house, gate, get('/dev/x'))).answer?.status);
      await within(3_000, 'the end of the upstream call', up.idle());
      expect(up.calls.length).toBe(1);
      await isSound(gate);
    });
  }

  for (const [what, bytes] of [
    ['a chunk extension', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n5;a='],
    ['a trailer', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: '],
  ] as const) {
    conform(engine, 34, `${what} without end cuts the answer at the limit`, async (house) => {
      const { gate, up } = await house.behind(
        goodOr((call) => (call.send(bytes), flood(call, 'a'))),
        {},
        { timeoutMs: 20_000 },
      );
      expect((await outcome(house, gate, get('/dev/x'))).text).toMatch(/^cut "ok"$|^50[24] /);
      await within(3_000, 'the end of the upstream call', up.idle());
      expect(up.calls[0]!.socket.bytesWritten).toBeLessThan(32 * 1024 * 1024);
      await isSound(gate);
    });
  }

  for (const [what, begin, piece] of [
    ['a body without end', 'HTTP/1.1 200 OK\r\n\r\n', 'a'],
    ['chunks without end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '4\r\naaaa\r\n'],
  ] as const) {
    conform(
      engine,
      34,
      `${what} reaches a caller that reads no faster than it reads, and ends with the timeout`,
      async (house) => {
        const { gate, up } = await house.behind(
          goodOr((call) => (call.send(begin), flood(call, piece))),
          {},
          { timeoutMs: 1_200 },
        );
        const caller = await house.caller(gate);
        caller.socket.pause();
        caller.send(get('/dev/x'));
        const call = await within(3_000, 'the call', up.called(1));
        let sent = -1;
        await eventually('a pause of the upstream', () => {
          const now = call.socket.bytesWritten - call.socket.writableLength;
          const isStill = now === sent && now > 0;
          sent = now;
          return isStill;
        });
        expect(sent).toBeLessThan(32 * 1024 * 1024); // kernel buffers and high-water marks
        await within(5_000, 'the end of the upstream call', up.idle());
        caller.socket.resume();
        await within(3_000, 'the end of the connection', caller.untilClosed());
        await isSound(gate);
      },
    );
  }

  conform(engine, 34, 'a body that unpacks to 100 MB passes in its packed form', async (house) => {
    const packed = gzipSync(Buffer.alloc(100 * 1024 * 1024));
    const { gate } = await house.behind(
      goodOr(({ send }) =>
        send(
          Buffer.concat([
            Buffer.from(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`),
            packed,
          ]),
        ),
      ),
    );
    const answer = await gate.call('/dev/x');
    expect([answer.headers['content-encoding'], answer.body.equals(packed)]).toEqual(['gzip', true]);
    await isSound(gate);
  });

  // 35: a kept connection that is closed under us

  const breaksAfterFirst =
    (end: (call: RawUpstreamCall) => void): RawScript =>
    (call) => {
      // The second request of each connection meets its end.
      if (seenOn(call) === 1) call.send(GOOD);
      else end(call);
    };
  const counts = new WeakMap<object, number>();
  function seenOn({ socket }: RawUpstreamCall): number {
    const count = (counts.get(socket) ?? 0) + 1;
    counts.set(socket, count);
    return count;
  }

  for (const [how, end] of [
    ['reset', ({ socket }: RawUpstreamCall) => void socket.resetAndDestroy()],
    ['closed', ({ socket }: RawUpstreamCall) => void socket.end()],
  ] as const) {
    for (const httpMethod of ['GET', 'HEAD', 'OPTIONS', 'DELETE', 'PUT']) {
      conform(
        engine,
        35,
        `a ${httpMethod} without a body on a kept connection that is ${how} is sent once more, on a fresh one`,
        async (house) => {
          const { gate, up } = await house.behind(breaksAfterFirst(end));
          expect((await gate.call('/dev/first')).status).toBe(200);
          const { status } = await gate.call('/dev/second', {
            httpMethod,
            headers: httpMethod === 'PUT' ? ['Content-Length', '0'] : [],
          });
          expect([status, up.calls.map(({ target, connection }) => `${target} ${connection}`)]).toEqual([
            200,
            ['/first 1', '/second 1', '/second 2'],
          ]);
        },
      );
    }

    for (const [httpMethod, body] of [
      ['POST', ''],
      ['POST', 'hello'],
      ['PATCH', ''],
      ['PUT', 'hello'],
      ['GET', 'hello'],
    ] as const) {
      const what = body === '' ? httpMethod : `${httpMethod} with a body`;
      conform(engine, 35, `a ${what} on a kept connection that is ${how} is never sent twice`, async (house) => {
        const { gate, up } = await house.behind(breaksAfterFirst(end));
        expect((await gate.call('/dev/first')).status).toBe(200);
        const { status } = await gate.call('/dev/second', { httpMethod, body });
        expect([[502, 504].includes(status), up.calls.map(({ target }) => target)]).toEqual([true, ['/first', '/second']]);
      });
    }
  }

  conform(engine, 35, 'a GET whose fresh connection breaks as well is not tried for ever', async (house) => {
    const { gate, up } = await house.behind(({ target, send, socket }) => {
      if (target === '/first') send(GOOD);
      else socket.resetAndDestroy();
    });
    expect((await gate.call('/dev/first')).status).toBe(200);
    expect([502, 504]).toContain((await gate.call('/dev/second')).status);
    expect(up.calls.filter(({ target }) => target === '/second').length).toBe(2);
  });

  conform(engine, 35, 'a GET whose answer has begun is never sent twice', async (house) => {
    const { gate, up } = await house.behind(({ target, send, socket }) => {
      if (target === '/first') send(GOOD);
      else socket.end('HTTP/1.1 200 OK\r\nX-');
    });
    expect((await gate.call('/dev/first')).status).toBe(200);
    expect([502, 504]).toContain((await gate.call('/dev/second')).status);
    expect(up.calls.filter(({ target }) => target === '/second').length).toBe(1);
  });

  conform(engine, 35, 'a kept connection that its upstream closes between requests costs no caller an error', async (house) => {
    const { gate } = await house.behind(
      afterBody((body) => {
        return `${head(body.length)}${body}`;
      }),
    );
    const { gate: other } = await house.behind((call) => {
      call.send(GOOD);
      setTimeout(() => call.socket.end(), 5);
    });
    for (let i = 0; i < 20; i++) {
      expect((await other.call('/dev/x', { httpMethod: 'GET' })).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, i));
    }
    expect((await gate.call('/dev/x', { httpMethod: 'POST', body: 'hello' })).text).toBe('hello');
  });

  conform(engine, 35, 'an unused connection is closed after its time', async (house) => {
    const { gate, up } = await house.behind((call) => call.send(GOOD), { connector: { idleConnectionMs: 200 } });
    await gate.call('/dev/x');
    await within(5_000, 'the end of the unused connection', up.idle());
    await isSound(gate);
  });

  conform(engine, 33, 'a caller that leaves ends the upstream call, in the middle of its body and before', async (house) => {
    const { gate, up } = await house.behind(goodOr(({ target, send }) => target === '/half' && send(`${head(10)}half`)));
    for (const [path, part] of [
      ['/dev/half', 'half'],
      ['/dev/silent', ''],
    ] as const) {
      const caller = await house.caller(gate);
      caller.send(get(path));
      await within(3_000, 'the call', up.called(up.calls.length + (part === '' ? 1 : 1)));
      await within(3_000, 'the first bytes', caller.until(part));
      caller.close();
      await within(3_000, 'the end of the upstream call', up.idle());
    }
    await eventually('both records', () => gate.lines.length === 2);
    expect(gate.lines.map(({ fault }) => fault)).toEqual(['CALLER_LEFT', 'CALLER_LEFT']);
    await isSound(gate);
  });
});
