/**
 * The control plane's end of one node's stream.
 *
 *   Hello ─> first manifest (delta if the node's revision is known, else full) ─> deltas as they are published
 *   BlobRequest ─> Blob, one after the other     Nack, Ack ─> node registry
 *   TestInvoke ─> TestInvokeResult     Explain ─> ExplainResult, the two ways in which we ask
 *   QuotaRequest ─> QuotaGrant     RateDemands ─> RateLeases     lease book lost or back ─> LeaseBookState
 *
 * Writers wait while the node does not read, so a slow node costs one message of memory, not a backlog.
 */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  agreedProtocol,
  ControlMessageSchema,
  EntryKind,
  poolOfLabels,
  SNAPSHOT_FORMAT,
  type ControlMessage,
  type ExplainResult,
  type Hello,
  type Nack,
  type NodeMessage,
  type ProtocolRange,
  type QuotaGrantSchema,
  type QuotaRequest,
  type RateDemand,
  type RateLeaseSchema,
} from '@gatehouse/contracts';
import type {
  ManifestEntry,
  ManifestLog,
  NodeRecord,
  NodeRegistry,
  NoTestOutcome,
  TestInvocation,
  TestOutcome,
} from '@gatehouse/domain';
import { SET_DIGEST_BUCKETS, type Clock } from '@gatehouse/kernel';
import { status } from '@grpc/grpc-js';
import type { NodesLog } from './log.js';
import type { AcknowledgementWriter } from './acknowledgement-writer.js';
import type { BlobRelay } from './blob-relay.js';
import { SLICE_ENTRIES, type ManifestFollower, type ManifestView } from './manifest-follower.js';
import { Pushes, type FinishedPush } from './pushes.js';
import { Questions, type NoAnswer } from './questions.js';
import { TestInvocations } from './test-invocations.js';
import { entryToWire, kindFromWire, kindsOf, roleFromWire, sealToWire } from './node-link.wire.js';

/** Of entries that say nothing of it. */
const FIRST_SNAPSHOT_FORMAT = 1;

const rangeText = ({ oldest, newest }: ProtocolRange): string => (oldest === newest ? `${newest}` : `${oldest} to ${newest}`);
const formatsText = ({ snapshotFormats }: Hello): string => snapshotFormats.join(', ') || 'none';

/** Of one node at once. */
const EXPLANATIONS_MAX = 32;
const NODE_ID = /^[A-Za-z0-9._-]{1,64}$/;
/** Blobs one node may have asked for and not received; a node of ours asks for 16. */
const BLOBS_QUEUED_MAX = 1_024;
/** Questions for leases of one node under way at once; the rest is dropped and asked again. */
const LEASE_QUESTIONS_MAX = 256;

/** How often a repair lets changes go first, before it is sent among them all the same. */
const REPAIR_DELAYS_MAX = 20;

export interface NodeName {
  readonly nodeId: string;
  readonly epoch: number;
}

/** Where nodes get what they may spend of quotas and rates; implemented by control/metering. */
export interface Leases {
  /** `null` when the question makes no sense (any more), e.g. for a plan that is gone. */
  answerQuota(node: NodeName, request: QuotaRequest): Promise<MessageInitShape<typeof QuotaGrantSchema> | null>;
  /** Those that can be answered now. */
  answerRates(node: NodeName, demands: readonly RateDemand[]): Promise<MessageInitShape<typeof RateLeaseSchema>[]>;
  /** Everything that earlier epochs of the node counted is in the sums. */
  drained(node: NodeName): Promise<void>;
  readonly state: { readonly fastAvailable: boolean; readonly strictAvailable: boolean };
  /** Calls back when `state` changed. Returns the way to stop. */
  watch(onChange: () => void): () => void;
}

/** One node's stream; grpc-js's server call has it. */
export interface SessionCall {
  readonly writableLength: number;
  on(event: 'error' | 'cancelled' | 'close', listener: () => void): unknown;
  once(event: 'drain', listener: () => void): unknown;
  emit(event: 'error', refusal: { code: status; details: string }): unknown;
  write(message: ControlMessage): boolean;
  end(): unknown;
}

/** Counted since the process started. */
export interface NodeLinkCounts {
  /** A node's manifest was not what it should be. */
  mismatches: number;
  /** Parts of manifests sent because of that. */
  repairs: number;
  /** Whole manifests sent. */
  fullManifests: number;
  /** Nodes turned away because of their version; each comes again and counts again. */
  refusedNodes: number;
}

export interface SessionDependencies {
  readonly manifest: ManifestLog;
  readonly follower: ManifestFollower;
  readonly blobs: BlobRelay;
  /** Public key that nodes check seals with; empty when none are signed. */
  readonly sealKey: Uint8Array;
  readonly counts: NodeLinkCounts;
  readonly nodes: NodeRegistry;
  readonly leases: Leases;
  /** Versions of the node protocol that are spoken here. */
  readonly protocol: ProtocolRange;
  readonly clock: Clock;
  readonly log: NodesLog;
  readonly heartbeatMs: number;
  /** Pause before what failed (e.g. the database was away) is tried again. */
  readonly retryMs: number;
  /** Called when the node said who it is; false ends the session: a newer process of the node is connected. */
  readonly onHello: (session: NodeSession) => boolean;
  /** Told of every change that arrived or did not; `null`: nobody wants to know, and nothing is kept for it. */
  readonly onPush: ((push: FinishedPush) => void) | null;
  /** What the node has from now on; the registry knows a little later. */
  readonly onAcknowledged: (session: NodeSession, revision: number, atMs: number) => void;
  readonly acknowledgements: Pick<AcknowledgementWriter, 'add' | 'leave'>;
  readonly onEnded: (session: NodeSession) => void;
}

export type ControlMessageKind = NonNullable<MessageInitShape<typeof ControlMessageSchema>['kind']>;

export class NodeSession {
  nodeId = '';
  epoch = 0;
  role: NodeRecord['role'] = 'DATA_PLANE';
  ackedRevision = 0;
  /** What the node refuses now: entry `KIND id` to the refused revision and the reason. Whole after the first ACK. */
  readonly refusals = new Map<string, { revision: number; reason: string }>();
  hasAcknowledged = false;
  /** The newest acknowledgement; the registry is behind it for a moment. */
  private notedRevision = -1;
  /** What the node is sent; `null` before Hello. */
  private view: ManifestView | null = null;
  private manifestRevision = 0;
  private sentRevision: number | null = null;
  private isPushing = false;
  /** Buckets the node asked for and was not sent yet. */
  private bucketsToRepair: number[] = [];
  private repairDelays = 0;
  /** As the node said it; snapshots in other formats are not sent to it. */
  private hello: Hello | null = null;
  private turnedAwayAs: NodeRecord | null = null;
  private protocol = 0;
  /** The node knows of other control planes, so that it is worth waiting until it turns to one. */
  private canMove = false;
  private readonly pushes: Pushes | null;
  private readonly blobQueue: string[] = [];
  private isSendingBlobs = false;
  private leaseQuestionCount = 0;
  private readonly explanations = new Questions<ExplainResult>(EXPLANATIONS_MAX);
  private readonly testInvocations = new TestInvocations((value) => void this.write({ case: 'testInvoke', value }));
  private stopWatchingLeases: () => void = () => {};
  private heartbeat: NodeJS.Timeout | null = null;
  private ended = false;
  private readonly whenEnded = Promise.withResolvers<void>();
  /** Resolves when the session is over and the registry knows. */
  readonly over = this.whenEnded.promise;

  constructor(
    private readonly call: SessionCall,
    /** What the node says, until the stream is over. */
    private readonly messages: AsyncIterable<NodeMessage>,
    private readonly dependencies: SessionDependencies,
  ) {
    const { onPush, clock } = dependencies;
    this.pushes = onPush === null ? null : new Pushes(clock, onPush);
  }

  /** Resolves when the session is over and the registry knows. */
  async run(): Promise<void> {
    this.call.on('error', () => this.end());
    this.call.on('cancelled', () => this.end());
    this.call.on('close', () => this.end());
    try {
      for await (const message of this.messages) {
        if (this.ended) break;
        await this.receive(message);
      }
    } catch (cause) {
      this.failed(cause);
    } finally {
      this.end();
      await this.whenEnded.promise;
    }
  }

  /** The follower knows of more, or of another state. */
  advance(): void {
    if (this.view !== null) void this.push();
  }

  /** Whether it can run this draft, or ask its authorizer. */
  runsDraft({ pool, authorizerId }: TestInvocation): boolean {
    if (this.ended || this.view?.name.pool !== pool) return false;
    return authorizerId === null ? this.hello!.canTestInvoke : this.hello!.canTestAuthorizers;
  }

  get draftCount(): number {
    return this.testInvocations.count;
  }

  testInvoke(invocation: TestInvocation, timeoutMs: number): Promise<TestOutcome | NoTestOutcome> {
    return this.testInvocations.run(invocation, timeoutMs);
  }

  get canExplain(): boolean {
    return !this.ended && this.hello?.canExplain === true;
  }

  explain(tenant: string, requestId: string, timeoutMs: number): Promise<ExplainResult | NoAnswer> {
    return this.explanations.ask((id) => void this.write({ case: 'explain', value: { id, tenant, requestId } }), timeoutMs);
  }

  /** Asks the node to turn to another control plane. False when it knows of none. */
  sendAway(withinMs: number): boolean {
    if (this.view === null || !this.canMove) return false;
    void this.write({ case: 'goaway', value: { withinMs } });
    return true;
  }

  end(refusal?: { code: status; details: string }): void {
    if (this.ended) return;
    this.ended = true;
    if (this.heartbeat !== null) clearInterval(this.heartbeat);
    this.stopWatchingLeases();
    this.testInvocations.end();
    this.explanations.end();
    if (refusal !== undefined) this.call.emit('error', refusal);
    else this.call.end();
    const { log, onEnded } = this.dependencies;
    if (this.nodeId !== '') {
      this.pushes?.abandon(this.nodeId);
      onEnded(this);
    }
    // An acknowledgement under way would say after it that the node is connected.
    this.dependencies.acknowledgements
      .leave(this.nodeId, this.epoch)
      .then(() => this.recordEnd())
      .catch((cause) => log.error({ err: cause, node: this.nodeId }, 'node could not be recorded as disconnected'))
      .finally(() => this.whenEnded.resolve());
  }

  private async recordEnd(): Promise<void> {
    const { nodes, clock } = this.dependencies;
    if (this.turnedAwayAs !== null) await nodes.turnedAway(this.turnedAwayAs);
    else if (this.nodeId !== '') await nodes.disconnected(this.nodeId, this.epoch, clock.nowMs());
  }

  /** Mostly the database, which is away: the node tries again, here or at another control plane. */
  private failed(cause: unknown): void {
    if (this.ended) return;
    this.dependencies.log.error({ err: cause, node: this.nodeId }, 'node session failed');
    this.end({ code: status.UNAVAILABLE, details: 'the control plane cannot serve this node now' });
  }

  private async receive({ kind }: NodeMessage): Promise<void> {
    if (this.nodeId === '') {
      if (kind.case === 'hello') return this.greet(kind.value);
      return this.end({ code: status.FAILED_PRECONDITION, details: 'the first message must be Hello' });
    }
    switch (kind.case) {
      case 'hello':
        return this.end({ code: status.FAILED_PRECONDITION, details: 'Hello was said before' });
      case 'ack':
        return this.acknowledged(Number(kind.value.revision));
      case 'nack':
        return this.refused(kind.value);
      case 'blobRequest':
        this.blobQueue.push(...kind.value.digests);
        if (this.blobQueue.length > BLOBS_QUEUED_MAX) {
          return this.end({ code: status.RESOURCE_EXHAUSTED, details: `more than ${BLOBS_QUEUED_MAX} blobs asked for` });
        }
        void this.sendBlobs();
        return;
      case 'manifestCheck':
        return this.check(Number(kind.value.revision), kind.value.root);
      case 'bucketRequest':
        this.bucketsToRepair = kind.value.buckets.filter((bucket) => bucket < SET_DIGEST_BUCKETS);
        void this.push();
        return;
      case 'quotaRequest':
        void this.answerLease('quota', () => this.answerQuota(kind.value));
        return;
      case 'rateDemands':
        void this.answerLease('rates', () => this.answerRates(kind.value.demands));
        return;
      case 'testInvokeResult':
        return this.testInvocations.answered(kind.value);
      case 'explainResult':
        return this.explanations.settle(kind.value.id, kind.value.failure === '' ? kind.value : 'FAILED');
      case 'journalDrained':
        void this.answerLease('drained', () => this.dependencies.leases.drained(this));
        return;
      default: // of newer software; not for this one
    }
  }

  private async greet(hello: Hello): Promise<void> {
    const { nodes, follower, log, heartbeatMs, leases, onHello } = this.dependencies;
    const role = roleFromWire(hello.role);
    if (role === null || !NODE_ID.test(hello.nodeId)) {
      const details = 'Hello needs a role and a node id of letters, digits, ".", "_", "-"';
      return this.refuse(hello, { code: status.INVALID_ARGUMENT, details });
    }
    const unserved = this.reasonNotToServe(hello, role);
    if (unserved !== null) return this.turnAway(hello, role, unserved);
    this.hello = hello;
    this.nodeId = hello.nodeId;
    this.epoch = Number(hello.epoch);
    this.role = role;
    this.manifestRevision = Number(hello.manifestRevision);
    if (!onHello(this)) {
      return this.end({ code: status.ABORTED, details: 'a newer process of this node is connected' });
    }
    if (role === 'DATA_PLANE') {
      this.stopWatchingLeases = leases.watch(() => this.tellLeaseState());
      this.tellLeaseState();
    }
    log.info({ node: this.nodeId, epoch: this.epoch, role, revision: this.manifestRevision }, 'node connected');

    const kinds = kindsOf(role, hello.entryKinds);
    const lacking = kindsOf(role, []).filter((kind) => !kinds.includes(kind));
    if (lacking.length > 0) {
      const fields = { node: this.nodeId, softwareVersion: hello.softwareVersion, kinds: lacking };
      log.warn(fields, 'node is older than this control plane: it is not sent these kinds of entries');
    }
    const name = { role, kinds, pool: poolOfLabels(hello.labels) };
    this.canMove = hello.canMove;
    void this.write({
      case: 'welcome',
      value: {
        sealKey: this.dependencies.sealKey,
        pool: name.pool,
        entryKinds: name.kinds.map((kind) => EntryKind[kind]),
        protocol: this.protocol,
      },
    });
    await follower.refresh();
    // A revision from before a restore of the database says nothing about today's.
    this.ackedRevision = this.manifestRevision <= follower.revision ? this.manifestRevision : 0;
    await nodes.connected(this.recordOf(hello, role, { connected: true, turnedAway: null }));
    if (this.ended) return;
    this.view = follower.view(name);
    this.heartbeat = setInterval(() => {
      // With bytes still waiting for the node the stream is not idle, and the node hears from us anyway.
      if (this.call.writableLength === 0) this.write({ case: 'heartbeat', value: { revision: BigInt(this.sentRevision ?? 0) } });
    }, heartbeatMs);
    void this.push();
  }

  /** Its questions are not kept waiting while the registry is told. */
  private acknowledged(revision: number): void {
    this.pushes?.acknowledged(this.nodeId, revision, this.refusals.values());
    const { acknowledgements, clock, onAcknowledged } = this.dependencies;
    const atMs = clock.nowMs();
    const isNew = !this.hasAcknowledged || revision > this.ackedRevision;
    if (revision > this.notedRevision) {
      this.notedRevision = revision;
      onAcknowledged(this, revision, atMs);
    }
    acknowledgements.add({
      nodeId: this.nodeId,
      epoch: this.epoch,
      revision: isNew ? revision : null,
      atMs,
      onWritten: () => {
        if (!isNew) return;
        this.hasAcknowledged = true;
        this.ackedRevision = Math.max(revision, this.ackedRevision);
      },
    });
  }

  /** Why a node of another release cannot be served, and who acts; `null` when it can. */
  private reasonNotToServe(hello: Hello, role: NodeRecord['role']): string | null {
    const { protocol: ours } = this.dependencies;
    const theirs = { oldest: hello.oldestProtocol, newest: hello.newestProtocol };
    const agreed = agreedProtocol(ours, theirs);
    if (agreed === null) {
      const who = theirs.newest < ours.oldest ? 'node' : 'control plane';
      return `this control plane speaks the node protocol ${rangeText(ours)}, the node ${rangeText(theirs)}: upgrade the ${who}`;
    }
    this.protocol = agreed;
    if (role !== 'DATA_PLANE' || hello.snapshotFormats.includes(SNAPSHOT_FORMAT)) return null;
    return `this control plane writes snapshot format ${SNAPSHOT_FORMAT}; the node links ${formatsText(hello)}`;
  }

  private recordOf(
    hello: Hello,
    role: NodeRecord['role'],
    { connected, turnedAway }: Pick<NodeRecord, 'connected' | 'turnedAway'>,
  ): NodeRecord {
    const nowMs = this.dependencies.clock.nowMs();
    return {
      nodeId: hello.nodeId,
      role,
      epoch: Number(hello.epoch),
      softwareVersion: hello.softwareVersion,
      labels: { ...hello.labels },
      adminUrl: hello.adminUrl === '' ? null : hello.adminUrl,
      connected,
      lastSeenAtMs: nowMs,
      ackedRevision: this.ackedRevision,
      ackedAtMs: nowMs,
      protocol: this.protocol,
      snapshotFormats: [...hello.snapshotFormats],
      turnedAway,
    };
  }

  /**
   * Whether another release published what this node cannot link. Left out, its callers would meet an API that is not there; so the node
   * is turned away with what it has, and says so.
   */
  private isTooOldFor(entries: readonly ManifestEntry[]): boolean {
    const hello = this.hello!;
    const formatOf = ({ kind, content }: ManifestEntry): number | null =>
      kind === 'STAGE' && content !== null ? (content.snapshotFormat ?? FIRST_SNAPSHOT_FORMAT) : null;
    const odd = entries.find((entry) => {
      const format = formatOf(entry);
      return format !== null && !hello.snapshotFormats.includes(format);
    });
    if (odd === undefined) return false;
    const what = `stage ${odd.id} is published in snapshot format ${formatOf(odd)}; the node links ${formatsText(hello)}`;
    this.turnAway(hello, this.role, `${what}: upgrade the node`);
    return true;
  }

  /** A node that cannot be served by this software. The registry keeps why. */
  private turnAway(hello: Hello, role: NodeRecord['role'], reason: string): void {
    this.turnedAwayAs = this.recordOf(hello, role, { connected: false, turnedAway: reason });
    this.refuse(hello, { code: status.FAILED_PRECONDITION, details: reason });
  }

  private refuse({ nodeId, softwareVersion }: Hello, refusal: { code: status; details: string }): void {
    this.dependencies.counts.refusedNodes++;
    this.dependencies.log.warn({ node: nodeId, softwareVersion, reason: refusal.details }, 'node is turned away');
    this.end(refusal);
  }

  private async refused({ kind, id, revision, reason }: Nack): Promise<void> {
    const { nodes, clock, log } = this.dependencies;
    const kindName = kindFromWire(kind);
    if (kindName === null) return;
    log.warn(
      { node: this.nodeId, kind: kindName, entry: id, revision: Number(revision), reason },
      'node refused a manifest entry',
    );
    this.refusals.set(`${kindName} ${id}`, { revision: Number(revision), reason });
    await nodes.refused({
      nodeId: this.nodeId,
      kind: kindName,
      entryId: id,
      revision: Number(revision),
      reason,
      atMs: clock.nowMs(),
    });
  }

  /** Sends what was published since the last manifest, until the node has been told of everything. */
  private async push(): Promise<void> {
    if (this.isPushing || this.ended) return;
    this.isPushing = true;
    const { follower, log, retryMs } = this.dependencies;
    try {
      while (!this.ended) {
        if (this.sentRevision !== follower.revision) await this.sendManifest();
        else if (this.bucketsToRepair.length > 0) await this.sendBuckets();
        else break;
      }
    } catch (cause) {
      log.error({ err: cause, node: this.nodeId }, 'manifest could not be read');
      setTimeout(() => void this.push(), retryMs).unref();
    } finally {
      this.isPushing = false;
    }
  }

  private async sendManifest(): Promise<void> {
    const { follower } = this.dependencies;
    if (this.sentRevision !== null && this.sentRevision > follower.revision) {
      // Only the first manifest of a stream takes a node back.
      return this.end({ code: status.ABORTED, details: 'the database went back to an earlier state' });
    }
    const since = this.sentRevision ?? this.manifestRevision;
    const isNew = this.sentRevision === null && since === 0;
    const changes = isNew ? null : await follower.changesSince(since, this.view!);
    if (changes === null) return this.sendAll();
    await this.sendEntries(changes, { since: BigInt(since) });
  }

  /** Everything, in slices, so that neither end holds a large manifest as one message. */
  private async sendAll(): Promise<void> {
    const { follower, manifest, counts } = this.dependencies;
    const { kinds } = this.view!.name;
    const toWire = (entries: ManifestEntry[]) => this.view!.select(entries).map(entryToWire);
    counts.fullManifests++;
    const from = follower.revision;
    let part = 0;
    let slice = await manifest.page(kinds, 0, SLICE_ENTRIES);
    for (; slice.length === SLICE_ENTRIES && !this.ended; part++) {
      if (this.isTooOldFor(this.view!.select(slice))) return;
      await this.write({ case: 'manifest', value: { full: true, more: true, part, entries: toWire(slice) } });
      slice = await manifest.page(kinds, slice.at(-1)!.revision, SLICE_ENTRIES);
    }
    // What changed while the slices were read, removals among it.
    const changes = await follower.changesSince(from, this.view!);
    if (changes === null) return; // the database was restored meanwhile: once more from the start
    await this.sendEntries(
      { entries: [...this.view!.select(slice), ...changes.entries], revision: changes.revision },
      { full: true, part },
    );
  }

  /** A node whose entries differ from ours in these buckets gets all that is in them. */
  private async sendBuckets(): Promise<void> {
    const { manifest, counts, follower } = this.dependencies;
    const buckets = this.bucketsToRepair;
    const revision = this.sentRevision!;
    const entries = await manifest.inBuckets(this.view!.name.kinds, buckets);
    // Entries of a later moment than the rest of the node's would show half a change: that change goes first.
    if ((await manifest.head()) !== revision && ++this.repairDelays <= REPAIR_DELAYS_MAX) return follower.refresh();
    this.repairDelays = 0;
    this.bucketsToRepair = [];
    counts.repairs++;
    await this.sendEntries({ entries: this.view!.select(entries), revision }, { since: BigInt(revision), buckets });
  }

  private sendEntries(
    { entries, revision }: { entries: readonly ManifestEntry[]; revision: number },
    fields: { readonly full?: boolean; readonly part?: number; readonly since?: bigint; readonly buckets?: number[] },
  ): Promise<void> {
    if (this.isTooOldFor(entries)) return Promise.resolve();
    this.pushes?.sent(this.sentRevision ?? this.manifestRevision, revision, entries.length, fields.full ?? false);
    this.sentRevision = revision;
    // The node repeats its refusals after every manifest; those of the entries it is sent now are decided anew.
    for (const { kind, id } of entries) this.refusals.delete(`${kind} ${id}`);
    const seal = this.view!.sealAt(revision);
    if (seal === null) this.view!.whenBuilt(this.tellSeal);
    return this.write({
      case: 'manifest',
      value: {
        ...fields,
        revision: BigInt(revision),
        entries: entries.map(entryToWire),
        ...(seal !== null && { seal: sealToWire(seal) }),
      },
    });
  }

  private readonly tellSeal = (): void => {
    const seal = this.sentRevision === null ? null : this.view!.sealAt(this.sentRevision);
    if (seal !== null) void this.write({ case: 'seal', value: sealToWire(seal) });
  };

  /** The node says what it has. While a change is on its way to it, the seal of that change answers. */
  private check(revision: number, root: Uint8Array): void {
    if (this.view === null || revision !== this.sentRevision) return;
    const seal = this.view.sealAt(revision);
    if (seal === null) return;
    if (Buffer.compare(seal.root, root) === 0) {
      void this.write({ case: 'seal', value: sealToWire(seal) });
      return;
    }
    this.dependencies.counts.mismatches++;
    this.dependencies.log.error({ node: this.nodeId, revision }, 'manifest of the node differs from ours; it is repaired');
    void this.write({ case: 'bucketDigests', value: { revision: BigInt(revision), digests: this.view.bucketDigests()! } });
  }

  private async sendBlobs(): Promise<void> {
    if (this.isSendingBlobs) return;
    this.isSendingBlobs = true;
    try {
      for (let digest = this.blobQueue.shift(); digest !== undefined && !this.ended; digest = this.blobQueue.shift()) {
        const bytes = await this.dependencies.blobs.read(digest);
        await this.write({
          case: 'blob',
          value: bytes === null ? { digest, missing: true } : { digest, bytes, zstd: true },
        });
      }
    } catch (cause) {
      this.dependencies.log.error({ err: cause, node: this.nodeId }, 'blob could not be read');
      this.end({ code: status.UNAVAILABLE, details: 'blobs cannot be read now' });
    } finally {
      this.isSendingBlobs = false;
    }
  }

  private tellLeaseState(): void {
    const { fastAvailable, strictAvailable } = this.dependencies.leases.state;
    void this.write({ case: 'leaseBookState', value: { fastAvailable, strictAvailable } });
  }

  private async answerLease(what: string, answer: () => Promise<void>): Promise<void> {
    if (this.leaseQuestionCount >= LEASE_QUESTIONS_MAX) return;
    this.leaseQuestionCount++;
    try {
      await answer();
    } catch (cause) {
      this.dependencies.log.warn({ err: cause, node: this.nodeId, what }, 'question for a lease failed');
    } finally {
      this.leaseQuestionCount--;
    }
  }

  private async answerQuota(request: QuotaRequest): Promise<void> {
    const grant = await this.dependencies.leases.answerQuota(this, request);
    if (grant !== null) await this.write({ case: 'quotaGrant', value: grant });
  }

  private async answerRates(demands: readonly RateDemand[]): Promise<void> {
    const leases = await this.dependencies.leases.answerRates(this, demands);
    if (leases.length > 0) await this.write({ case: 'rateLeases', value: { leases } });
  }

  /** Resolves when the node's buffer has room again, or the session ended. */
  private write(kind: ControlMessageKind): Promise<void> {
    if (this.ended || this.call.write(create(ControlMessageSchema, { kind }))) return Promise.resolve();
    return Promise.race([this.whenEnded.promise, new Promise<void>((resolve) => this.call.once('drain', resolve))]);
  }
}
