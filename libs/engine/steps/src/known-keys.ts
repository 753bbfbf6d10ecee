/**
 * Keys that callers sent lately, by their value: hashing a value and looking its digest up costs a microsecond, and callers send
 * theirs with every request.
 *
 * Values of keys are in memory here, and nowhere else on a node beyond a request. So only values of published keys are kept, so
 * that guesses push nobody out and stay nowhere; at most `2 * KEYS_MAX` of them, each for `2 * GENERATION_MS` of the node's serving
 * after its last use. Comparing values instead of digests tells nothing by its duration: a map compares text only where hashes
 * agree, and those are salted per process.
 */
import type { ApiKeyEntry } from '@gatehouse/contracts';
import type { WorldView } from '@gatehouse/engine-exchange';
import { sha256Hex } from '@gatehouse/kernel';

/** Beyond it the less lately used half is forgotten. */
const KEYS_MAX = 4_096;
const GENERATION_MS = 60_000;

class KnownKey {
  /** `key` is of this one of the Worlds that were asked. */
  worldNumber = -1;
  tenant = '';
  key: ApiKeyEntry | null = null;

  constructor(readonly digest: string) {}
}

export class KnownKeys {
  private recent = new Map<string, KnownKey>();
  private older = new Map<string, KnownKey>();
  private rotatedAtMs = 0;
  /** The one asked last. Entries name it by number, so that no older World stays in memory for them. */
  private world: WorldView | null = null;
  private worldNumber = 0;

  get size(): number {
    return this.recent.size + this.older.size;
  }

  /** The key of that value as `world` has it. */
  find(world: WorldView, tenant: string, value: string, nowMs: number): ApiKeyEntry | null {
    if (world !== this.world) {
      this.world = world;
      this.worldNumber++;
    }
    if (this.recent.size >= KEYS_MAX || Math.abs(nowMs - this.rotatedAtMs) >= GENERATION_MS) this.rotate(nowMs);
    const known = this.recent.get(value) ?? this.recall(value);
    if (known !== null && known.worldNumber === this.worldNumber && known.tenant === tenant) return known.key;
    const digest = known === null ? sha256Hex(value) : known.digest;
    const key = world.apiKey(tenant, digest);
    if (key !== null) this.keep(known ?? this.add(value, digest), tenant, key);
    else if (known !== null) this.recent.delete(value);
    return key;
  }

  private add(value: string, digest: string): KnownKey {
    const known = new KnownKey(digest);
    // A copy: the value at hand is a piece of the request's head and would keep all of it in memory.
    this.recent.set(Buffer.from(value, 'utf16le').toString('utf16le'), known);
    return known;
  }

  private keep(known: KnownKey, tenant: string, key: ApiKeyEntry): void {
    known.worldNumber = this.worldNumber;
    known.tenant = tenant;
    known.key = key;
  }

  private recall(value: string): KnownKey | null {
    const known = this.older.get(value);
    if (known === undefined) return null;
    this.older.delete(value);
    this.recent.set(value, known);
    return known;
  }

  private rotate(nowMs: number): void {
    this.older = this.recent;
    this.recent = new Map();
    this.rotatedAtMs = nowMs;
  }
}
