// A parser remembers the head before it. What it says of a head must not depend on that.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NEED_MORE, Refusal, RequestHeadParser, ResponseHeadParser } from './index.js';

const seed = Number(process.env.GATEHOUSE_SEED ?? 1);

const line = fc.constantFrom('Host: a', 'Host: b', 'X: 1', 'X: 2', 'Content-Length: 3', 'Connection: close', 'X :1', 'Y');
const startLine = fc.constantFrom(
  'GET / HTTP/1.1',
  'GET /a?b HTTP/1.1',
  'POST / HTTP/1.1',
  'GET / HTTP/1.0',
  'GET http://a/ HTTP/1.1',
  'GET /\x01 HTTP/1.1',
  'G\tT / HTTP/1.1',
  `GET /${'a'.repeat(300)} HTTP/1.1`,
  '',
);
const lines = fc.constantFrom(['Host: a'], ['Host: a', 'X: 1'], ['Host: a', 'X: 2']);
const heads = fc.array(
  fc.tuple(startLine, fc.oneof(lines, fc.array(line, { maxLength: 3 })), fc.constantFrom('', 'body', 'GET / ')),
  {
    minLength: 2,
    maxLength: 8,
  },
);
const limits = { startLineBytesMax: 200, headBytesMax: 260, headerCountMax: 10 };

test('a request head reads the same behind any other, and ends in the same place', () => {
  fc.assert(
    fc.property(heads, (all) => {
      const remembering = new RequestHeadParser(limits);
      for (const [start, fields, behind] of all) {
        const bytes = Buffer.from(`${start}\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n${behind}`, 'latin1');
        const fresh = new RequestHeadParser(limits);
        const expected = fresh.feed(bytes);
        const head = remembering.feed(bytes);
        if (expected === NEED_MORE || expected instanceof Refusal) {
          expect(head).toBe(expected);
          return; // the connection ends, or waits
        }
        expect({ ...(head as object), lines: null }).toEqual({ ...expected, lines: null });
        expect(remembering.consumedBytes).toBe(fresh.consumedBytes);
      }
    }),
    { seed, numRuns: 5_000 },
  );
});

test('an answer head reads the same behind any other, and ends in the same place', () => {
  const status = fc.constantFrom('HTTP/1.1 200 OK', 'HTTP/1.1 404 OK', 'HTTP/1.0 200 OK', 'HTTP/1.1 200', 'HTTP/1.1 99 X');
  const fields = fc.constantFrom(['A: 1'], ['A: 1', 'B: 2'], ['A: 2', 'B: 2'], ['A : 1'], []);
  fc.assert(
    fc.property(fc.array(fc.tuple(status, fields, fc.constantFrom('', 'x', 'HTTP')), { minLength: 2, maxLength: 8 }), (all) => {
      const remembering = new ResponseHeadParser();
      for (const [start, own, behind] of all) {
        const bytes = Buffer.from(`${start}\r\n${own.map((field) => `${field}\r\n`).join('')}\r\n${behind}`, 'latin1');
        const fresh = new ResponseHeadParser();
        const expected = fresh.feed(bytes);
        const head = remembering.feed(bytes);
        expect(head).toEqual(expected);
        if (expected === NEED_MORE || expected instanceof Refusal) return;
        expect(remembering.consumedBytes).toBe(fresh.consumedBytes);
      }
    }),
    { seed, numRuns: 2_000 },
  );
});
