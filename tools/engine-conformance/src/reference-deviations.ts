/** What the implementation on node:http and undici is known to do otherwise. */
import type { Deviation } from './engines.js';

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
];
