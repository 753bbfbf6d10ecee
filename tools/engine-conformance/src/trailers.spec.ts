// Trailers, both ways: the body is whole, and a trailer never becomes a header.
import { RawUpstream, ScriptedUpstream } from '@gatehouse/testkit';
import fc from 'fast-check';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ENGINES } from './engines.js';
import { Gate, HOST } from './gate.js';
import { FUZZ_MS, FUZZ_RUNS, SEED } from './mutations.js';
import { sendAndWait } from './opinions.js';

const name = fc.oneof(
  fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/),
  fc.constantFrom(
    'Content-Length',
    'Transfer-Encoding',
    'Host',
    'Authorization',
    'X-Api-Key',
    'Connection',
    'X-Forwarded-For',
    'Set-Cookie',
    'Content-Type',
    'Trailer',
  ),
);
const trailers = fc.array(fc.tuple(name, fc.integer({ min: 10_000, max: 99_999 })), { maxLength: 4 });
const pieces = fc.array(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 30 }), { maxLength: 5 });

/** Every value carries a mark that occurs nowhere else. */
const markOf = (value: number): string => `trailer-${value}`;

function chunked(body: readonly string[], marked: readonly (readonly [string, number])[]): string {
  const chunks = body.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`);
  return `${chunks.join('')}0\r\n${marked.map(([field, value]) => `${field}: ${markOf(value)}\r\n`).join('')}\r\n`;
}

const options = { seed: SEED, numRuns: FUZZ_RUNS, interruptAfterTimeLimit: FUZZ_MS / 3, markInterruptAsFailure: false } as const;

for (const engine of ENGINES) {
  describe(engine.name, () => {
    test(
      'a caller’s: the upstream gets the body whole and no trailer as a header, or nothing whole',
      { timeout: 30_000 + FUZZ_MS },
      async () => {
        const up = await ScriptedUpstream.start(
          ({ body, response }) =>
            void body.then(
              () => response.end('ok'),
              () => undefined,
            ),
        );
        const gate = await Gate.open(engine);
        await gate.proxyTo(up.url);
        let taken = 0;
        await fc.assert(
          fc.asyncProperty(pieces, trailers, async (body, marked) => {
            const before = up.calls.length;
            const head = `PUT /dev/x HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
            await sendAndWait(connect(gate.port, '127.0.0.1'), Buffer.from(head + chunked(body, marked), 'latin1'), 500);
            const calls = up.calls.slice(before);
            expect(calls.length).toBeLessThanOrEqual(1);
            for (const call of calls) {
              const got = await call.body.catch(() => null);
              if (got === null) continue;
              taken++;
              expect(got.toString('latin1')).toBe(body.join(''));
              expect(call.rawHeaders.filter((text) => text.includes('trailer-'))).toEqual([]);
            }
            expect(up.unreadable).toEqual([]);
          }),
          options,
        );
        expect(taken).toBeGreaterThan(10);
        await gate.close();
        await up.close();
      },
    );

    test(
      'an upstream’s: the caller gets the body whole and no trailer as a header, or a cut, or our own answer',
      { timeout: 30_000 + FUZZ_MS },
      async () => {
        const up = await RawUpstream.start();
        const gate = await Gate.open(engine);
        await gate.proxyTo(up.url);
        let taken = 0;
        await fc.assert(
          fc.asyncProperty(pieces, trailers, async (body, marked) => {
            up.does((call) => call.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(body, marked)}`));
            const answer = await gate.call('/dev/x').catch(() => null);
            if (answer === null || answer.status === 502 || answer.status === 504) return;
            taken++;
            expect([answer.status, answer.body.toString('latin1')]).toEqual([200, body.join('')]);
            expect(answer.rawHeaders.filter((text) => text.includes('trailer-'))).toEqual([]);
          }),
          options,
        );
        expect(taken).toBeGreaterThan(10);
        await gate.close();
        await up.close();
      },
    );
  });
}
