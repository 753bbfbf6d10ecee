/**
 * One digest over a set of named things, kept up to date change by change, so that two holders of a set compare 32 bytes
 * however many things are in it. A tree of two levels:
 *
 *   root = SHA-256(bucket digest 0 | ... | bucket digest 1023)
 *   bucket digest = SHA-256(records, in the order of their names), or 32 zero bytes when the bucket is empty
 *   record = first 16 bytes of SHA-256(name) | 32 bytes: SHA-256 of the thing
 *   bucket of a name = first 10 bits of SHA-256(name)
 *
 * A change costs its bucket (48 bytes per record), and the root the 32 KB of all buckets. A sum or XOR of the things'
 * digests would be cheaper still, but whoever may choose things can find another set with the same sum (Wagner, "A
 * Generalized Birthday Problem"), and then a signature over it says nothing. See ADR 0007.
 */
import { hash } from 'node:crypto';

export const SET_DIGEST_BUCKETS = 1_024;
/** Of a bucket's digest, as far as it is compared by `differingBuckets`. */
const SHORT_BYTES = 8;
const NAME_BYTES = 16;
const DIGEST_BYTES = 32;
const RECORD_BYTES = NAME_BYTES + DIGEST_BYTES;

interface Bucket {
  bytes: Buffer;
  usedBytes: number;
}

export class SetDigest {
  private readonly buckets: (Bucket | undefined)[] = [];
  private readonly bucketDigests = Buffer.alloc(SET_DIGEST_BUCKETS * DIGEST_BYTES);
  /** Buckets whose digest is out of date. */
  private readonly stale = new Set<number>();
  private rootBytes: Buffer | null = null;
  private size = 0;

  get count(): number {
    return this.size;
  }

  /** Adds the thing or replaces the one of that name; `thing` is a text that says all of it. */
  put(name: string, thing: string): void {
    const nameDigest = digestOfName(name);
    const index = bucketOfDigest(nameDigest);
    const bucket = (this.buckets[index] ??= { bytes: Buffer.alloc(RECORD_BYTES), usedBytes: 0 });
    const at = findRecord(bucket, nameDigest);
    if (!isRecordOf(bucket, at, nameDigest)) {
      makeRoom(bucket, at);
      nameDigest.copy(bucket.bytes, at, 0, NAME_BYTES);
      this.size++;
    }
    bucket.bytes.write(hash('sha256', thing, 'latin1'), at + NAME_BYTES, 'latin1');
    this.changed(index);
  }

  remove(name: string): void {
    const nameDigest = digestOfName(name);
    const index = bucketOfDigest(nameDigest);
    const bucket = this.buckets[index];
    if (bucket === undefined) return;
    const at = findRecord(bucket, nameDigest);
    if (!isRecordOf(bucket, at, nameDigest)) return;
    bucket.bytes.copyWithin(at, at + RECORD_BYTES, bucket.usedBytes);
    bucket.usedBytes -= RECORD_BYTES;
    this.size--;
    this.changed(index);
  }

  has(name: string): boolean {
    const nameDigest = digestOfName(name);
    const bucket = this.buckets[bucketOfDigest(nameDigest)];
    return bucket !== undefined && isRecordOf(bucket, findRecord(bucket, nameDigest), nameDigest);
  }

  /** 32 bytes; not to be changed. */
  root(): Buffer {
    this.refresh();
    return (this.rootBytes ??= hash('sha256', this.bucketDigests, 'buffer'));
  }

  /** The first bytes of every bucket's digest, for `differingBuckets` of another holder. */
  shortBucketDigests(): Buffer {
    this.refresh();
    const short = Buffer.alloc(SET_DIGEST_BUCKETS * SHORT_BYTES);
    for (let index = 0; index < SET_DIGEST_BUCKETS; index++) {
      this.bucketDigests.copy(short, index * SHORT_BYTES, index * DIGEST_BYTES, index * DIGEST_BYTES + SHORT_BYTES);
    }
    return short;
  }

  /** Where the other set differs; all buckets when `theirs` is not of this shape. */
  differingBuckets(theirs: Uint8Array): number[] {
    if (theirs.length !== SET_DIGEST_BUCKETS * SHORT_BYTES)
      return Array.from({ length: SET_DIGEST_BUCKETS }, (_, index) => index);
    const ours = this.shortBucketDigests();
    const differing: number[] = [];
    for (let index = 0; index < SET_DIGEST_BUCKETS; index++) {
      const from = index * SHORT_BYTES;
      if (ours.compare(theirs, from, from + SHORT_BYTES, from, from + SHORT_BYTES) !== 0) differing.push(index);
    }
    return differing;
  }

  static bucketOf(name: string): number {
    return bucketOfDigest(digestOfName(name));
  }

  private changed(index: number): void {
    this.stale.add(index);
    this.rootBytes = null;
  }

  private refresh(): void {
    for (const index of this.stale) {
      const { bytes, usedBytes } = this.buckets[index]!;
      const from = index * DIGEST_BYTES;
      if (usedBytes === 0) this.bucketDigests.fill(0, from, from + DIGEST_BYTES);
      else hash('sha256', bytes.subarray(0, usedBytes), 'buffer').copy(this.bucketDigests, from);
    }
    this.stale.clear();
  }
}

const scratch = Buffer.alloc(DIGEST_BYTES);
/** Overwritten by the next call. A digest as text costs half of one as a buffer of its own. */
function digestOfName(name: string): Buffer {
  scratch.write(hash('sha256', name, 'latin1'), 'latin1');
  return scratch;
}

const bucketOfDigest = (nameDigest: Buffer): number => (nameDigest[0]! << 2) | (nameDigest[1]! >> 6);

/** Offset of the name's record, or of the place it belongs to. */
function findRecord({ bytes, usedBytes }: Bucket, nameDigest: Buffer): number {
  // The first four bytes decide nearly always; reading them costs a tenth of a comparison of buffers.
  const head = nameDigest.readUInt32BE(0);
  let low = 0;
  let high = usedBytes / RECORD_BYTES;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = middle * RECORD_BYTES;
    const middleHead = bytes.readUInt32BE(at);
    const isBefore = middleHead === head ? bytes.compare(nameDigest, 0, NAME_BYTES, at, at + NAME_BYTES) < 0 : middleHead < head;
    if (isBefore) low = middle + 1;
    else high = middle;
  }
  return low * RECORD_BYTES;
}

function isRecordOf({ bytes, usedBytes }: Bucket, at: number, nameDigest: Buffer): boolean {
  return at < usedBytes && bytes.compare(nameDigest, 0, NAME_BYTES, at, at + NAME_BYTES) === 0;
}

function makeRoom(bucket: Bucket, at: number): void {
  const usedBytes = bucket.usedBytes + RECORD_BYTES;
  if (usedBytes > bucket.bytes.length) {
    // A sixteenth more: with a million things, a quarter would stand empty as six bytes of each.
    const grown = Buffer.alloc(Math.ceil((usedBytes * (1 + 1 / 16)) / RECORD_BYTES) * RECORD_BYTES);
    bucket.bytes.copy(grown, 0, 0, bucket.usedBytes);
    bucket.bytes = grown;
  }
  bucket.bytes.copyWithin(at + RECORD_BYTES, at, bucket.usedBytes);
  bucket.usedBytes = usedBytes;
}
