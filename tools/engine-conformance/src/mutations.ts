/** Bytes that are nearly HTTP. */
import fc from 'fast-check';
import { HOST } from './gate.js';

/** The same inputs at every run, so that a failure is there again; `GATEHOUSE_SEED` looks for new ones. */
export const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 1);

const SECONDS = process.env['GATEHOUSE_FUZZ_SECONDS'];
/** Of each search; `GATEHOUSE_FUZZ_SECONDS` searches longer. */
export const FUZZ_MS = 1_000 * Number(SECONDS ?? 4);
/** A faster machine does not look further than a slow one, unless it is told to. */
export const FUZZ_RUNS = SECONDS === undefined ? 2_000 : 100_000;

const H = `Host: ${HOST}\r\n`;
const TAIL = `GET /dev/tail HTTP/1.1\r\n${H}\r\n`;

const REQUESTS = [
  `GET /dev/a?b=c HTTP/1.1\r\n${H}X: y\r\n\r\n`,
  `GET /dev/a HTTP/1.1\r\n${H}Connection: keep-alive\r\nX-Empty:\r\n\r\n${TAIL}`,
  `POST /dev/a HTTP/1.1\r\n${H}Content-Length: 5\r\n\r\nhello`,
  `POST /dev/a HTTP/1.1\r\n${H}Content-Length: 5\r\n\r\nhello${TAIL}`,
  `PUT /dev/a HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n${TAIL}`,
  `PUT /dev/a HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: u\r\n\r\n${TAIL}`,
  `PATCH http://${HOST}/dev/a HTTP/1.1\r\n${H}Connection: close\r\nX: \xe9\r\n\r\n`,
  `GET /dev/a HTTP/1.0\r\n${H}Connection: keep-alive\r\nContent-Length: 0\r\n\r\n${TAIL}`,
  `DELETE /dev/a%2fb//c;d HTTP/1.1\r\n${H}Content-Length: 3\r\n\r\n0\r\n${TAIL}`,
  `POST /dev/a HTTP/1.1\r\n${H}Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello${TAIL}`,
  `POST /dev/a HTTP/1.1\r\n${H}Content-Length: ${TAIL.length}\r\n\r\n${TAIL}${TAIL}`,
];

const ANSWERS = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n',
  'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end',
  'HTTP/1.0 200 OK\r\nX: \xe9\r\n\r\nuntil the end',
  'HTTP/1.1 204 No Content\r\nX: y\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "a"\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n',
];

const BYTES = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '"',
  '=',
  '0',
  '1',
  '5',
  'a',
  'g',
  'X',
  '\x0b',
  '\x7f',
  '\x80',
  '\xa0',
  '\xff',
  '+',
  '-',
  '_',
  '#',
  '%',
  '?',
  '\\',
  '@',
  '*',
];
const LINES = [
  'Content-Length: 5\r\n',
  'Content-Length: 6\r\n',
  'Content-Length: 0\r\n',
  'content-length: 5\r\n',
  'Content-Length: 5, 5\r\n',
  'Content-Length : 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'transfer-encoding:chunked\r\n',
  'Transfer-Encoding: gzip\r\n',
  'Transfer-Encoding: identity\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive\r\n',
  'Connection: content-length\r\n',
  'Host: b\r\n',
  'X : y\r\n',
  'X\r\n',
  ' X: y\r\n',
  '\r\n folded',
  'HTTP/1.0',
  'HTTP/1.1',
  'HTTP/2.0',
  'chunked',
  '5\r\n',
  '0\r\n',
  '0\r\n\r\n',
  '5\r\nhello\r\n',
  ': ',
  TAIL,
];

function mutated(seeds: readonly string[]): fc.Arbitrary<string> {
  const splice = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom('', ...BYTES) },
    { weight: 1, arbitrary: fc.constantFrom(...LINES) },
  );
  const edit = fc.record({
    place: fc.nat(),
    /** Half of them where lines meet: what lies inside a line is mostly opaque. */
    isAtLine: fc.boolean(),
    cut: fc.nat(3),
    splice,
  });
  return fc.tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 0, maxLength: 3 })).map(([seed, edits]) =>
    edits.reduce((text, { place, isAtLine, cut, splice }) => {
      const starts = isAtLine ? [...text.matchAll(/\r\n/g)].map(({ index }) => index + 2) : [];
      const at = starts.length > 0 ? starts[place % starts.length]! : place % (text.length + 1);
      return text.slice(0, at) + splice + text.slice(at + (isAtLine ? 0 : cut));
    }, seed),
  );
}

export const requests = mutated(REQUESTS);
export const answers = mutated(ANSWERS);

/** The shortest text found for which `isBad` still holds: pieces are left out as long as it does. */
export async function shortened(text: string, isBad: (text: string) => Promise<boolean>, triesMax = 150): Promise<string> {
  let best = text;
  let tries = 0;
  for (let size = Math.ceil(best.length / 4); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < best.length && tries < triesMax; tries++) {
      const shorter = best.slice(0, at) + best.slice(at + size);
      if (await isBad(shorter)) best = shorter;
      else at += size;
    }
  }
  return best;
}
