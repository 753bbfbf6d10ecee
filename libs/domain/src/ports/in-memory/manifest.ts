import { zstdCompressSync } from 'node:zlib';
import { canonicalJson, SetDigest, sha256Hex, type Clock } from '@gatehouse/kernel';
import type { TenantId } from '../../tenancy/tenant.js';
import { formerPoolsAfter, formerPoolsField, poolsField } from '../../publish/placement.js';
import type { EntryContent, EntryKind, ManifestEntry, Rollout } from '../../publish/publish.js';
import type { BlobRepository, ManifestLog, ManifestRepository, PutMore } from '../store.js';
import type { OpenTables } from './repositories.js';
import { copyOf, keyText } from './rows.js';

interface LoggedEntry extends ManifestEntry {
  readonly changedAtMs: number;
}

/** The manifest over all tenants. One transaction at a time may hold it, so revisions become visible in order. */
export class InMemoryManifestLog implements ManifestLog {
  entries = new Map<string, LoggedEntry>();
  revision = 0;
  readonly blobs = new Map<string, { bytes: Uint8Array; putAtMs: number }>();
  /** Removals up to this revision may be forgotten. */
  #forgottenRevision = 0;
  #holder: Promise<void> = Promise.resolve();
  readonly #subscribers = new Set<(entries: readonly ManifestEntry[] | null) => void>();

  constructor(
    readonly clock: Clock,
    private readonly isCodeInUse: (digest: string) => boolean,
  ) {}

  async head(): Promise<number> {
    return this.revision;
  }

  async since(revision: number, kinds: readonly EntryKind[]): Promise<ManifestEntry[] | null> {
    if (revision < this.#forgottenRevision || revision > this.revision) return null;
    return this.#select((entry) => entry.revision > revision && kinds.includes(entry.kind));
  }

  async all(kinds: readonly EntryKind[]): Promise<ManifestEntry[]> {
    return this.#select((entry) => entry.content !== null && kinds.includes(entry.kind));
  }

  async page(kinds: readonly EntryKind[], after: number, limit: number): Promise<ManifestEntry[]> {
    return (await this.all(kinds)).filter(({ revision }) => revision > after).slice(0, limit);
  }

  async inBuckets(kinds: readonly EntryKind[], buckets: readonly number[]): Promise<ManifestEntry[]> {
    const wanted = new Set(buckets);
    return (await this.all(kinds)).filter(({ kind, id }) => wanted.has(SetDigest.bucketOf(`${kind} ${id}`)));
  }

  async blob(digest: string): Promise<Uint8Array | null> {
    return this.blobs.get(digest)?.bytes.slice() ?? null;
  }

  async compressedBlob(digest: string): Promise<Uint8Array | null> {
    const blob = this.blobs.get(digest);
    return blob === undefined ? null : zstdCompressSync(blob.bytes);
  }

  async subscribe(onPublished: (entries: readonly ManifestEntry[] | null) => void): Promise<() => Promise<void>> {
    const subscriber = (entries: readonly ManifestEntry[] | null) => onPublished(entries);
    this.#subscribers.add(subscriber);
    return async () => void this.#subscribers.delete(subscriber);
  }

  async clean(beforeMs: number): Promise<{ removals: number; blobs: number }> {
    let removals = 0;
    for (const [key, entry] of this.entries) {
      if (entry.content !== null || entry.changedAtMs >= beforeMs) continue;
      this.entries.delete(key);
      this.#forgottenRevision = Math.max(this.#forgottenRevision, entry.revision);
      removals++;
    }
    const published = new Set([...this.entries.values()].map((entry) => entry.content?.digest));
    let blobs = 0;
    for (const [digest, { putAtMs }] of this.blobs) {
      if (putAtMs >= beforeMs || published.has(digest) || this.isCodeInUse(digest)) continue;
      this.blobs.delete(digest);
      blobs++;
    }
    return { removals, blobs };
  }

  /** Waits until no other transaction holds the manifest; call what comes back to let it go. */
  async hold(): Promise<() => void> {
    const before = this.#holder;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#holder = promise;
    await before;
    return resolve;
  }

  notify(entries: readonly LoggedEntry[]): void {
    for (const subscriber of this.#subscribers) queueMicrotask(() => subscriber(entries.map(entryOf)));
  }

  #select(matches: (entry: LoggedEntry) => boolean): ManifestEntry[] {
    return [...this.entries.values()]
      .filter(matches)
      .sort((left, right) => left.revision - right.revision)
      .map(entryOf);
  }
}

function entryOf({ changedAtMs: _, ...entry }: LoggedEntry): ManifestEntry {
  return copyOf(entry);
}

/** The blobs one transaction has written, over those of the log. */
export class InMemoryBlobs implements BlobRepository {
  readonly #staged = new Map<string, Uint8Array>();

  constructor(private readonly log: InMemoryManifestLog) {}

  async put(bytes: Uint8Array): Promise<string> {
    const digest = sha256Hex(bytes);
    this.#staged.set(digest, bytes.slice());
    return digest;
  }

  async get(digest: string): Promise<Uint8Array | null> {
    return this.#staged.get(digest)?.slice() ?? this.log.blob(digest);
  }

  commit(): void {
    for (const [digest, bytes] of this.#staged) this.log.blobs.set(digest, { bytes, putAtMs: this.log.clock.nowMs() });
  }
}

/** One transaction's part of the manifest. */
export class InMemoryManifest implements ManifestRepository {
  readonly #staged = new Map<string, LoggedEntry>();
  #revision = 0;
  #holding: Promise<() => void> | null = null;
  #isOver = false;

  constructor(
    private readonly log: InMemoryManifestLog,
    private readonly tenant: TenantId,
    private readonly tables: OpenTables,
  ) {}

  async put(kind: EntryKind, id: string, content: EntryContent, { rollout }: PutMore = {}): Promise<number> {
    await this.#hold();
    const before = this.#revision;
    const revision = await this.#write(kind, id, copyOf(content));
    if (rollout !== undefined && revision > before) this.#recordRollout({ ...rollout, revision });
    return revision;
  }

  async remove(kind: EntryKind, id: string): Promise<number> {
    return this.#write(kind, id, null);
  }

  async find(kind: EntryKind, id: string): Promise<ManifestEntry | null> {
    const found = this.#read(keyText(this.tenant, kind, id));
    if (found === undefined) return null;
    return entryOf(found);
  }

  async inlines(kind: EntryKind): Promise<string[]> {
    const keys = new Set([...this.log.entries.keys(), ...this.#staged.keys()]);
    const inlines = [...keys]
      .map((key) => this.#read(key)!)
      .filter((entry) => entry.tenant === this.tenant && entry.kind === kind)
      .map(({ content }) => content?.inline ?? '');
    return [...new Set(inlines)].filter((inline) => inline !== '');
  }

  async place(decide: Parameters<ManifestRepository['place']>[0]): Promise<void> {
    await this.#hold();
    const keys = new Set([...this.log.entries.keys(), ...this.#staged.keys()]);
    const live = [...keys]
      .map((key) => this.#read(key)!)
      .filter(({ tenant, content }) => tenant === this.tenant && content !== null);
    for (const [{ kind, id, content }, pools] of decide(live.map(entryOf))) {
      const { digest, blobBytes, inline, snapshotFormat } = content!;
      const format = snapshotFormat === undefined ? {} : { snapshotFormat };
      await this.put(kind, id, { digest, blobBytes, inline, ...format, ...poolsField(pools) });
    }
  }

  #recordRollout(rollout: Rollout): void {
    if (this.tables.restApis.get(keyText(rollout.apiId)) === null) throw new Error(`no REST API ${rollout.apiId} to publish`);
    this.tables.rollouts.set(keyText(rollout.apiId, rollout.deploymentId, rollout.stageName), copyOf(rollout));
  }

  async rolloutsOf(deploymentId: string): Promise<Rollout[]> {
    return this.tables.rollouts
      .where((rollout) => rollout.deploymentId === deploymentId)
      .sort((left, right) => left.revision - right.revision)
      .map(copyOf);
  }

  commit(): void {
    if (this.#staged.size === 0) return;
    for (const [key, entry] of this.#staged) this.log.entries.set(key, entry);
    this.log.revision = this.#revision;
    this.log.notify([...this.#staged.values()].sort((left, right) => left.revision - right.revision));
  }

  /** Lets other transactions publish; to be called however the transaction ended. */
  async release(): Promise<void> {
    this.#isOver = true;
    (await this.#holding)?.();
  }

  #read(key: string): LoggedEntry | undefined {
    return this.#staged.get(key) ?? this.log.entries.get(key);
  }

  async #hold(): Promise<void> {
    if (this.#isOver) throw new Error('the manifest was written after its transaction ended; is an await missing?');
    this.#holding ??= this.log.hold().then((release) => {
      this.#revision = this.log.revision;
      return release;
    });
    await this.#holding;
  }

  async #write(kind: EntryKind, id: string, content: EntryContent | null): Promise<number> {
    await this.#hold();
    const key = keyText(this.tenant, kind, id);
    const present = this.#read(key);
    if (content === null && present === undefined) return this.#revision;
    if (present !== undefined && canonicalJson(present.content) === canonicalJson(content)) return present.revision;
    const revision = ++this.#revision;
    const former = formerPoolsField(formerPoolsAfter(present ?? null, content), content === null);
    this.#staged.set(key, { kind, id, tenant: this.tenant, revision, content, ...former, changedAtMs: this.log.clock.nowMs() });
    return revision;
  }
}
