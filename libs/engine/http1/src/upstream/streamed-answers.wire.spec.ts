// Answers as they stream in from an upstream to a reader who takes his time, on real sockets.
import type { CallerPresence, UpstreamAnswer, UpstreamFailure } from '@gatehouse/engine-exchange';
import { AddressRules, openDestinations } from '@gatehouse/engine-upstream';
import { RawUpstream } from '@gatehouse/testkit';
import fc from 'fast-check';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Http1Connector } from '../index.js';
import { AnswerBody } from './answer-body.js';
import { COPIED_BYTES_MAX } from './chunk-pool.js';

let upstream: RawUpstream;
let connector: Http1Connector;

beforeEach(async () => {
  upstream = await RawUpstream.start(() => undefined);
  const rules = new AddressRules({ allow: ['loopback'] });
  connector = new Http1Connector({ destinations: openDestinations({ rules: { rulesFor: () => rules } }) });
});
afterEach(async () => {
  await upstream.close();
  await connector.close();
});

function call(path = '/'): Promise<UpstreamAnswer | UpstreamFailure> {
  const caller: CallerPresence = { isCallerGone: false, onCallerLeft: null, signal: new AbortController().signal };
  const rest = { httpMethod: 'GET', traceId: '', block: null, headers: [], body: null, timeoutMs: 5_000 };
  return connector.call({ url: `${upstream.url}${path}`, tenant: '123456789012', ...rest }, caller);
}

const settled = async (isTrue: () => boolean): Promise<void> => {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 1));
};

// The last piece fills what is buffered for the reader, so that with it reading pauses. Nothing is left to be read of this answer:
// nobody would ever ask the connection to go on.
test('an answer that nobody reads does not keep the next one on its connection waiting', async () => {
  const body = 'x'.repeat(COPIED_BYTES_MAX);
  upstream.does((one) => one.send(`HTTP/1.1 200 OK\r\nContent-Length: ${COPIED_BYTES_MAX}\r\n\r\n`));
  const unread = call();
  const running = await upstream.called(1);
  const answer = (await unread) as UpstreamAnswer;
  running.send(body);
  await settled(() => (answer.body as AnswerBody).isWhole);
  upstream.does((one) => one.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  expect(await call()).toMatchObject({ status: 200, body: Buffer.from('ok') });
  expect(upstream.connections, 'both came on one').toBe(1);
});

test('what waits for a reader who does not read keeps at most four times its bytes, however small the pieces come', async () => {
  const pieces = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(pieces, async (lengths) => {
      const before = upstream.calls.length;
      upstream.does((one) => one.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'));
      const answering = call();
      const running = await upstream.called(before + 1);
      const body = ((await answering) as UpstreamAnswer).body as AnswerBody;
      body.isPooled = true;
      let sentBytes = 0;
      for (const length of lengths) {
        sentBytes += length;
        running.send(`${length.toString(16)}\r\n${'x'.repeat(length)}\r\n`);
        await settled(() => body.readableLength === sentBytes);
      }
      running.send('0\r\n\r\n');
      const kept = new Set<ArrayBufferLike>();
      body.on('data', (piece: Buffer) => kept.add(piece.buffer));
      await once(body, 'end');
      const keptBytes = [...kept].reduce((sum, { byteLength }) => sum + byteLength, 0);
      expect(keptBytes).toBeLessThanOrEqual(4 * sentBytes);
    }),
    { seed: 1, numRuns: 15 },
  );
});
