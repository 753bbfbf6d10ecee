import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { SET_DIGEST_BUCKETS, SetDigest } from './set-digest.js';

const sha256 = (...parts: (string | Buffer)[]): Buffer =>
  parts.reduce((digest, part) => digest.update(part), createHash('sha256')).digest();

/** As the head of set-digest.ts has it, without any cleverness. */
function naiveRoot(things: ReadonlyMap<string, string>): string {
  const buckets: Buffer[][] = Array.from({ length: SET_DIGEST_BUCKETS }, () => []);
  for (const [name, thing] of things) {
    const nameDigest = sha256(name);
    buckets[nameDigest.readUInt16BE(0) >> 6]!.push(Buffer.concat([nameDigest.subarray(0, 16), sha256(thing)]));
  }
  const digests = buckets.map((records) =>
    records.length === 0 ? Buffer.alloc(32) : sha256(...records.sort((a, b) => a.compare(b))),
  );
  return sha256(...digests).toString('hex');
}

function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % below;
}

test('whatever was added, replaced and removed in whatever order, the digest is that of the set as it stands', () => {
  const random = randomNumbers(7);
  const things = new Map<string, string>();
  const set = new SetDigest();
  for (let step = 0; step < 4_000; step++) {
    const name = `name ${random(700)}`;
    if (random(3) === 0) {
      things.delete(name);
      set.remove(name);
    } else {
      things.set(name, `thing ${random(3)}`);
      set.put(name, things.get(name)!);
    }
    expect(set.has(name)).toBe(things.has(name));
    if (step % 400 === 0) expect(set.root().toString('hex')).toBe(naiveRoot(things));
  }
  expect(set.count).toBe(things.size);
  expect(set.root().toString('hex')).toBe(naiveRoot(things));
  for (const name of [...things.keys()]) set.remove(name);
  expect(set.root().toString('hex')).toBe(new SetDigest().root().toString('hex'));
});

test('two sets differ in the buckets of the things that differ, and in no others', () => {
  const [ours, theirs] = [new SetDigest(), new SetDigest()];
  for (let index = 0; index < 300; index++) {
    ours.put(`name ${index}`, 'same');
    theirs.put(`name ${index}`, index === 5 ? 'other' : 'same');
  }
  ours.put('only here', '');
  const expected = [SetDigest.bucketOf('name 5'), SetDigest.bucketOf('only here')].sort((a, b) => a - b);
  expect(ours.differingBuckets(theirs.shortBucketDigests())).toEqual(expected);
  expect(theirs.differingBuckets(ours.shortBucketDigests())).toEqual(expected);
  expect(ours.differingBuckets(new Uint8Array(3)), 'not a list of bucket digests').toHaveLength(SET_DIGEST_BUCKETS);
});
