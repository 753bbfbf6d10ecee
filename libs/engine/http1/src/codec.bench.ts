/**
 * Nanoseconds per head of a request with 8 headers, ours (with framing) beside Node's own parser behind node:http; after a build,
 * run with `node src/codec.bench.ts`. `_http_common` is for this measure only: it is no public API.
 */
import { createRequire } from 'node:module';

const { frameRequest, RequestHeadParser, Refusal } = (await import(
  new URL('../dist/index.js', import.meta.url).href
)) as typeof import('./index.js');

const bytes = Buffer.from(
  'GET /prod/pets/42?verbose=1 HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\n' +
    'Accept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\nX-Api-Key: 0123456789abcdef0123456789abcdef\r\n' +
    'X-Request-Id: 6f1c1f0e-7a52-4d2e-9a52-0f6f4a3f5c11\r\nCookie: session=0123456789abcdef\r\n\r\n',
  'latin1',
);
const ROUNDS = 300_000;

interface NodeParser {
  initialize(type: number, resource: object): void;
  execute(bytes: Buffer): number;
  [callback: number]: unknown;
}
interface NodeParserClass {
  new (): NodeParser;
  readonly REQUEST: number;
  readonly kOnHeadersComplete: number;
  readonly kOnMessageComplete: number;
}
const { HTTPParser } = createRequire(import.meta.url)('_http_common') as { HTTPParser: NodeParserClass };

let seen = 0;

const ours = new RequestHeadParser();
function parseOurs(): void {
  const head = ours.feed(bytes);
  if (head === null || head instanceof Refusal) throw new Error('the bench feeds a good request');
  const framing = frameRequest(head);
  if (!(framing instanceof Refusal)) seen += head.headers.length;
}

const nodes = new HTTPParser();
nodes.initialize(HTTPParser.REQUEST, {});
nodes[HTTPParser.kOnHeadersComplete] = (_major: number, _minor: number, headers: string[]) => {
  seen += headers.length;
  return 0;
};
nodes[HTTPParser.kOnMessageComplete] = () => undefined;
function parseNodes(): void {
  nodes.execute(bytes);
}

function nanoseconds(run: () => void): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < ROUNDS; i++) run();
  return Number(process.hrtime.bigint() - start) / ROUNDS;
}

nanoseconds(parseOurs); // warm up
nanoseconds(parseNodes);
seen = 0;
const rounds = Array.from({ length: 5 }, () => ({ ours: nanoseconds(parseOurs), node: nanoseconds(parseNodes) }));
if (seen !== 2 * 5 * ROUNDS * 16) throw new Error(`both must see all headers; seen ${seen}`);
const best = { ours: Math.min(...rounds.map((round) => round.ours)), node: Math.min(...rounds.map((round) => round.node)) };
console.log(
  `${bytes.length} bytes, best of 5: ours ${best.ours.toFixed(0)} ns, node ${best.node.toFixed(0)} ns, ratio ${(best.ours / best.node).toFixed(2)}`,
);
