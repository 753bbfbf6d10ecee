/**
 * The node's end of the control stream: keeps the manifest and its blobs on disk, hands changes to `apply`, and works
 * without a control plane from what it has.
 *
 *   stream ─> manifest ─> fetch missing blobs ─> apply ─> manifest.json ─> NACK refused entries, ACK the revision
 *   disk ───> manifest ─────────────────────────> apply                     (at start, before any connection)
 *
 * Three forms of an entry are told apart: `desired` (as published), `served` (what `apply` took over) and `refusals`
 * (desired, but not taken over: the served form, if any, stays until the desired one changes).
 */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  grpcService,
  HelloSchema,
  NodeLink,
  NodeMessageSchema,
  NodeRole,
  QuotaRequestSchema,
  ReportBatchSchema,
  type ControlMessage,
  type Manifest,
  type NodeMessage,
  type ReportBatch,
  type ReportReceipt,
} from '@gatehouse/contracts';
import type { Clock, Secret } from '@gatehouse/kernel';
import { Client, credentials, Metadata, type ClientDuplexStream } from '@grpc/grpc-js';
import { BlobFetcher, StreamEnded } from './blob-fetcher.js';
import { DiskStore } from './disk-store.js';
import {
  entryFromWire,
  entryKey,
  kindToWire,
  sameEntry,
  type EntryName,
  type LinkEntry,
  type ManifestChange,
  type Refusal,
} from './manifest.js';
import { PersistentStream, type BackOff, type StreamSettings } from './persistent-stream.js';
import type { QuotaGrant, QuotaRequest } from './quota.js';
import { ReportStream } from './report-stream.js';

/** Pino's shape. */
export interface LinkLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The blob's bytes, checked; `null` when they cannot be had now. May be kept and called at any later time. */
export type GetBlob = (digest: string) => Promise<Uint8Array | null>;

export interface ControlLinkOptions {
  /** `host:port` of the control plane's gRPC listener. */
  readonly address: string;
  readonly token: Secret;
  readonly role: 'DATA_PLANE' | 'FUNCTION_RUNNER';
  /** The process's own folder; two processes must not share one. */
  readonly dataDir: string;
  /** Snapshot formats this node can link. */
  readonly snapshotFormats: readonly number[];
  readonly softwareVersion: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Where the node's own admin port answers. */
  readonly adminUrl?: string;
  /**
   * Takes the change over and names the entries it could not, which keep their last good form. Called for one change
   * at a time, first at `open` with what is on disk. A throw refuses all of the change's entries.
   */
  readonly apply: (change: ManifestChange, getBlob: GetBlob) => Promise<readonly Refusal[]> | readonly Refusal[];
  readonly onQuotaGrant?: (grant: QuotaGrant) => void;
  /**
   * The control plane answered on a new stream. What the epoch holds of quotas is to be repeated here, with
   * `requestQuota`: the ACK that follows tells the control plane that it has heard of everything.
   */
  readonly onConnected?: () => void;
  readonly onDisconnected?: () => void;
  readonly clock: Clock;
  readonly log: LinkLog;
  readonly silenceMs?: number;
  readonly backOff?: BackOff;
  /** In [0, 1); spreads the reconnects of many nodes. */
  readonly random?: () => number;
}

/** A report under the name it was first sent with, which may be of an earlier epoch. */
export type Report = Omit<MessageInitShape<typeof ReportBatchSchema>, '$typeName' | 'nodeId' | 'epoch' | 'sequence'> & {
  readonly epoch: number;
  readonly sequence: number;
};

export interface LinkStatus {
  readonly connected: boolean;
  /** A whole manifest was taken over, from disk or from the control plane. */
  readonly complete: boolean;
  readonly revision: number;
  readonly entryCount: number;
  readonly refusedCount: number;
}

const SERVICE = grpcService(NodeLink);
const ROLES = { DATA_PLANE: NodeRole.DATA_PLANE, FUNCTION_RUNNER: NodeRole.FUNCTION_RUNNER } as const;
/** How long a blob that nothing refers to any more stays for requests that are about to link it. */
const UNREFERENCED_BLOB_MS = 60_000;

export class ControlLink {
  private readonly client: Client;
  private readonly session: PersistentStream<NodeMessage, ControlMessage>;
  private readonly reports: ReportStream;
  private readonly blobs: BlobFetcher;

  private desired = new Map<string, LinkEntry>();
  private readonly served = new Map<string, LinkEntry>();
  private readonly refusals = new Map<string, Refusal & { readonly revision: number }>();
  /** Digests whose bytes were absent or damaged when they were needed. */
  private readonly lacking = new Set<string>();
  private readonly unreferencedSinceMs = new Map<string, number>();
  private referencedBefore: ReadonlySet<string> = new Set();
  private revision = 0;
  private isComplete = false;
  /** Counts streams: what came on an earlier one is not taken over any more. */
  private streamNumber = 0;
  /** The control plane has spoken on the present stream. */
  private isAnswered = false;
  /** Until the first manifest of the present stream was taken over. */
  private isFirstManifest = true;
  /** Manifests are taken over one after the other. */
  private work: Promise<void> = Promise.resolve();
  private queuedCount = 0;
  private closed = false;

  private constructor(
    private readonly options: ControlLinkOptions,
    private readonly store: DiskStore,
    readonly nodeId: string,
    readonly epoch: number,
  ) {
    this.client = new Client(options.address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.min_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 2_000,
    });
    const settings: StreamSettings = {
      backOff: options.backOff ?? { minMs: 100, maxMs: 5_000 },
      silenceMs: options.silenceMs ?? 30_000,
      random: options.random ?? Math.random,
    };
    this.blobs = new BlobFetcher(
      store,
      (digests) => this.send({ case: 'blobRequest', value: { digests } }),
      () => this.session.restart('blobs that were asked for do not come'),
      settings.silenceMs,
    );
    this.session = new PersistentStream(
      () => this.call<NodeMessage, ControlMessage>('session'),
      {
        opened: () => this.opened(),
        received: (message) => this.received(message),
        closed: (reason) => {
          options.log.warn({ reason, node: nodeId }, 'control stream closed');
          this.blobs.streamEnded();
          if (this.isAnswered) options.onDisconnected?.();
          this.isAnswered = false;
        },
        isWaiting: () => true, // the control plane owes a heartbeat at any time
      },
      settings,
    );
    this.reports = new ReportStream(
      () => this.call<ReportBatch, ReportReceipt>('report'),
      settings,
      (reason) => options.log.warn({ reason, node: nodeId }, 'report stream closed'),
    );
  }

  /** Takes over what the disk store holds and resolves when that is served; connects to nobody yet. */
  static async open(options: ControlLinkOptions): Promise<ControlLink> {
    const store = await DiskStore.open(options.dataDir);
    const { nodeId, epoch } = await store.nextEpoch(options.clock.nowMs());
    const link = new ControlLink(options, store, nodeId, epoch);
    await link.load();
    return link;
  }

  /** Connects, and stays connected until `close`. */
  connect(): void {
    this.session.start();
    this.reports.start();
  }

  get status(): LinkStatus {
    return {
      connected: this.isAnswered,
      complete: this.isComplete,
      revision: this.revision,
      entryCount: this.desired.size,
      refusedCount: this.refusals.size,
    };
  }

  /** From the disk store; when the bytes are absent or damaged there, from the control plane if it is connected. */
  readonly getBlob: GetBlob = async (digest) => {
    const bytes = await this.store.readBlob(digest);
    if (bytes !== null) return bytes;
    this.lacking.add(digest);
    this.options.log.error({ digest }, 'blob is absent or damaged on disk');
    if (!this.session.isOpen) return null;
    try {
      if (await this.blobs.fetch(digest)) this.lacking.delete(digest);
    } catch (cause) {
      if (!(cause instanceof StreamEnded)) throw cause;
    }
    return this.store.readBlob(digest);
  };

  /** False when nobody is connected; ask again later. The answer, if any, comes through `onQuotaGrant`. */
  requestQuota(request: QuotaRequest): boolean {
    const { usagePlanId, apiKeyId, periodStart, wanted, counted, held, reported } = request;
    return this.send({
      case: 'quotaRequest',
      value: create(QuotaRequestSchema, {
        usagePlanId,
        apiKeyId,
        periodStart,
        wanted: BigInt(wanted),
        counted: BigInt(counted),
        held: BigInt(held),
        reported: BigInt(reported),
      }),
    });
  }

  /**
   * Resolves to true once the control plane applied the batch (now or earlier): it may be forgotten. Resolves to false
   * when the link closes before: report it again, under the same name, after the next start.
   */
  report(report: Report): Promise<boolean> {
    const { epoch, sequence, ...content } = report;
    if (this.closed) return Promise.resolve(false);
    return this.reports.report(
      create(ReportBatchSchema, { ...content, nodeId: this.nodeId, epoch: BigInt(epoch), sequence: BigInt(sequence) }),
    );
  }

  async close(): Promise<void> {
    this.closed = true;
    this.reports.close();
    this.session.close();
    this.client.close();
    await this.work;
  }

  private call<Sent, Received>(method: 'session' | 'report'): ClientDuplexStream<Sent, Received> {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${this.options.token.reveal()}`);
    const { path, requestSerialize, responseDeserialize } = SERVICE[method]!;
    return this.client.makeBidiStreamRequest<Sent, Received>(path, requestSerialize, responseDeserialize, metadata);
  }

  private send(kind: MessageInitShape<typeof NodeMessageSchema>['kind']): boolean {
    return this.session.send(create(NodeMessageSchema, { kind }));
  }

  private opened(): void {
    const { role, snapshotFormats, softwareVersion, labels, adminUrl } = this.options;
    this.streamNumber++;
    this.isFirstManifest = true;
    this.send({
      case: 'hello',
      value: create(HelloSchema, {
        nodeId: this.nodeId,
        epoch: BigInt(this.epoch),
        role: ROLES[role],
        snapshotFormats: [...snapshotFormats],
        manifestRevision: BigInt(this.revision),
        softwareVersion,
        labels: { ...labels },
        adminUrl: adminUrl ?? '',
      }),
    });
  }

  private received({ kind }: ControlMessage): void {
    if (!this.isAnswered) {
      this.isAnswered = true;
      this.options.onConnected?.();
    }
    switch (kind.case) {
      case 'manifest':
        this.enqueue(kind.value);
        return;
      case 'blob':
        void this.blobs.received(kind.value);
        return;
      case 'quotaGrant': {
        const { usagePlanId, apiKeyId, periodStart, allowedTotal, exhausted } = kind.value;
        const grant = { usagePlanId, apiKeyId, periodStart, allowedTotal: Number(allowedTotal), exhausted };
        this.options.onQuotaGrant?.(grant);
        return;
      }
      case 'heartbeat':
        if (this.queuedCount > 0) return;
        // The revision is that of the newest manifest on this stream; 0 before the first.
        if (Number(kind.value.revision) > (this.isFirstManifest ? 0 : this.revision))
          this.session.restart('a manifest is missing');
        else if (!this.isFirstManifest) this.acknowledge();
        return;
      default: // of a newer control plane; not for this software
    }
  }

  private enqueue(manifest: Manifest): void {
    const streamNumber = this.streamNumber;
    this.queuedCount++;
    this.work = this.work.then(async () => {
      try {
        if (!this.closed && streamNumber === this.streamNumber) await this.adopt(manifest, streamNumber);
      } catch (cause) {
        if (!(cause instanceof StreamEnded)) {
          this.options.log.error({ err: cause, revision: Number(manifest.revision) }, 'manifest could not be taken over');
          this.session.restart('manifest could not be taken over');
        }
      } finally {
        this.queuedCount--;
      }
    });
  }

  private async adopt(manifest: Manifest, streamNumber: number): Promise<void> {
    const revision = Number(manifest.revision);
    const isFirst = this.isFirstManifest;
    if (!manifest.full && Number(manifest.since) > this.revision) {
      this.session.restart('a manifest delta is missing');
      return;
    }
    // A late or repeated message. Only the first one of a stream may take us back: the control plane knows less than
    // we do only after it was restored from a backup, and then it says everything.
    if (revision < this.revision && !(isFirst && manifest.full)) return;

    await this.moveTo(revision, this.desiredAfter(manifest), isFirst);
    this.isComplete = true;
    if (streamNumber !== this.streamNumber) return; // the next stream began meanwhile and says what we have by itself
    this.isFirstManifest = false;
    for (const refusal of this.refusals.values()) {
      this.send({
        case: 'nack',
        value: { revision: BigInt(refusal.revision), kind: kindToWire(refusal.kind), id: refusal.id, reason: refusal.reason },
      });
    }
    this.acknowledge();
  }

  private acknowledge(): void {
    this.send({ case: 'ack', value: { revision: BigInt(this.revision) } });
  }

  private desiredAfter(manifest: Manifest): Map<string, LinkEntry> {
    const desired = new Map(manifest.full ? [] : this.desired);
    for (const message of manifest.entries) {
      const parsed = entryFromWire(message);
      if (parsed === null) {
        this.options.log.warn({ kind: message.kind, entry: message.id }, 'manifest entry of a kind this software does not know');
        continue;
      }
      if (parsed.entry === null) desired.delete(entryKey(parsed.name));
      else desired.set(entryKey(parsed.name), parsed.entry);
    }
    return desired;
  }

  private async moveTo(revision: number, desired: Map<string, LinkEntry>, isFirst: boolean): Promise<void> {
    const changed: LinkEntry[] = [];
    for (const [key, entry] of desired) {
      if (sameEntry(this.served.get(key), entry)) continue;
      const isKnownRefusal = this.refusals.has(key) && sameEntry(this.desired.get(key), entry);
      if (isKnownRefusal && !(isFirst && entry.digest !== null && this.lacking.has(entry.digest))) continue;
      changed.push(entry);
    }
    const absent = await this.fetchMissing(isFirst ? [...changed, ...desired.values()] : changed);
    if (this.closed) return;

    const removed: EntryName[] = [];
    for (const known of [this.desired, this.served]) {
      for (const [key, { kind, id }] of known) {
        if (desired.has(key)) continue;
        this.refusals.delete(key);
        if (this.served.delete(key)) removed.push({ kind, id });
      }
    }
    this.desired = desired;
    this.revision = revision;
    await this.applyChange(
      changed.filter((entry) => !this.refuseWithoutBlob(entry, absent)),
      removed,
    );
    await this.persist();
  }

  /** Fetches the blobs that are not on disk; returns the digests that could not be had. */
  private async fetchMissing(entries: readonly LinkEntry[]): Promise<ReadonlySet<string>> {
    const missing = new Set<string>();
    for (const { digest, blobBytes } of entries) {
      if (digest === null || missing.has(digest)) continue;
      if (this.lacking.has(digest) || !(await this.store.hasBlob(digest, blobBytes))) missing.add(digest);
    }
    const absent = new Set<string>();
    await Promise.all(
      [...missing].map(async (digest) => {
        if (await this.blobs.fetch(digest)) this.lacking.delete(digest);
        else {
          this.lacking.add(digest);
          absent.add(digest);
        }
      }),
    );
    return absent;
  }

  private refuseWithoutBlob(entry: LinkEntry, absent: ReadonlySet<string>): boolean {
    if (entry.digest === null || !absent.has(entry.digest)) return false;
    this.refuse({ ...entry, reason: `blob ${entry.digest} is not available` });
    return true;
  }

  private refuse({ kind, id, reason }: Refusal): void {
    const entry = this.desired.get(entryKey({ kind, id }));
    if (entry === undefined) return;
    this.refusals.set(entryKey(entry), { kind, id, reason, revision: entry.revision });
    this.options.log.error({ kind, entry: id, revision: entry.revision, reason }, 'manifest entry refused');
  }

  private async applyChange(entries: readonly LinkEntry[], removed: readonly EntryName[]): Promise<void> {
    if (entries.length === 0 && removed.length === 0) return;
    let refused: readonly Refusal[];
    try {
      refused = await this.options.apply({ revision: this.revision, entries, removed }, this.getBlob);
    } catch (cause) {
      this.options.log.error({ err: cause, revision: this.revision }, 'applying a manifest failed');
      refused = entries.map(({ kind, id }) => ({ kind, id, reason: `internal error: ${(cause as Error).message}` }));
    }
    const refusedKeys = new Set(refused.map(entryKey));
    for (const entry of entries) {
      const key = entryKey(entry);
      if (refusedKeys.has(key)) continue;
      this.served.set(key, entry);
      if (sameEntry(this.desired.get(key), entry)) this.refusals.delete(key);
    }
    for (const refusal of refused) this.refuse(refusal);
  }

  private async persist(): Promise<void> {
    const lastGood = [...this.served]
      .filter(([key, entry]) => !sameEntry(this.desired.get(key), entry))
      .map(([, entry]) => entry);
    try {
      await this.store.writeManifest({ revision: this.revision, entries: [...this.desired.values()], lastGood });
      await this.removeUnreferencedBlobs();
    } catch (cause) {
      // Served from memory all the same; a restart starts from the manifest before and asks for the difference.
      this.options.log.error({ err: cause, revision: this.revision }, 'manifest could not be written to disk');
    }
  }

  private referencedDigests(): Set<string> {
    const digests = new Set<string>();
    for (const entries of [this.desired, this.served]) {
      for (const { digest } of entries.values()) if (digest !== null) digests.add(digest);
    }
    return digests;
  }

  private async removeUnreferencedBlobs(): Promise<void> {
    const referenced = this.referencedDigests();
    const nowMs = this.options.clock.nowMs();
    for (const [digest, sinceMs] of this.unreferencedSinceMs) {
      if (referenced.has(digest)) this.unreferencedSinceMs.delete(digest);
      else if (nowMs - sinceMs >= UNREFERENCED_BLOB_MS) {
        this.unreferencedSinceMs.delete(digest);
        await this.store.removeBlob(digest);
      }
    }
    for (const digest of this.referencedBefore) {
      if (!referenced.has(digest)) {
        this.unreferencedSinceMs.set(digest, nowMs);
        this.lacking.delete(digest);
      }
    }
    this.referencedBefore = referenced;
  }

  private async load(): Promise<void> {
    const stored = await this.store.readManifest();
    if (stored === null) return;
    this.revision = stored.revision;
    this.isComplete = true;
    const lastGood = new Map(stored.lastGood.map((entry) => [entryKey(entry), entry]));
    for (const entry of stored.entries) this.desired.set(entryKey(entry), entry);

    const present: LinkEntry[] = [];
    for (const entry of stored.entries) {
      if (entry.digest === null || (await this.store.hasBlob(entry.digest, entry.blobBytes))) present.push(entry);
      else {
        this.lacking.add(entry.digest);
        this.refuse({ ...entry, reason: `blob ${entry.digest} is not on disk` });
      }
    }
    await this.applyChange(present, []);
    // New software may take over what the old one refused; where it does not, the last good form is served again.
    const fallBack = [...this.refusals.keys()].map((key) => lastGood.get(key)).filter((entry) => entry !== undefined);
    await this.applyChange(fallBack, []);

    this.referencedBefore = this.referencedDigests();
    await this.store.removeBlobsExcept(this.referencedBefore);
    this.options.log.info(
      { node: this.nodeId, revision: this.revision, entries: this.desired.size },
      'serving from the disk store',
    );
  }
}
