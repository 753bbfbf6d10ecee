import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameReader } from './node-channel.js';

const BODY_MAX = 64;

function encode(frames: readonly { kind: number; meta: object; body: Uint8Array }[]): Buffer {
  return Buffer.concat(
    frames.map(({ kind, meta, body }) => {
      const metaBytes = Buffer.from(JSON.stringify(meta));
      const head = Buffer.alloc(9);
      head.writeUInt32BE(metaBytes.length, 0);
      head.writeUInt32BE(body.length, 4);
      head.writeUInt8(kind, 8);
      return Buffer.concat([head, metaBytes, body]);
    }),
  );
}

function read(bytes: Buffer, cuts: readonly number[]): { frames: unknown[]; isSound: boolean } {
  const frames: unknown[] = [];
  const reader = new FrameReader(
    ({ kind, meta, body }) => frames.push({ kind, meta, body: body === null ? null : body.toString('latin1') }),
    BODY_MAX,
  );
  const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  let isSound = true;
  for (let i = 1; i < edges.length && isSound; i++) isSound = reader.push(bytes.subarray(edges[i - 1], edges[i]));
  return { frames, isSound };
}

const frame = fc.record({
  kind: fc.integer({ min: 1, max: 6 }),
  meta: fc.record({ id: fc.string() }),
  body: fc.uint8Array({ maxLength: BODY_MAX * 2 }),
});

test('frames arrive whole however the bytes are cut, and bodies above the limit arrive as null', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 5 }), fc.array(fc.nat()), (frames, cuts) => {
      const bytes = encode(frames);
      const expected = frames.map(({ kind, meta, body }) => ({
        kind,
        meta,
        body: body.length > BODY_MAX ? null : Buffer.from(body).toString('latin1'),
      }));
      expect(
        read(
          bytes,
          cuts.map((cut) => (bytes.length === 0 ? 0 : cut % bytes.length)),
        ),
      ).toEqual({ frames: expected, isSound: true });
    }),
  );
});

for (const [what, bytes] of [
  ['metadata beyond its limit', Buffer.alloc(9, 255)],
  ['metadata that is no JSON', Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 3, 0x7b])],
  ['metadata that is no object', Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 3, 0x37])],
] as const) {
  test(`no frame: ${what}`, () => expect(read(bytes, []).isSound).toBe(false));
}
