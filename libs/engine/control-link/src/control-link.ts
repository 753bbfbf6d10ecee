/**
 * The node's end of the control stream: hears what is published, has it taken over (manifest-keeper.ts), and works without
 * a control plane from what is on its disk.
 *
 *   stream ─> manifest, in parts ─> keeper ─> NACK refused entries, ACK the revision
 *   every 30 s, and when a manifest led elsewhere than its seal says ─> check ─> differing buckets ─> repair
 */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  HelloSchema,
  JournalDrainedSchema,
  NodeMessageSchema,
  NodeRole,
  poolOfLabels,
  PROTOCOL,
  QuotaRequestSchema,
  RateDemandsSchema,
  ReportBatchSchema,
  type BucketDigests,
  type ControlMessage,
  type EntryKind,
  type Manifest,
  type NodeMessage,
  type ProtocolRange,
  type Seal,
  type Explain,
  type ExplainResultSchema,
  type TestInvoke,
  type TestInvokeResultSchema,
  type Welcome,
} from '@gatehouse/contracts';
import type { Clock, Secret } from '@gatehouse/kernel';
import { BlobFetcher, StreamEnded } from './blob-fetcher.js';
import type { StoredSeal } from './change-log.js';
import { ControlPlanes, shuffled } from './control-planes.js';
import { DiskStore } from './disk-store.js';
import { DiskFiles, type Files } from './files.js';
import { ManifestKeeper, type ManifestUpdate } from './manifest-keeper.js';
import {
  entryFromWire,
  entryKey,
  KNOWN_KINDS,
  kindToWire,
  type GetBlob,
  type LinkLog,
  type ManifestChange,
  type Refusal,
} from './manifest.js';
import { PersistentStream, type BackOff, type StreamSettings } from './persistent-stream.js';
import type { LeaseBookState, QuotaGrant, QuotaRequest, RateDemand, RateLease } from './quota.js';
import { ReportStream } from './report-stream.js';
import { readSnapshot, SnapshotRefused, writeSnapshot } from './sibling-snapshot.js';
import { fetchSnapshot, type TakeSnapshot } from './siblings.js';
import type { ExplainQuestion, ExplainReply } from './explain.js';
import type { TestInvokeAnswer, TestInvokeRequest } from './test-invoke.js';
import { grpcTransports, type OpenTransport } from './transport.js';

export interface ControlLinkOptions {
  /** `host:port` of the control plane's gRPC listener; of several ones, separated by commas. */
  readonly address: string;
  readonly token: Secret;
  readonly role: 'DATA_PLANE' | 'FUNCTION_RUNNER';
  /** The process's own folder; two processes must not share one. */
  readonly dataDir: string;
  /** Other processes read blobs there, so what is on the disk counts and none is kept in memory. */
  readonly isDiskShared?: boolean;
  /** Snapshot formats this node can link. */
  readonly snapshotFormats: readonly number[];
  /** Versions of the node protocol that are spoken here; this release's without a word. */
  readonly protocol?: ProtocolRange;
  readonly softwareVersion: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Where the node's own admin port answers. */
  readonly adminUrl?: string;
  /**
   * Takes the change over and names the entries it could not, which keep their last good form. Called for one change
   * at a time, first at `open` with what is on disk, in several changes if there are very many API keys; nothing is to be
   * served before `open` resolves. A throw refuses all of the change's entries.
   */
  readonly apply: (change: ManifestChange, getBlob: GetBlob) => Promise<readonly Refusal[]> | readonly Refusal[];
  readonly onQuotaGrant?: (grant: QuotaGrant) => void;
  readonly onRateLeases?: (leases: readonly RateLease[]) => void;
  /** After every connect, and when it changes. */
  readonly onLeaseBookState?: (state: LeaseBookState) => void;
  /**
   * The control plane answered on a new stream. What the epoch holds of quotas is to be repeated here, with
   * `requestQuota`: the ACK that follows tells the control plane that it has heard of everything.
   */
  readonly onConnected?: () => void;
  readonly onDisconnected?: () => void;
  /** Absent: this process runs no drafts, and is not asked to. A throw is told to the control plane as its message. */
  readonly testInvoke?: (request: TestInvokeRequest) => Promise<TestInvokeAnswer>;
  /** Absent: this process remembers no requests, and is not asked for any. A throw is told as its message. */
  readonly explain?: (question: ExplainQuestion) => Promise<ExplainReply>;
  readonly clock: Clock;
  readonly log: LinkLog;
  readonly silenceMs?: number;
  readonly answerMs?: number;
  readonly checkMs?: number;
  /** Pause before a node that had to go elsewhere looks whether the control plane it prefers is back; doubles when it was not. */
  readonly returnMs?: number;
  /**
   * Changes that follow each other are taken over after a random part of this: nodes that are told at the same moment are not all busy at the
   * same moment. A change after a quiet time is taken over at once.
   */
  readonly spreadMs?: number;
  readonly backOff?: BackOff;
  /** In [0, 1); spreads the reconnects of many nodes, and the nodes over the control planes. */
  readonly random?: () => number;
  /** Admin URLs of other nodes; one gives us its manifest while we have none and no control plane answers. */
  readonly siblings?: readonly string[];
  /** 32 bytes: what a sibling's snapshot is checked with until a control plane has told its key. */
  readonly snapshotKey?: Uint8Array;
  /** How long a control plane is waited for before siblings are asked, and between two rounds of asking. */
  readonly siblingMs?: number;
  readonly openTransport?: OpenTransport;
  readonly files?: Files;
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
  /** Why the control plane that was asked last wants nothing of this node: token, format, id. `null` when none said so. */
  readonly refusal: string | null;
  readonly revision: number;
  readonly entryCount: number;
  readonly refusedCount: number;
  /** How often what the node had was not what the control plane says at that revision. */
  readonly mismatchCount: number;
  /** How often streams moved to another control plane. */
  readonly failoverCount: number;
}

type Changes = Map<string, NonNullable<ReturnType<typeof entryFromWire>>>;

const ROLES = { DATA_PLANE: NodeRole.DATA_PLANE, FUNCTION_RUNNER: NodeRole.FUNCTION_RUNNER } as const;
/** Repairs in a row that did not help; then everything is fetched anew. */
const REPAIRS_IN_A_ROW_MAX = 2;
/** An older snapshot of a sibling is refused. */
const SNAPSHOT_AGE_MS_MAX = 7 * 24 * 3_600_000;
/** A change that comes sooner after the one before follows it. */
const FOLLOWS_MS = 200;
const RETURN_MS_MAX = 10 * 60_000;
const REACHABLE_MS = 2_000;
/** Of grpc-js: what asking again does not help against. */
const REFUSAL = /^\d+ (?:FAILED_PRECONDITION|UNAUTHENTICATED|INVALID_ARGUMENT): (.*)$/s;

export class ControlLink {
  private readonly planes: ControlPlanes;
  private readonly session: PersistentStream<NodeMessage, ControlMessage>;
  private readonly reports: ReportStream;
  private readonly blobs: BlobFetcher;
  private readonly keeper: ManifestKeeper;
  private readonly random: () => number;

  /** Counts streams: what came on an earlier one is not taken over any more. */
  private streamNumber = 0;
  /** The control plane has spoken on the present stream. */
  private isAnswered = false;
  /** Until the first manifest of the present stream was taken over. */
  private isFirstManifest = true;
  /** Of the present stream; empty before it. */
  private pool = '';
  private kinds: readonly EntryKind[] = [];
  private sealKey: Uint8Array | null = null;
  /** What came of a full manifest so far. */
  private parts: { count: number; readonly changes: Changes } | null = null;
  /** Messages about the manifest are taken one after the other. */
  private work: Promise<void> = Promise.resolve();
  private queuedCount = 0;
  private repairsInARow = 0;
  /** When the latest change was taken over. */
  private adoptedMs = -Infinity;
  /** Hello says that we have nothing, so that everything is sent. */
  private asksForAll = false;
  private refusal: string | null = null;
  /** Why we end the present stream: the control plane does not speak as we do. */
  private ownRefusal: string | null = null;
  private mismatchCount = 0;
  private failoverCount = 0;
  private moving: NodeJS.Timeout | null = null;
  private check: NodeJS.Timeout | null = null;
  private asking: NodeJS.Timeout | null = null;
  private returning: NodeJS.Timeout | null = null;
  private failedReturns = 0;
  private closed = false;

  private constructor(
    private readonly options: ControlLinkOptions,
    private readonly store: DiskStore,
    readonly nodeId: string,
    readonly epoch: number,
  ) {
    this.random = options.random ?? Math.random;
    this.planes = new ControlPlanes(
      options.address.split(',').map((address) => address.trim()),
      options.openTransport ?? grpcTransports(options.token),
      this.random,
    );
    const settings: StreamSettings = {
      backOff: options.backOff ?? { minMs: 100, maxMs: 5_000 },
      silenceMs: options.silenceMs ?? 15_000,
      answerMs: options.answerMs ?? 5_000,
      random: this.random,
    };
    this.blobs = new BlobFetcher(
      store,
      (digests) => this.send({ case: 'blobRequest', value: { digests } }),
      () => this.session.restart('blobs that were asked for do not come'),
      settings.silenceMs,
    );
    this.keeper = new ManifestKeeper({
      store,
      apply: options.apply,
      getBlob: (digest) => this.getBlob(digest),
      fetchBlob: (digest) => this.blobs.fetch(digest),
      clock: options.clock,
      log: options.log,
    });
    this.session = new PersistentStream(
      () => this.planes.transport.session(),
      {
        opened: () => this.opened(),
        received: (message) => this.received(message),
        closed: (reason) => this.sessionClosed(reason),
        isWaiting: () => true, // the control plane owes a heartbeat at any time
      },
      settings,
    );
    this.reports = new ReportStream(
      () => this.planes.transport.report(),
      // A first receipt costs the database's time, which may be slow; that nobody is there the session finds out.
      { ...settings, answerMs: settings.silenceMs },
      (reason) => options.log.warn({ reason, node: nodeId }, 'report stream closed'),
    );
  }

  /** Takes over what the disk store holds and resolves when that is served; connects to nobody yet. */
  static async open(options: ControlLinkOptions): Promise<ControlLink> {
    const files = options.files ?? (await DiskFiles.open(options.dataDir));
    const store = await DiskStore.open(files, { keepsFresh: options.isDiskShared !== true });
    const { nodeId, epoch } = await store.nextEpoch(options.clock.nowMs());
    const link = new ControlLink(options, store, nodeId, epoch);
    link.sealKey = await store.readSealKey();
    await link.keeper.load();
    return link;
  }

  /** Connects, and stays connected until `close`. */
  connect(): void {
    this.session.start();
    this.reports.start();
    this.checkLater();
    if (this.planes.count > 1) this.returnLater();
    if (!this.keeper.isComplete && (this.options.siblings ?? []).length > 0) this.askSiblingsLater();
  }

  /** For a sibling; `null` while the present state has no signature of a control plane. */
  readonly snapshot: TakeSnapshot = () => {
    const { seal, entries } = this.keeper;
    if (seal === null || seal.signature === '') return null;
    return { seal, chunks: writeSnapshot(seal, entries, (digest) => this.store.readBlob(digest)) };
  };

  get status(): LinkStatus {
    return {
      connected: this.isAnswered,
      complete: this.keeper.isComplete,
      refusal: this.refusal,
      revision: this.keeper.revision,
      entryCount: this.keeper.entryCount,
      refusedCount: this.keeper.refusals.size,
      mismatchCount: this.mismatchCount,
      failoverCount: this.failoverCount,
    };
  }

  /** From the disk store; when the bytes are absent or damaged there, from the control plane if it is connected. */
  readonly getBlob: GetBlob = async (digest) => {
    const bytes = await this.store.readBlob(digest);
    if (bytes !== null) return bytes;
    this.keeper.blobIsLacking(digest);
    this.options.log.error({ digest }, 'blob is absent or damaged on disk');
    if (!this.session.isOpen) return null;
    try {
      if (await this.blobs.fetch(digest)) this.keeper.blobIsBack(digest);
    } catch (cause) {
      if (!(cause instanceof StreamEnded)) throw cause;
    }
    return this.store.readBlob(digest);
  };

  /** False when nobody is connected; ask again later. The answer, if any, comes through `onQuotaGrant`. */
  requestQuota(request: QuotaRequest): boolean {
    const { usagePlanId, apiKeyId, periodStart, wanted, counted, held, reported, generation, final } = request;
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
        generation: BigInt(generation ?? 0),
        final: final ?? false,
      }),
    });
  }

  /** Like `requestQuota`, for parts of throttles; the answers come through `onRateLeases`. */
  requestRates(demands: readonly RateDemand[]): boolean {
    return this.send({
      case: 'rateDemands',
      value: create(RateDemandsSchema, {
        demands: demands.map((demand) => ({
          ...demand,
          question: BigInt(demand.question),
          wantedTokens: BigInt(demand.wantedTokens),
        })),
      }),
    });
  }

  /** Says that every batch of this node's earlier epochs has its receipt. May be said again. */
  journalDrained(): boolean {
    return this.send({ case: 'journalDrained', value: create(JournalDrainedSchema) });
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
    for (const timer of [this.check, this.asking, this.returning, this.moving]) if (timer !== null) clearTimeout(timer);
    this.reports.close();
    this.session.close();
    this.planes.close();
    this.keeper.close();
    await this.work;
    await this.store.close();
  }

  private send(kind: MessageInitShape<typeof NodeMessageSchema>['kind']): boolean {
    return this.session.send(create(NodeMessageSchema, { kind }));
  }

  private opened(): void {
    const { role, snapshotFormats, softwareVersion, labels, adminUrl, protocol = PROTOCOL } = this.options;
    this.streamNumber++;
    this.isFirstManifest = true;
    this.parts = null;
    this.send({
      case: 'hello',
      value: create(HelloSchema, {
        nodeId: this.nodeId,
        epoch: BigInt(this.epoch),
        role: ROLES[role],
        snapshotFormats: [...snapshotFormats],
        manifestRevision: BigInt(this.asksForAll ? 0 : this.keeper.revision),
        softwareVersion,
        labels: { ...labels },
        adminUrl: adminUrl ?? '',
        entryKinds: [...KNOWN_KINDS],
        canMove: this.planes.count > 1,
        oldestProtocol: protocol.oldest,
        newestProtocol: protocol.newest,
        canTestInvoke: this.options.testInvoke !== undefined,
        canTestAuthorizers: this.options.testInvoke !== undefined,
        canExplain: this.options.explain !== undefined,
      }),
    });
  }

  private sessionClosed(reason: string): void {
    this.options.log.warn({ reason, node: this.nodeId, controlPlane: this.planes.address }, 'control stream closed');
    this.refusal = this.ownRefusal ?? REFUSAL.exec(reason)?.[1] ?? null;
    this.ownRefusal = null;
    this.blobs.streamEnded();
    if (this.isAnswered) this.options.onDisconnected?.();
    this.isAnswered = false;
    if (this.moving !== null) clearTimeout(this.moving);
    this.moving = null;
    if (this.closed || this.planes.count === 1) return;
    if (this.planes.isPreferred) this.failedReturns++;
    this.planes.next();
    this.failoverCount++;
    this.reports.restart('the node turned to another control plane');
  }

  private received({ kind }: ControlMessage): void {
    if (kind.case === 'welcome' && this.isStrange(kind.value)) return;
    if (!this.isAnswered) {
      this.isAnswered = true;
      this.refusal = null;
      this.options.onConnected?.();
    }
    switch (kind.case) {
      case 'welcome':
        this.welcomed(kind.value);
        return;
      case 'manifest':
        this.enqueue((streamNumber) => this.manifest(kind.value, streamNumber));
        return;
      case 'blob':
        void this.blobs.received(kind.value);
        return;
      case 'quotaGrant': {
        const { usagePlanId, apiKeyId, periodStart, allowedTotal, exhausted, generation } = kind.value;
        this.options.onQuotaGrant?.({
          usagePlanId,
          apiKeyId,
          periodStart,
          allowedTotal: Number(allowedTotal),
          exhausted,
          generation: Number(generation),
        });
        return;
      }
      case 'rateLeases':
        this.options.onRateLeases?.(
          kind.value.leases.map(({ bucket, question, share, tokens }) => ({
            bucket,
            question: Number(question),
            share,
            tokens: Number(tokens),
          })),
        );
        return;
      case 'leaseBookState': {
        const { fastAvailable, strictAvailable } = kind.value;
        this.options.onLeaseBookState?.({ fastAvailable, strictAvailable });
        return;
      }
      case 'heartbeat':
        if (this.queuedCount > 0) return;
        // The revision is that of the newest manifest on this stream; 0 before the first.
        if (Number(kind.value.revision) > (this.isFirstManifest ? 0 : this.keeper.revision))
          this.session.restart('a manifest is missing');
        else if (!this.isFirstManifest) this.acknowledge();
        return;
      case 'seal':
        this.enqueue(() => this.sealed(kind.value));
        return;
      case 'bucketDigests':
        this.enqueue(() => this.repair(kind.value));
        return;
      case 'testInvoke':
        void this.testInvoke(kind.value);
        return;
      case 'explain':
        void this.explain(kind.value);
        return;
      case 'goaway':
        this.goElsewhere(kind.value.withinMs);
        return;
      default: // of a newer control plane; not for this software
    }
  }

  private async testInvoke({ id, snapshot, httpMethod, pathWithQuery, headers, body, authorizerId }: TestInvoke): Promise<void> {
    const { streamNumber } = this;
    let value: MessageInitShape<typeof TestInvokeResultSchema>;
    try {
      const answer = await this.options.testInvoke!({ snapshot, httpMethod, pathWithQuery, headers, body, authorizerId });
      value = { id, ...answer, headers: [...answer.headers] };
    } catch (cause) {
      this.options.log.error({ err: cause }, 'a draft could not be run');
      value = { id, failure: (cause as Error).message || 'unknown' };
    }
    if (streamNumber === this.streamNumber) this.send({ case: 'testInvokeResult', value });
  }

  private async explain({ id, tenant, requestId }: Explain): Promise<void> {
    const { streamNumber } = this;
    let value: MessageInitShape<typeof ExplainResultSchema>;
    try {
      const { explanation, ...rest } = await this.options.explain!({ tenant, requestId });
      const bytes = explanation === null ? new Uint8Array() : new TextEncoder().encode(JSON.stringify(explanation));
      value = { id, explanation: bytes, ...rest };
    } catch (cause) {
      this.options.log.error({ err: cause }, 'a request could not be explained');
      value = { id, failure: (cause as Error).message || 'unknown' };
    }
    if (streamNumber === this.streamNumber) this.send({ case: 'explainResult', value });
  }

  private enqueue(take: (streamNumber: number) => Promise<void> | void): void {
    const streamNumber = this.streamNumber;
    this.queuedCount++;
    this.work = this.work.then(async () => {
      try {
        if (!this.closed && streamNumber === this.streamNumber) await take(streamNumber);
      } catch (cause) {
        if (!(cause instanceof StreamEnded)) {
          this.options.log.error({ err: cause }, 'manifest could not be taken over');
          this.session.restart('manifest could not be taken over');
        }
      } finally {
        this.queuedCount--;
      }
    });
  }

  /** An older control plane knows nothing of versions, takes everybody, and speaks one that we may have forgotten. */
  private isStrange({ protocol, softwareVersion }: Welcome): boolean {
    const { oldest, newest } = this.options.protocol ?? PROTOCOL;
    if (protocol >= oldest && protocol <= newest) return false;
    const ours = oldest === newest ? `${newest}` : `${oldest} to ${newest}`;
    this.ownRefusal = `the control plane speaks the node protocol ${protocol}, this node ${ours}: upgrade the control plane`;
    const fields = { node: this.nodeId, controlPlane: this.planes.address, softwareVersion, reason: this.ownRefusal };
    this.options.log.error(fields, 'the control plane is of a release that this node cannot speak with');
    this.session.restart(this.ownRefusal);
    return true;
  }

  private welcomed({ pool, sealKey, entryKinds }: Welcome): void {
    this.pool = pool;
    this.kinds = entryKinds;
    if (sealKey.length === 0 || (this.sealKey !== null && Buffer.compare(this.sealKey, sealKey) === 0)) return;
    this.sealKey = sealKey;
    this.enqueue(() => this.store.writeSealKey(sealKey));
  }

  private async manifest(message: Manifest, streamNumber: number): Promise<void> {
    const update = message.full ? this.wholeOf(message) : this.changeOf(message);
    if (update === null) return;
    // A late or repeated message. Only the first one of a stream may take us back: the control plane knows less than
    // we do only after it was restored from a backup, and then it says everything.
    const { revision } = this.keeper;
    if (update.revision < revision && !(this.isFirstManifest && message.full)) return;

    await this.spread();
    if (this.closed || streamNumber !== this.streamNumber) return;
    await this.keeper.adopt(update, this.isFirstManifest);
    this.adoptedMs = this.options.clock.nowMs();
    if (streamNumber !== this.streamNumber) return; // the next stream began meanwhile and says what we have by itself
    this.isFirstManifest = false;
    if (message.full) this.asksForAll = false;
    for (const { kind, id, revision: refused, reason } of this.keeper.refusals.values()) {
      this.send({ case: 'nack', value: { revision: BigInt(refused), kind: kindToWire(kind), id, reason } });
    }
    this.acknowledge();
    if (update.seal !== null) this.compare(update.seal);
  }

  private async spread(): Promise<void> {
    const { spreadMs = 0, clock } = this.options;
    const isFollowing = Math.abs(clock.nowMs() - this.adoptedMs) < FOLLOWS_MS;
    if (spreadMs > 0 && isFollowing && !this.isFirstManifest)
      await new Promise((resolve) => setTimeout(resolve, spreadMs * this.random()));
  }

  /** `null` until the last part is here. */
  private wholeOf(message: Manifest): ManifestUpdate | null {
    if (message.part === 0) this.parts = { count: 0, changes: new Map() };
    if (this.parts !== null && message.part === this.parts.count - 1) return null; // repeated
    if (this.parts === null || message.part !== this.parts.count) {
      this.session.restart('a part of the manifest is missing');
      return null;
    }
    const { changes } = this.parts;
    this.parts.count++;
    this.readEntries(message, changes);
    if (message.more) return null;
    this.parts = null;
    return { revision: Number(message.revision), changes, replaces: 'everything', seal: this.storedSeal(message.seal) };
  }

  private changeOf(message: Manifest): ManifestUpdate | null {
    const since = Number(message.since);
    const isRepair = message.buckets.length > 0;
    if (since > this.keeper.revision || (isRepair && Number(message.revision) !== this.keeper.revision)) {
      // A repair that crossed with a change is asked for again by the next check; a hole in the changes is not closed so.
      if (!isRepair || since > this.keeper.revision) this.session.restart('a manifest delta is missing');
      return null;
    }
    const changes: Changes = new Map();
    this.readEntries(message, changes);
    return {
      revision: Number(message.revision),
      changes,
      replaces: isRepair ? new Set(message.buckets) : 'nothing',
      seal: this.storedSeal(message.seal),
    };
  }

  private readEntries(message: Manifest, changes: Changes): void {
    for (const entry of message.entries) {
      const parsed = entryFromWire(entry);
      if (parsed === null) this.options.log.warn({ kind: entry.kind, entry: entry.id }, 'manifest entry that cannot be read');
      else changes.set(entryKey(parsed.name), parsed);
    }
  }

  private storedSeal(seal: Seal | undefined): StoredSeal | null {
    if (seal === undefined) return null;
    return {
      revision: Number(seal.revision),
      role: ROLES[this.options.role],
      kinds: this.kinds,
      pool: this.pool,
      sealedAtMs: Number(seal.sealedAtMs),
      root: Buffer.from(seal.root).toString('hex'),
      signature: Buffer.from(seal.signature).toString('hex'),
    };
  }

  private acknowledge(): void {
    this.send({ case: 'ack', value: { revision: BigInt(this.keeper.revision) } });
  }

  /** After a manifest: does it lead to the state that the control plane means? */
  private compare(seal: StoredSeal): void {
    if (seal.revision !== this.keeper.revision) return;
    if (this.keeper.seal !== null) this.repairsInARow = 0;
    else this.sendCheck();
  }

  private async sealed(message: Seal): Promise<void> {
    const seal = this.storedSeal(message)!;
    if (await this.keeper.sealedLater(seal)) this.repairsInARow = 0;
    else if (seal.revision === this.keeper.revision) this.sendCheck();
  }

  /** The control plane says that we differ, and where it stands. */
  private repair({ revision, digests }: BucketDigests): void {
    if (Number(revision) !== this.keeper.revision) return; // a change came in between; the next check tells
    const buckets = this.keeper.digest.differingBuckets(digests);
    if (buckets.length === 0) return;
    this.mismatchCount++;
    this.repairsInARow++;
    this.options.log.error(
      { node: this.nodeId, revision: this.keeper.revision, buckets: buckets.length },
      'manifest differs from the control plane; it is repaired',
    );
    if (this.repairsInARow <= REPAIRS_IN_A_ROW_MAX) this.send({ case: 'bucketRequest', value: { buckets } });
    else {
      this.repairsInARow = 0;
      this.asksForAll = true;
      this.session.restart('the manifest could not be repaired in parts');
    }
  }

  private sendCheck(): void {
    this.send({
      case: 'manifestCheck',
      value: { revision: BigInt(this.keeper.revision), root: this.keeper.digest.root() },
    });
  }

  private checkLater(): void {
    const pauseMs = (this.options.checkMs ?? 30_000) * (0.8 + 0.2 * this.random());
    this.check = setTimeout(() => {
      this.enqueue(() => this.keeper.catchUpOnDisk());
      if (this.isAnswered && !this.isFirstManifest && this.queuedCount === 1) {
        if (this.keeper.isRefusingForLackOfBlobs) this.enqueue(() => this.retry());
        else this.sendCheck();
      }
      this.checkLater();
    }, pauseMs);
    this.check.unref();
  }

  /** Blobs that could not be had may be there now: the disk was full, or the control plane had lost them. */
  private async retry(): Promise<void> {
    const { refusals, revision, seal } = this.keeper;
    const before = refusals.size;
    await this.keeper.adopt({ revision, changes: new Map(), replaces: 'nothing', seal }, true);
    // The control plane takes refusals as lasting until the entry changes or a stream begins.
    if (refusals.size < before) this.session.restart('entries that were refused are served now');
  }

  private askSiblingsLater(): void {
    this.asking = setTimeout(() => void this.askSiblings(), this.options.siblingMs ?? 3_000);
  }

  private async askSiblings(): Promise<void> {
    // A control plane that answers is about to send its manifest.
    const siblings = this.isAnswered ? [] : shuffled([...(this.options.siblings ?? [])], this.random);
    for (const url of siblings) {
      if (this.closed || this.keeper.isComplete) return;
      try {
        await this.joinFrom(url);
      } catch (cause) {
        this.options.log.warn({ sibling: url, reason: (cause as Error).message }, 'no manifest from this sibling');
      }
    }
    if (!this.closed && !this.keeper.isComplete) this.askSiblingsLater();
  }

  private async joinFrom(url: string): Promise<void> {
    const { token, role, labels, snapshotKey, clock, log } = this.options;
    const key = this.sealKey ?? snapshotKey;
    if (key === undefined) throw new SnapshotRefused('there is no key to check it with (GATEHOUSE_SNAPSHOT_KEY)');
    const terms = {
      key,
      role: ROLES[role],
      pool: poolOfLabels(labels ?? {}),
      knownKinds: KNOWN_KINDS,
      nowMs: clock.nowMs(),
      ageMsMax: SNAPSHOT_AGE_MS_MAX,
    };
    const { seal, entries } = await readSnapshot(await fetchSnapshot(url, token), terms, (digest, bytes) =>
      this.store.writeBlob(digest, bytes),
    );
    // Among the manifests of a control plane, which may have come meanwhile: then it knows better.
    this.work = this.work.then(async () => {
      if (this.closed || this.keeper.isComplete) return;
      const update = { revision: seal.revision, changes: entries, replaces: 'everything', seal } as const;
      await this.keeper.adopt(update, false, async () => false);
      log.info({ sibling: url, revision: seal.revision, entries: entries.size }, 'joined from a sibling');
    });
    await this.work;
  }

  private goElsewhere(withinMs: number): void {
    if (this.planes.count === 1 || this.moving !== null) return;
    this.moving = setTimeout(() => this.session.restart('the control plane stops'), withinMs * this.random());
  }

  /** Back to the preferred control plane, so that nodes are spread again after one was away. */
  private returnLater(): void {
    const pauseMs = Math.min(RETURN_MS_MAX, (this.options.returnMs ?? 60_000) * 2 ** Math.min(this.failedReturns, 10));
    this.returning = setTimeout(() => void this.returnToPreferred(), pauseMs * (0.5 + this.random() / 2));
    this.returning.unref();
  }

  private async returnToPreferred(): Promise<void> {
    if (this.planes.isPreferred) this.failedReturns = 0;
    else if (await this.planes.isPreferredReachable(REACHABLE_MS)) {
      if (this.closed) return;
      this.options.log.info({ node: this.nodeId }, 'the preferred control plane is back');
      this.planes.beforePreferred();
      this.session.restart('the preferred control plane is back');
    }
    if (!this.closed) this.returnLater();
  }
}
