/**
 * All keys of a node, packed: a million of them take about 60 bytes each instead of 435 as objects, strings and maps. Immutable
 * like the World it is of; `with` makes a changed copy that shares all shards without a change.
 *
 *   KeyShard   by the first 10 bits of the digest, sorted by digest:
 *     digests  32 bytes each
 *     ends     3 bytes each: where the key's own record ends
 *     records  count of plans and `enabled` (1) | tenant (5) | id (7) | plans (4 each), as numbers (kernel: digits.ts),
 *              or, where one of them is not of the form the control plane makes: PLAIN (1) | JSON
 *   IdShard    by the id's hash, sorted: 2 bytes of the hash, 4 of the digest: where to look for the key with that id
 *
 * A key that is asked for becomes an object; each shard keeps a few of those it made last.
 */
import type { ApiKeyEntry } from '@gatehouse/contracts';
import { digitsOfValue, readWhole, valueOfDigits, writeWhole } from '@gatehouse/kernel';

const SHARD_BITS = 10;
const SHARD_COUNT = 1 << SHARD_BITS;
const DIGEST_BYTES = 32;
const END_BYTES = 3;
const TENANT = { radix: 10, length: 12, bytes: 5 } as const;
const ID = { radix: 36, length: 10, bytes: 7 } as const;
const PLAN_ID = { radix: 36, length: 6, bytes: 4 } as const;
const ID_AT = 1 + TENANT.bytes;
const PLANS_AT = ID_AT + ID.bytes;
const ENABLED = 0x80;
/** Instead of the count of plans. */
const PLAIN = 0x7f;
/** Objects that a shard keeps at most: 8,192 per table. */
const LATELY_MAX = 8;
/** Of an IdShard: hash, first and second half of the digest's head. */
const ID_ENTRY_WORDS = 3;

interface PackedKey {
  readonly id: string;
  readonly digest: Uint8Array;
  readonly record: Uint8Array;
}

export class KeyTable {
  static readonly EMPTY = new KeyTable([], [], 0);

  private constructor(
    private readonly shards: readonly (KeyShard | undefined)[],
    private readonly idShards: readonly (IdShard | undefined)[],
    readonly size: number,
  ) {}

  /** `valueDigest`: hex SHA-256. Of two keys of a tenant with one value, the same one is found always. */
  find(tenant: string, valueDigest: string): ApiKeyEntry | null {
    if (valueDigest.length !== 2 * DIGEST_BYTES || scratch.write(valueDigest, 'hex') < DIGEST_BYTES) return null;
    return this.shards[shardOfHead(scratch.readUInt32BE(0))]?.find(scratch, tenant, valueDigest) ?? null;
  }

  /** By id; `null` removes. */
  with(edits: ReadonlyMap<string, ApiKeyEntry | null>): KeyTable {
    if (edits.size === 0) return this;
    const changes = new Changes();
    let size = this.size;
    for (const [id, key] of edits) {
      const place = this.placeOf(id);
      if (place !== null) {
        changes.remove(id, place);
        size--;
      }
      if (key !== null) {
        changes.add(packKey(key));
        size++;
      }
    }
    const shards = Array.from({ length: SHARD_COUNT }, (_, index) => this.shards[index]);
    const idShards = Array.from({ length: SHARD_COUNT }, (_, index) => this.idShards[index]);
    for (const [index, change] of changes.keys) shards[index] = (shards[index] ?? KeyShard.EMPTY).with(change);
    for (const [index, change] of changes.ids) idShards[index] = (idShards[index] ?? IdShard.EMPTY).with(change);
    return new KeyTable(shards, idShards, size);
  }

  private placeOf(id: string): Place | null {
    const hash = hashOf(id);
    const idShard = this.idShards[shardOfHash(hash)];
    if (idShard === undefined) return null;
    const tag = tagOfHash(hash);
    for (let at = idShard.firstOf(tag); idShard.hasTag(at, tag); at++) {
      const head = idShard.headAt(at);
      const index = this.shards[shardOfHead(head)]?.indexOfId(head, id) ?? -1;
      if (index >= 0) return { head, index, idIndex: at };
    }
    return null;
  }
}

/** Where a key is. */
interface Place {
  readonly head: number;
  /** In its KeyShard. */
  readonly index: number;
  /** In the IdShard of its id. */
  readonly idIndex: number;
}

interface ShardChange<T> {
  readonly removed: Set<number>;
  readonly added: T[];
}

/** What a set of edits does to each shard. */
class Changes {
  readonly keys = new Map<number, ShardChange<PackedKey>>();
  readonly ids = new Map<number, ShardChange<IdEntry>>();

  remove(id: string, { head, index, idIndex }: Place): void {
    changeOf(this.keys, shardOfHead(head)).removed.add(index);
    changeOf(this.ids, shardOfHash(hashOf(id))).removed.add(idIndex);
  }

  add(key: PackedKey): void {
    const head = headOf(key.digest, 0);
    const hash = hashOf(key.id);
    changeOf(this.keys, shardOfHead(head)).added.push(key);
    changeOf(this.ids, shardOfHash(hash)).added.push({ tag: tagOfHash(hash), head });
  }
}

function changeOf<T>(changes: Map<number, ShardChange<T>>, index: number): ShardChange<T> {
  let change = changes.get(index);
  if (change === undefined) changes.set(index, (change = { removed: new Set(), added: [] }));
  return change;
}

class KeyShard {
  static readonly EMPTY = new KeyShard(0, Buffer.alloc(0));
  /** By a hash of the digest. */
  private lately: (ApiKeyEntry | null)[] | null = null;
  private readonly endsAt: number;
  private readonly recordsAt: number;

  private constructor(
    readonly count: number,
    private readonly bytes: Buffer,
  ) {
    this.endsAt = count * DIGEST_BYTES;
    this.recordsAt = this.endsAt + count * END_BYTES;
  }

  find(digest: Uint8Array, tenant: string, valueDigest: string): ApiKeyEntry | null {
    const tenantValue = valueOf(tenant, TENANT);
    const slot = digest[DIGEST_BYTES - 1]! % LATELY_MAX;
    const known = this.lately === null ? null : this.lately[slot]!;
    if (known !== null && known.valueDigest === valueDigest && known.tenant === tenant) return known;
    for (let index = this.firstOf(digest); index < this.count && this.compareDigest(index, digest) === 0; index++) {
      if (!this.isOf(index, tenant, tenantValue)) continue;
      const key = this.keyAt(index, tenant, valueDigest);
      this.lately ??= Array.from({ length: LATELY_MAX }, () => null);
      return (this.lately[slot] = key);
    }
    return null;
  }

  /** Of the key with this id whose digest begins with `head`; -1 if there is none. */
  indexOfId(head: number, id: string): number {
    for (let index = this.firstOfHead(head); index < this.count && headOf(this.bytes, index * DIGEST_BYTES) === head; index++) {
      if (this.idAt(index) === id) return index;
    }
    return -1;
  }

  with({ removed, added }: ShardChange<PackedKey>): KeyShard | undefined {
    const count = this.count - removed.size + added.length;
    if (count === 0) return undefined;
    added.sort((a, b) => compareBytes(a.digest, 0, b.digest) || (a.id < b.id ? -1 : 1));
    let recordBytes = this.bytes.length - this.recordsAt;
    for (const index of removed) recordBytes -= this.endOf(index) - this.startOf(index);
    for (const { record } of added) recordBytes += record.length;
    const built = new KeyShard(count, Buffer.allocUnsafeSlow(count * (DIGEST_BYTES + END_BYTES) + recordBytes));
    let [from, to, end, next] = [0, 0, 0, 0];
    while (from < this.count || next < added.length) {
      if (removed.has(from)) {
        from++;
        continue;
      }
      // Keys that stay are copied in runs, up to the place of the next one that is new or goes.
      let runEnd = from;
      while (runEnd < this.count && !removed.has(runEnd) && this.isBefore(runEnd, added[next])) runEnd++;
      end = built.copyRun(to, end, this, from, runEnd);
      to += runEnd - from;
      from = runEnd;
      if (next < added.length && (from === this.count || !this.isBefore(from, added[next])))
        end = built.put(to++, end, added[next++]!);
    }
    return built;
  }

  private isBefore(index: number, key: PackedKey | undefined): boolean {
    if (key === undefined) return true;
    const order = this.compareDigest(index, key.digest);
    return order === 0 ? this.idAt(index) < key.id : order < 0;
  }

  private copyRun(to: number, end: number, source: KeyShard, from: number, until: number): number {
    if (until === from) return end;
    source.bytes.copy(this.bytes, to * DIGEST_BYTES, from * DIGEST_BYTES, until * DIGEST_BYTES);
    const start = source.startOf(from);
    const stop = source.endOf(until - 1);
    source.bytes.copy(this.bytes, this.recordsAt + end, source.recordsAt + start, source.recordsAt + stop);
    for (let i = 0; i < until - from; i++) this.writeEnd(to + i, source.endOf(from + i) - start + end);
    return end + stop - start;
  }

  private put(to: number, end: number, { digest, record }: PackedKey): number {
    this.bytes.set(digest, to * DIGEST_BYTES);
    this.bytes.set(record, this.recordsAt + end);
    this.writeEnd(to, end + record.length);
    return end + record.length;
  }

  private writeEnd(index: number, end: number): void {
    if (end >= 2 ** (8 * END_BYTES)) throw new Error('more API keys than a node can hold');
    writeWhole(this.bytes, this.endsAt + index * END_BYTES, END_BYTES, end);
  }

  /** Within the records. */
  private endOf(index: number): number {
    return readWhole(this.bytes, this.endsAt + index * END_BYTES, END_BYTES);
  }

  private startOf(index: number): number {
    return index === 0 ? 0 : this.endOf(index - 1);
  }

  /** Of the first key that is not before the digest. */
  private firstOf(digest: Uint8Array): number {
    let index = this.firstOfHead(headOf(digest, 0));
    while (index < this.count && this.compareDigest(index, digest) < 0) index++;
    return index;
  }

  private firstOfHead(head: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (headOf(this.bytes, middle * DIGEST_BYTES) < head) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private compareDigest(index: number, digest: Uint8Array): number {
    return compareBytes(this.bytes, index * DIGEST_BYTES, digest);
  }

  /** `tenantValue` is the number that `tenant` is, or -1. */
  private isOf(index: number, tenant: string, tenantValue: number): boolean {
    const at = this.recordsAt + this.startOf(index);
    if (this.isPlain(at)) return this.plainAt(index).tenant === tenant;
    return readWhole(this.bytes, at + 1, TENANT.bytes) === tenantValue;
  }

  private idAt(index: number): string {
    const at = this.recordsAt + this.startOf(index);
    return this.isPlain(at) ? this.plainAt(index).apiKeyId : read(this.bytes, at + ID_AT, ID);
  }

  /** Its tenant and digest are at hand wherever a key is looked up. */
  private keyAt(index: number, tenant: string, valueDigest: string): ApiKeyEntry {
    const at = this.recordsAt + this.startOf(index);
    const { apiKeyId, enabled, usagePlanIds } = this.isPlain(at) ? this.plainAt(index) : unpack(this.bytes, at);
    return { apiKeyId, tenant, valueDigest, enabled, usagePlanIds };
  }

  private isPlain(at: number): boolean {
    return this.bytes[at] === PLAIN;
  }

  private plainAt(index: number): Omit<ApiKeyEntry, 'valueDigest'> {
    const from = this.recordsAt + this.startOf(index) + 1;
    return JSON.parse(this.bytes.toString('utf8', from, this.recordsAt + this.endOf(index))) as Omit<ApiKeyEntry, 'valueDigest'>;
  }
}

interface IdEntry {
  readonly tag: number;
  readonly head: number;
}

class IdShard {
  static readonly EMPTY = new IdShard(new Uint16Array(0));

  private constructor(private readonly words: Uint16Array) {}

  firstOf(tag: number): number {
    let low = 0;
    let high = this.words.length / ID_ENTRY_WORDS;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.words[middle * ID_ENTRY_WORDS]! < tag) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  hasTag(index: number, tag: number): boolean {
    return this.words[index * ID_ENTRY_WORDS] === tag;
  }

  headAt(index: number): number {
    const at = index * ID_ENTRY_WORDS;
    return this.words[at + 1]! * 0x10000 + this.words[at + 2]!;
  }

  with({ removed, added }: ShardChange<IdEntry>): IdShard | undefined {
    const before = this.words.length / ID_ENTRY_WORDS;
    const count = before - removed.size + added.length;
    if (count === 0) return undefined;
    added.sort((a, b) => a.tag - b.tag);
    const built = new IdShard(new Uint16Array(count * ID_ENTRY_WORDS));
    let [to, next] = [0, 0];
    for (let from = 0; from < before; from++) {
      if (removed.has(from)) continue;
      const tag = this.words[from * ID_ENTRY_WORDS]!;
      while (next < added.length && added[next]!.tag < tag) built.put(to++, added[next++]!);
      built.put(to++, { tag, head: this.headAt(from) });
    }
    while (next < added.length) built.put(to++, added[next++]!);
    return built;
  }

  private put(index: number, { tag, head }: IdEntry): void {
    const at = index * ID_ENTRY_WORDS;
    this.words[at] = tag;
    this.words[at + 1] = head >>> 16;
    this.words[at + 2] = head & 0xffff;
  }
}

interface NumberForm {
  readonly radix: 10 | 36;
  readonly length: number;
  readonly bytes: number;
}

const read = (bytes: Uint8Array, at: number, { radix, length, bytes: size }: NumberForm): string =>
  digitsOfValue(readWhole(bytes, at, size), radix, length);

const valueOf = (text: string, { radix, length }: NumberForm): number => valueOfDigits(text, radix, length);

function packKey({ apiKeyId, tenant, valueDigest, enabled, usagePlanIds }: ApiKeyEntry): PackedKey {
  const digest = Buffer.from(valueDigest, 'hex');
  const tenantValue = valueOf(tenant, TENANT);
  const idValue = valueOf(apiKeyId, ID);
  const plans = usagePlanIds.map((planId) => valueOf(planId, PLAN_ID));
  if (tenantValue < 0 || idValue < 0 || plans.length >= PLAIN || plans.includes(-1)) {
    const text = JSON.stringify({ apiKeyId, tenant, enabled, usagePlanIds });
    return { id: apiKeyId, digest, record: Buffer.concat([Buffer.from([PLAIN]), Buffer.from(text)]) };
  }
  const record = new Uint8Array(PLANS_AT + plans.length * PLAN_ID.bytes);
  record[0] = plans.length | (enabled ? ENABLED : 0);
  writeWhole(record, 1, TENANT.bytes, tenantValue);
  writeWhole(record, ID_AT, ID.bytes, idValue);
  plans.forEach((plan, i) => writeWhole(record, PLANS_AT + i * PLAN_ID.bytes, PLAN_ID.bytes, plan));
  return { id: apiKeyId, digest, record };
}

function unpack(bytes: Uint8Array, at: number): Omit<ApiKeyEntry, 'tenant' | 'valueDigest'> {
  const usagePlanIds: string[] = [];
  const planCount = bytes[at]! & ~ENABLED;
  for (let i = 0; i < planCount; i++) usagePlanIds.push(read(bytes, at + PLANS_AT + i * PLAN_ID.bytes, PLAN_ID));
  return {
    apiKeyId: read(bytes, at + ID_AT, ID),
    enabled: (bytes[at]! & ENABLED) !== 0,
    usagePlanIds,
  };
}

const scratch = Buffer.alloc(DIGEST_BYTES);

const headOf = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

const shardOfHead = (head: number): number => head >>> (32 - SHARD_BITS);

function compareBytes(bytes: Uint8Array, at: number, digest: Uint8Array): number {
  for (let i = 0; i < DIGEST_BYTES; i++) {
    const order = bytes[at + i]! - digest[i]!;
    if (order !== 0) return order;
  }
  return 0;
}

/** FNV-1a. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

const shardOfHash = (hash: number): number => hash >>> (32 - SHARD_BITS);
const tagOfHash = (hash: number): number => hash & 0xffff;
