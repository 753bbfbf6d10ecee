const SHARD_COUNT = 512;

/**
 * An immutable map: `with` makes a changed copy that shares all shards without a change. A node with 100,000 stages
 * copies a few hundred entries per published change, not all.
 */
export class PersistentMap<V> {
  private constructor(
    private readonly shards: readonly (ReadonlyMap<string, V> | undefined)[],
    readonly size: number,
  ) {}

  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>(
      Array.from({ length: SHARD_COUNT }, () => undefined),
      0,
    );
  }

  get(key: string): V | null {
    return this.shards[shardOf(key)]?.get(key) ?? null;
  }

  *values(): Generator<V> {
    for (const shard of this.shards) if (shard !== undefined) yield* shard.values();
  }

  /** `null` removes. Later edits of one key win. Without edits it is the same map: most changes are of one kind of eight. */
  with(edits: Iterable<readonly [key: string, value: V | null]> & { readonly size?: number }): PersistentMap<V> {
    if (edits.size === 0) return this;
    const shards = [...this.shards];
    const copied = new Map<number, Map<string, V>>();
    let size = this.size;
    for (const [key, value] of edits) {
      const index = shardOf(key);
      let shard = copied.get(index);
      if (shard === undefined) copied.set(index, (shards[index] = shard = new Map(shards[index])));
      const before = shard.size;
      if (value === null) shard.delete(key);
      else shard.set(key, value);
      size += shard.size - before;
    }
    return new PersistentMap<V>(shards, size);
  }
}

/** FNV-1a. */
function shardOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % SHARD_COUNT;
}
