/**
 * Entries of a manifest by their key (`entryKey`). API keys are nearly all of them on a large node, and are packed: about 60
 * bytes each instead of 450 as an object with its texts. An API key that does not look as control planes make them, and every
 * other entry, is kept as the object it is.
 */
import { digitsOfValue, readWhole, valueOfDigits, writeWhole } from '@gatehouse/kernel';
import { entryKey, type LinkEntry } from './manifest.js';

const KIND = 'API_KEY';
const KEY_PREFIX = entryKey({ kind: KIND, id: '' });

export class EntryMap {
  private readonly plain = new Map<string, LinkEntry>();
  private readonly packed = new PackedKeys();

  get size(): number {
    return this.plain.size + this.packed.size;
  }

  has(key: string): boolean {
    return this.plain.has(key) || this.packed.has(packedIdOf(key));
  }

  /** An API key is a new object each time. */
  get(key: string): LinkEntry | undefined {
    return this.plain.get(key) ?? this.packed.get(packedIdOf(key));
  }

  set(entry: LinkEntry): void {
    const key = entryKey(entry);
    const fields = packable(entry);
    if (fields === null) {
      this.packed.delete(packedIdOf(key));
      this.plain.set(key, entry);
    } else {
      this.plain.delete(key);
      this.packed.set(fields);
    }
  }

  delete(key: string): void {
    if (!this.plain.delete(key)) this.packed.delete(packedIdOf(key));
  }

  *keys(): Generator<string> {
    yield* this.plain.keys();
    for (const id of this.packed.ids()) yield KEY_PREFIX + id;
  }

  /** As they are now, whatever changes while they are read. */
  values(): Iterable<LinkEntry> {
    return allOf([...this.plain.values()], this.packed.values());
  }
}

function* allOf<T>(...lists: readonly Iterable<T>[]): Generator<T> {
  for (const list of lists) yield* list;
}

/** What an API key's entry says, if it is of the usual form. */
interface KeyFields {
  readonly id: number;
  readonly tenant: number;
  readonly revision: number;
  readonly enabled: boolean;
  readonly plans: readonly number[];
  /** Hex. */
  readonly valueDigest: string;
}

/*
 * A packed key, whole numbers big-endian (kernel: digits.ts):
 *
 *   0   count of plans, and `enabled` in the highest bit
 *   1   revision
 *   6   tenant
 *   11  id
 *   18  digest of the value
 *   50  plans, 4 bytes each
 */
const ENABLED = 0x80;
const PLANS_MAX = 0x7f;
const REVISION = { at: 1, bytes: 5 } as const;
const TENANT = { at: 6, bytes: 5, radix: 10, length: 12 } as const;
const ID = { at: 11, bytes: 7, radix: 36, length: 10 } as const;
const DIGEST = { at: 18, bytes: 32 } as const;
const PLANS_AT = 50;
const PLAN_ID = { bytes: 4, radix: 36, length: 6 } as const;

/** Canonical JSON of an ApiKeyEntry whose ids have the usual form. */
const INLINE =
  /^\{"apiKeyId":"([0-9a-z]{10})","enabled":(true|false),"tenant":"(\d{12})","usagePlanIds":\[((?:"[0-9a-z]{6}"(?:,"[0-9a-z]{6}")*)?)\],"valueDigest":"([0-9a-f]{64})"\}$/;

/** `null` for an entry that would not be the very same again. */
function packable(entry: LinkEntry): KeyFields | null {
  if (entry.kind !== KIND || entry.digest !== null || entry.blobBytes !== 0) return null;
  const [inline, apiKeyId, enabled, owner, planIds, valueDigest] = INLINE.exec(entry.inline) ?? [];
  if (inline === undefined || apiKeyId !== entry.id || owner !== entry.tenant) return null;
  const id = valueOfDigits(entry.id, ID.radix, ID.length);
  const tenant = valueOfDigits(entry.tenant, TENANT.radix, TENANT.length);
  // Nine characters each: two quotes and a comma.
  const plans = Array.from({ length: Math.ceil(planIds!.length / 9) }, (_, i) =>
    valueOfDigits(planIds!.slice(i * 9 + 1, i * 9 + 7), PLAN_ID.radix, PLAN_ID.length),
  );
  const isRevisionUsual = Number.isSafeInteger(entry.revision) && entry.revision >= 0 && entry.revision < 2 ** 40;
  if (!isRevisionUsual || id < 0 || tenant < 0 || plans.length > PLANS_MAX || plans.includes(-1)) return null;
  return { id, tenant, revision: entry.revision, enabled: enabled === 'true', plans, valueDigest: valueDigest! };
}

/** -1 where the key cannot be that of a packed entry. */
const packedIdOf = (key: string): number =>
  key.startsWith(KEY_PREFIX) ? valueOfDigits(key.slice(KEY_PREFIX.length), ID.radix, ID.length) : -1;

function pack({ id, tenant, revision, enabled, plans, valueDigest }: KeyFields, bytes: Buffer, at: number): void {
  bytes[at] = plans.length | (enabled ? ENABLED : 0);
  writeWhole(bytes, at + REVISION.at, REVISION.bytes, revision);
  writeWhole(bytes, at + TENANT.at, TENANT.bytes, tenant);
  writeWhole(bytes, at + ID.at, ID.bytes, id);
  bytes.write(valueDigest, at + DIGEST.at, 'hex');
  plans.forEach((plan, i) => writeWhole(bytes, at + PLANS_AT + i * PLAN_ID.bytes, PLAN_ID.bytes, plan));
}

function unpack(bytes: Buffer, at: number): LinkEntry {
  const count = bytes[at]! & ~ENABLED;
  const id = idText(idAt(bytes, at));
  const tenant = digitsOfValue(readWhole(bytes, at + TENANT.at, TENANT.bytes), TENANT.radix, TENANT.length);
  const valueDigest = bytes.toString('hex', at + DIGEST.at, at + DIGEST.at + DIGEST.bytes);
  const plans = Array.from({ length: count }, (_, i) => {
    const value = readWhole(bytes, at + PLANS_AT + i * PLAN_ID.bytes, PLAN_ID.bytes);
    return `"${digitsOfValue(value, PLAN_ID.radix, PLAN_ID.length)}"`;
  });
  const enabled = bytes[at]! >= ENABLED;
  return {
    kind: KIND,
    id,
    tenant,
    revision: readWhole(bytes, at + REVISION.at, REVISION.bytes),
    digest: null,
    blobBytes: 0,
    inline: `{"apiKeyId":"${id}","enabled":${enabled},"tenant":"${tenant}","usagePlanIds":[${plans.join()}],"valueDigest":"${valueDigest}"}`,
  };
}

const idAt = (bytes: Buffer, at: number): number => readWhole(bytes, at + ID.at, ID.bytes);
const idText = (id: number): string => digitsOfValue(id, ID.radix, ID.length);
const lengthAt = (bytes: Buffer, at: number): number => packedLength(bytes[at]! & ~ENABLED);
const packedLength = (planCount: number): number => PLANS_AT + planCount * PLAN_ID.bytes;

const SHARD_BITS = 10;

/** Shards, so that what grows or is tidied up is a thousandth of all. */
class PackedKeys {
  private readonly shards = Array.from({ length: 1 << SHARD_BITS }, () => new Shard());
  size = 0;

  has(id: number): boolean {
    return id >= 0 && this.shardOf(id).has(id);
  }

  get(id: number): LinkEntry | undefined {
    return id < 0 ? undefined : this.shardOf(id).get(id);
  }

  set(fields: KeyFields): void {
    if (this.shardOf(fields.id).set(fields)) this.size++;
  }

  delete(id: number): void {
    if (id >= 0 && this.shardOf(id).delete(id)) this.size--;
  }

  *ids(): Generator<string> {
    for (const shard of this.shards) {
      const { bytes, places } = shard.asNow();
      for (const place of places) if (place > 0) yield idText(idAt(bytes, place - 1));
    }
  }

  values(): Iterable<LinkEntry> {
    return unpacked(this.shards.map((shard) => shard.asNow()));
  }

  private shardOf(id: number): Shard {
    return this.shards[hashOf(id) >>> (32 - SHARD_BITS)]!;
  }
}

function* unpacked(shards: readonly ShardContent[]): Generator<LinkEntry> {
  for (const { bytes, places } of shards) {
    for (const place of places) if (place > 0) yield unpack(bytes, place - 1);
  }
}

interface ShardContent {
  readonly bytes: Buffer;
  readonly places: Uint32Array;
}

/** More of the bytes that are filled are waste: the shard is written anew. */
const WASTE_SHARE_MAX = 1 / 2;
const FILLED_SHARE_MAX = 0.85;
const NOTHING = Buffer.alloc(0);
const NO_PLACES = new Uint32Array(0);

/** Packed keys, one after the other as they came, and a hash table (open addressing, linear probing) of where each is. */
class Shard {
  /** What was written in it is never written over: `asNow` shares it. */
  private bytes: Buffer = NOTHING;
  private usedBytes = 0;
  /** Of those used: keys that were replaced or removed. */
  private wasteBytes = 0;
  /** Offset + 1; 0 is free. */
  private places = NO_PLACES;
  private count = 0;

  has(id: number): boolean {
    return this.count > 0 && this.places[this.slotOf(id)] !== 0;
  }

  get(id: number): LinkEntry | undefined {
    if (this.count === 0) return undefined;
    const place = this.places[this.slotOf(id)]!;
    return place === 0 ? undefined : unpack(this.bytes, place - 1);
  }

  /** True when it is a new one. */
  set(fields: KeyFields): boolean {
    if (this.count + 1 > this.places.length * FILLED_SHARE_MAX) this.spread(Math.ceil((this.count + 4) * 1.3));
    const length = packedLength(fields.plans.length);
    if (this.usedBytes + length > this.bytes.length) this.grow(length);
    const slot = this.slotOf(fields.id);
    const before = this.places[slot]!;
    pack(fields, this.bytes, this.usedBytes);
    this.places[slot] = this.usedBytes + 1;
    this.usedBytes += length;
    if (before === 0) this.count++;
    else this.wasteBytes += lengthAt(this.bytes, before - 1);
    return before === 0;
  }

  /** False when there was none. */
  delete(id: number): boolean {
    if (!this.has(id)) return false;
    const slot = this.slotOf(id);
    this.wasteBytes += lengthAt(this.bytes, this.places[slot]! - 1);
    this.places[slot] = 0;
    this.count--;
    this.closeGap(slot);
    if (this.wasteBytes > this.usedBytes * WASTE_SHARE_MAX) this.writeAnew(0);
    return true;
  }

  asNow(): ShardContent {
    return { bytes: this.bytes, places: this.places.slice() };
  }

  /** Where the key is or would be. */
  private slotOf(id: number): number {
    let slot = this.homeOf(id);
    for (let place = this.places[slot]!; place !== 0; place = this.places[slot]!) {
      if (idAt(this.bytes, place - 1) === id) break;
      slot = slot + 1 === this.places.length ? 0 : slot + 1;
    }
    return slot;
  }

  /** By the bits that do not choose the shard. */
  private homeOf(id: number): number {
    return Math.floor(((hashOf(id) << SHARD_BITS) >>> 0) * 2 ** -32 * this.places.length);
  }

  /** Keys behind a free slot that would not be found any more move up (Knuth, vol. 3, 6.4, algorithm R). */
  private closeGap(free: number): void {
    const { places } = this;
    for (let slot = (free + 1) % places.length; places[slot] !== 0; slot = (slot + 1) % places.length) {
      const home = this.homeOf(idAt(this.bytes, places[slot]! - 1));
      const isReached = free <= slot ? free < home && home <= slot : free < home || home <= slot;
      if (isReached) continue;
      places[free] = places[slot]!;
      places[slot] = 0;
      free = slot;
    }
  }

  private spread(length: number): void {
    const before = this.places;
    this.places = new Uint32Array(length);
    for (const place of before) if (place > 0) this.places[this.slotOf(idAt(this.bytes, place - 1))] = place;
  }

  private grow(neededBytes: number): void {
    if (this.wasteBytes > 0) return this.writeAnew(neededBytes);
    const grown = roomFor(this.usedBytes + neededBytes);
    this.bytes.copy(grown, 0, 0, this.usedBytes);
    this.bytes = grown;
  }

  /** Without what is waste. */
  private writeAnew(neededBytes: number): void {
    const { bytes, places } = this;
    this.bytes = roomFor(this.usedBytes - this.wasteBytes + neededBytes);
    this.usedBytes = this.wasteBytes = 0;
    for (let slot = 0; slot < places.length; slot++) {
      if (places[slot] === 0) continue;
      const from = places[slot]! - 1;
      const length = bytes.copy(this.bytes, this.usedBytes, from, from + lengthAt(bytes, from));
      places[slot] = this.usedBytes + 1;
      this.usedBytes += length;
    }
  }
}

/** A sixteenth more than is needed now. */
const roomFor = (bytes: number): Buffer => Buffer.allocUnsafeSlow(Math.ceil(bytes * (1 + 1 / 16)));

/** Of MurmurHash3, the last step, over both halves. */
function hashOf(id: number): number {
  let hash = (id >>> 0) ^ Math.imul(Math.floor(id * 2 ** -32), 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
