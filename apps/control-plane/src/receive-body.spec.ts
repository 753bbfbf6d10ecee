import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { BODY_TOO_LARGE, receiveBody } from './receive-body.js';

for (const [name, chunks, expected] of [
  ['no body', [], Buffer.alloc(0)],
  ['a body at the limit', ['ab', 'cd'], Buffer.from('abcd')],
  ['a body one byte over the limit', ['ab', 'cd', 'e'], BODY_TOO_LARGE],
] as const) {
  test(`${name} is told apart`, async () => {
    expect(await receiveBody(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), 4)).toEqual(expected);
  });
}

test('what follows a body that is too large is read to its end, so that the caller gets the answer', async () => {
  const stream = Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(100)));
  const ended = new Promise((resolve) => stream.once('end', resolve));
  expect(await receiveBody(stream, 150)).toBe(BODY_TOO_LARGE);
  await ended;
});

test('a caller that leaves is an error, not a short body', async () => {
  const stream = new Readable({ read: () => undefined });
  stream.push(Buffer.from('ab'));
  const received = receiveBody(stream, 100);
  stream.destroy(new Error('caller left'));
  await expect(received).rejects.toThrow('caller left');
});
