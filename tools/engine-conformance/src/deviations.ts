/** What the implementations are known to do otherwise. */
import type { Deviation } from './engines.js';

/** node:http and undici. */
export const REFERENCE_DEVIATIONS: readonly Deviation[] = [
  {
    fault: 3,
    cases: ['A length is decimal digits: 010', 'A length is decimal digits: 05'],
    why: 'llhttp reads leading zeros, as decimal',
  },
  {
    fault: 5,
    cases: [
      'Only `chunked` is a transfer coding here: ,chunked',
      'Only `chunked` is a transfer coding here: identity, chunked',
      'Only `chunked` is a transfer coding here: gzip, chunked',
    ],
    why: 'llhttp reads the chunks, so the connection goes on behind our 400',
  },
  { fault: 5, cases: ['A coding in HTTP/1.0 is refused'], why: 'llhttp takes chunks in HTTP/1.0' },
  {
    fault: 6,
    cases: ['A chunk size is hexadecimal digits: 00000000000000005', 'A chunk size is hexadecimal digits: 8000000000000000'],
    why: 'llhttp reads any number of zeros, and sizes up to 2^64',
  },
  {
    fault: 12,
    cases: [
      'A request line is method, target and version: GET /dev/x HTTP/0.9',
      'A request line is method, target and version: GET /dev/x HTTP/2.0',
      'A request line is method, target and version: GET /dev/x RTSP/1.0',
      'A request line is method, target and version: GET /dev/x (',
      'A request line is method, target and version: GET  /dev/x HTTP/1.1',
      'A request line is method, target and version: GET /dev/x  HTTP/1.1',
    ],
    why: 'llhttp takes other protocols and versions, and several spaces',
  },
  {
    fault: 16,
    cases: ['extensions of many chunks count together'],
    why: 'node:http limits the extensions of each chunk alone',
  },
  {
    fault: 17,
    cases: ['10,000 headers are 431'],
    why: 'node:http counts the bytes of names and values only',
  },
  {
    fault: 19,
    cases: ['an upstream that answers 417 before it has the body'],
    why: 'undici sends no head before the first byte of the body',
  },
  {
    fault: 32,
    cases: ['an answer that only the end of the connection ends is whole, or cut when that is a reset'],
    why: 'undici takes a reset for the end',
  },
  {
    fault: 33,
    cases: [
      'An answer that is framed in two ways, or in none we know, is none: Transfer-Encoding: chunked\\r\\nTransfer-Encoding: chunked',
      'An answer that is framed in two ways, or in none we know, is none: Transfer-Encoding: chunked, identity',
      'An answer that is framed in two ways, or in none we know, is none: Transfer-Encoding: xchunked',
      'An answer that is framed in two ways, or in none we know, is none: Transfer-Encoding: gzip, chunked',
      'An answer that is framed in two ways, or in none we know, is none: Transfer-Encoding: identity',
      'An answer that is framed in two ways, or in none we know, is none: Transfer-Encoding: ,chunked',
      'An answer that is framed in two ways, or in none we know, is none: Transfer-Encoding: \\xa0chunked',
    ],
    why: 'undici takes any list of codings; what it does not know it reads to the end of the connection',
  },
  {
    fault: 33,
    cases: ['A head that is none: HTTP/1.1 600 OK', 'A head that is none: HTTP/2.0 200 OK'],
    why: 'llhttp takes any three digits and other versions',
  },
  {
    fault: 34,
    cases: ['Informational answers come before the answer: HTTP/1.1 100 Continue\\r\\n ('],
    why: 'undici refuses a 100 that it did not ask for',
  },
  {
    fault: 34,
    cases: ['a head that does not end (an endless status line)', 'a chunk extension without end'],
    why: 'undici limits neither; the timeout does',
  },
  {
    fault: 35,
    cases: ['a GET whose answer has begun is never sent twice'],
    why: 'undici does not tell whether bytes of the answer had come',
  },
];

/** Plain sockets. Each would be a bug with a test that waits for its end: this list has to be empty. */
export const PLAIN_DEVIATIONS: readonly Deviation[] = [];
