import { createHash, timingSafeEqual } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import {
  grpcService,
  NodeLink,
  PROTOCOL,
  ReportReceiptSchema,
  type ControlMessage,
  type NodeMessage,
  type ProtocolRange,
  type ReportBatch,
  type ReportReceipt,
} from '@gatehouse/contracts';
import type {
  ManifestLog,
  NodeRecord,
  NodeRegistry,
  NoTestOutcome,
  RolloutWaiter,
  RequestExplainer,
  RequestMemory,
  SilenceReason,
  TenantId,
  TestInvocation,
  TestInvoker,
  TestOutcome,
} from '@gatehouse/domain';
import type { Clock, Secret } from '@gatehouse/kernel';
import { Server, ServerCredentials, status, type Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import { AcknowledgementWriter } from './acknowledgement-writer.js';
import { BlobRelay } from './blob-relay.js';
import { messagesOf } from './call-messages.js';
import type { NodesLog } from './log.js';
import { ManifestFollower } from './manifest-follower.js';
import { NodeSession, type Leases, type NodeLinkCounts, type SessionCall, type SessionDependencies } from './node-session.js';
import type { FinishedPush } from './pushes.js';
import type { SealSigner } from './seal-signer.js';

export interface NodeLinkServerOptions {
  readonly manifest: ManifestLog;
  readonly nodes: NodeRegistry;
  /** The secret that nodes and runners show. */
  readonly token: Secret;
  readonly leases: Leases;
  /** Signs what nodes pass on to each other; `null`: they cannot. */
  readonly signer?: SealSigner | null;
  /** Resolves once the batch is in the sums, now or earlier; rejects when the node is to send it again. */
  readonly applyReport: (batch: ReportBatch) => Promise<void>;
  /** Versions of the node protocol that are spoken here; this release's without a word. */
  readonly protocol?: ProtocolRange;
  readonly clock: Clock;
  readonly log: NodesLog;
  /** Told of every change when the node it was sent to has it, or is gone; must not throw. Nothing is kept without it. */
  readonly onPush?: (push: FinishedPush) => void;
  readonly heartbeatMs?: number;
  /** How often the newest revision is read even though nobody told of a publication. */
  readonly pollMs?: number;
  /** What is published within this time after something else goes to the nodes together. */
  readonly gatherMs?: number;
}

/** Acknowledgements kept per node, newest last, to tell how long a revision took; see `acknowledgedAtMs`. */
const ACKNOWLEDGEMENTS_KEPT = 256;
/** The most that a change waits for others; a fifth of what a deployment may take to be live. */
const GATHER_MS = 50;
/** Over this time the nodes of a control plane that stops turn to others, so that they do not come all at once. */
const MOVE_WITHIN_MS = 1_000;
/** For nodes that take longer, or cannot reach another one. */
const DRAIN_MS = 3_000;
/** A waiter looks at the registry this often for nodes that are connected to other control planes. */
const WAIT_POLL_MS = 250;

/** Ends the streams of nodes and function runners. */
export class NodeLinkServer implements RolloutWaiter, TestInvoker, RequestExplainer {
  private readonly server = new Server({
    'grpc.max_receive_message_length': 64 * 1024 * 1024,
    'grpc.max_send_message_length': -1,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
  });
  private readonly sessions = new Map<string, NodeSession>();
  /** Also those that have not said Hello. */
  private readonly running = new Set<NodeSession>();
  private readonly acknowledgements = new Map<string, { revision: number; atMs: number }[]>();
  private readonly acknowledgementWaiters = new Set<() => void>();
  private readonly heartbeatMs: number;
  private readonly tokenDigest: Buffer;
  private stopSubscription: () => Promise<void> = async () => {};
  private poll: NodeJS.Timeout | null = null;
  /** Runs after a read: what is published meanwhile waits for its end. */
  private gathering: NodeJS.Timeout | null = null;
  private isPublished = false;
  private isStopping = false;
  private readonly follower: ManifestFollower;
  private readonly acknowledged: AcknowledgementWriter;
  private readonly blobs: BlobRelay;
  readonly counts: NodeLinkCounts = { mismatches: 0, repairs: 0, fullManifests: 0, refusedNodes: 0 };

  constructor(private readonly options: NodeLinkServerOptions) {
    this.heartbeatMs = options.heartbeatMs ?? 5_000;
    this.follower = new ManifestFollower({
      manifest: options.manifest,
      signer: options.signer ?? null,
      clock: options.clock,
      log: options.log,
      onAdvanced: () => {
        for (const session of this.sessions.values()) session.advance();
      },
    });
    this.acknowledged = new AcknowledgementWriter(options.nodes, options.log, {
      isAwaited: () => this.acknowledgementWaiters.size > 0,
      onWritten: () => {
        for (const done of this.acknowledgementWaiters) done();
      },
    });
    this.blobs = new BlobRelay(options.manifest);
    this.tokenDigest = digestOf(options.token.reveal());
    this.server.addService(grpcService(NodeLink), {
      session: (call: ServerDuplexStream<NodeMessage, ControlMessage>) => this.session(call),
      report: (call: ServerDuplexStream<ReportBatch, ReportReceipt>) => this.report(call),
    });
  }

  /** Resolves with the port; rejects when it is taken. */
  async listen(host: string, port: number): Promise<number> {
    await this.start();
    return new Promise((resolve, reject) => {
      this.server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
  }

  /** Follows what is published; part of `listen`. */
  async start(): Promise<void> {
    const { manifest, pollMs } = this.options;
    this.stopSubscription = await manifest.subscribe((entries) => {
      this.follower.hear(entries);
      this.published();
    });
    // A notification that was lost is made good for by this.
    this.poll = setInterval(() => void this.follow(() => this.follower.refresh()), pollMs ?? 5_000);
  }

  /** Sends the nodes to other control planes, waits a little until they are there, and ends what is left. They go on serving. */
  async close(): Promise<void> {
    this.isStopping = true;
    const leaving = [...this.sessions.values()].filter((session) => session.sendAway(MOVE_WITHIN_MS));
    const hurry = new AbortController();
    const left = Promise.all(leaving.map((session) => session.over)).then(() => hurry.abort());
    if (leaving.length > 0) await Promise.race([left, delay(DRAIN_MS, hurry.signal)]);
    if (this.poll !== null) clearInterval(this.poll);
    await this.stopSubscription();
    if (this.gathering !== null) clearTimeout(this.gathering);
    for (const session of this.running) session.end({ code: status.UNAVAILABLE, details: 'the control plane stops' });
    await Promise.all([...this.running].map((session) => session.over));
    this.acknowledged.close();
    this.server.forceShutdown();
  }

  /** The live session of a node that is connected to this process. */
  sessionOf(nodeId: string): Pick<NodeSession, 'refusals' | 'hasAcknowledged'> | null {
    return this.sessions.get(nodeId) ?? null;
  }

  /** When the node first acknowledged `revision` or a later one; `null` when this process did not see it. */
  acknowledgedAtMs(nodeId: string, revision: number): number | null {
    const seen = this.acknowledgements.get(nodeId) ?? [];
    // The oldest one kept may be that of a node that had it long before this process started.
    const index = seen.findIndex((acknowledgement) => acknowledgement.revision >= revision);
    return index <= 0 ? null : seen[index]!.atMs;
  }

  async waitUntilLive(revision: number, timeoutMs: number): Promise<{ live: boolean; waitingFor: string[] }> {
    const timeout = AbortSignal.timeout(timeoutMs);
    for (;;) {
      // Before the look, so that an acknowledgement between look and wait is not missed.
      const next = this.nextAcknowledgement();
      const { behind, refusing } = await this.nodesWithout(revision);
      if (behind.length === 0 || timeout.aborted) {
        return { live: behind.length + refusing.length === 0, waitingFor: [...behind, ...refusing] };
      }
      await Promise.race([next, delay(WAIT_POLL_MS, timeout)]);
    }
  }

  /** By the node of the pool that has the fewest under way; those connected to other control planes are not asked. */
  async testInvoke(invocation: TestInvocation, timeoutMs: number): Promise<TestOutcome | NoTestOutcome> {
    const able = [...this.sessions.values()].filter((session) => session.runsDraft(invocation));
    const [idlest] = able.sort((a, b) => a.draftCount - b.draftCount);
    return idlest === undefined ? 'NO_NODE' : idlest.testInvoke(invocation, timeoutMs);
  }

  /**
   * By all nodes that are connected here (`FleetExplainer` asks for those that are not): an API may have been served by another pool an hour ago. Resolves with the first that remembers
   * the request, else when all have said that they do not, or the time is over.
   */
  async explain(tenant: TenantId, requestId: string, timeoutMs: number): Promise<RequestMemory> {
    const silent = new Map<string, SilenceReason>();
    const asked: string[] = [];
    let [keepMinutes, sampleEvery] = [0, 0];
    let found: RequestMemory['found'] = null;
    const hit = Promise.withResolvers<void>();
    const ask = async (session: NodeSession): Promise<void> => {
      const answer = await session.explain(tenant, requestId, timeoutMs);
      if (typeof answer === 'string') return void silent.set(session.nodeId, answer);
      keepMinutes = Math.max(keepMinutes, answer.keepMinutes);
      if (answer.sampleEvery > 0)
        sampleEvery = sampleEvery === 0 ? answer.sampleEvery : Math.min(sampleEvery, answer.sampleEvery);
      if (answer.explanation.length === 0) return;
      found ??= { nodeId: session.nodeId, explanation: JSON.parse(Buffer.from(answer.explanation).toString('utf8')) as unknown };
      hit.resolve();
    };
    const asking = [...this.sessions.values()]
      .filter(({ role }) => role === 'DATA_PLANE')
      .map((session) => {
        if (!session.canExplain) return void silent.set(session.nodeId, 'CANNOT');
        asked.push(session.nodeId);
        return ask(session);
      });
    await Promise.race([hit.promise, Promise.all(asking)]);
    if (found === null) for (const nodeId of await this.nodesElsewhere()) silent.set(nodeId, 'ELSEWHERE');
    const silentNodes = [...silent].map(([nodeId, reason]) => ({ nodeId, reason }));
    return { found, asked, silent: found === null ? silentNodes : [], keepMinutes, sampleEvery };
  }

  private async nodesElsewhere(): Promise<string[]> {
    const nodes = await this.options.nodes.list();
    return nodes
      .filter((node) => node.role === 'DATA_PLANE' && !this.sessions.has(node.nodeId) && this.isConnected(node))
      .map(({ nodeId }) => nodeId);
  }

  /**
   * Connected to any control plane: a row that nobody freshened for three heartbeats is of one that crashed. Of our own we know without
   * a clock, which may have been set to another time since.
   */
  isConnected(node: NodeRecord): boolean {
    if (this.sessions.get(node.nodeId)?.epoch === node.epoch) return true;
    return node.connected && this.options.clock.nowMs() - node.lastSeenAtMs <= 3 * this.heartbeatMs;
  }

  private async nodesWithout(revision: number): Promise<{ behind: string[]; refusing: string[] }> {
    const [nodes, refusals] = await Promise.all([this.options.nodes.list(), this.options.nodes.refusals()]);
    const behind: string[] = [];
    const refusing: string[] = [];
    for (const node of nodes) {
      if (node.role !== 'DATA_PLANE' || !this.isConnected(node)) continue;
      const session = this.sessions.get(node.nodeId);
      const isRefused = session?.hasAcknowledged
        ? [...session.refusals.values()].some((refusal) => refusal.revision === revision)
        : refusals.some((refusal) => refusal.nodeId === node.nodeId && refusal.revision === revision);
      if (isRefused) refusing.push(node.nodeId);
      else if (node.ackedRevision < revision) behind.push(node.nodeId);
    }
    return { behind, refusing };
  }

  private nextAcknowledgement(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.acknowledgementWaiters.delete(done);
        resolve();
      };
      this.acknowledgementWaiters.add(done);
      this.acknowledged.hurry();
    });
  }

  /**
   * The first change goes at once; those that come right behind it share the next one, so that a burst costs every node
   * (a round for its blobs, a write to its disk, an acknowledgement) a few times and not once for each.
   */
  private published(): void {
    this.isPublished = true;
    if (this.gathering !== null) return;
    this.isPublished = false;
    void this.follow(() => this.follower.catchUp());
    this.gathering = setTimeout(() => {
      this.gathering = null;
      if (this.isPublished) this.published();
    }, this.options.gatherMs ?? GATHER_MS);
  }

  private async follow(how: () => Promise<void>): Promise<void> {
    try {
      await how();
    } catch (cause) {
      this.options.log.error({ err: cause }, 'what is published could not be read'); // the next poll tries again
    }
  }

  private session(call: ServerDuplexStream<NodeMessage, ControlMessage>): void {
    if (!this.isAuthorized(call.metadata)) return refuseToken(call);
    if (this.isStopping) return void call.emit('error', { code: status.UNAVAILABLE, details: 'the control plane stops' });
    this.serve(call, messagesOf(call));
  }

  /** Runs the stream of a node that was let in. */
  serve(call: SessionCall, messages: AsyncIterable<NodeMessage>): void {
    const { manifest, nodes, leases, clock, log, pollMs } = this.options;
    const dependencies: SessionDependencies = {
      manifest,
      follower: this.follower,
      blobs: this.blobs,
      sealKey: this.options.signer?.publicKey ?? new Uint8Array(),
      counts: this.counts,
      nodes,
      leases,
      protocol: this.options.protocol ?? PROTOCOL,
      clock,
      log,
      heartbeatMs: this.heartbeatMs,
      retryMs: pollMs ?? 5_000,
      onPush: this.options.onPush ?? null,
      onHello: (session) => this.takeOver(session),
      acknowledgements: this.acknowledged,
      onAcknowledged: (session, revision, atMs) => this.noteAcknowledgement(session, revision, atMs),
      onEnded: (session) => {
        if (this.sessions.get(session.nodeId) === session) this.sessions.delete(session.nodeId);
        log.info({ node: session.nodeId, epoch: session.epoch }, 'node disconnected');
      },
    };
    const session = new NodeSession(call, messages, dependencies);
    this.running.add(session);
    void session.run().finally(() => this.running.delete(session));
  }

  /** A node's newest process wins; its earlier stream may be one whose end nobody noticed. */
  private takeOver(session: NodeSession): boolean {
    const earlier = this.sessions.get(session.nodeId);
    if (earlier !== undefined && earlier.epoch > session.epoch) return false;
    this.sessions.set(session.nodeId, session);
    earlier?.end({ code: status.ABORTED, details: 'the node connected again' });
    return true;
  }

  private noteAcknowledgement(session: NodeSession, revision: number, atMs: number): void {
    const seen = this.acknowledgements.get(session.nodeId) ?? [];
    seen.push({ revision, atMs });
    if (seen.length > ACKNOWLEDGEMENTS_KEPT) seen.shift();
    this.acknowledgements.set(session.nodeId, seen);
  }

  private async report(call: ServerDuplexStream<ReportBatch, ReportReceipt>): Promise<void> {
    if (!this.isAuthorized(call.metadata)) return refuseToken(call);
    call.on('error', () => {}); // the node went away; it sends again what has no receipt
    try {
      for await (const batch of messagesOf<ReportBatch>(call)) {
        if (!(await this.apply(batch, call))) return;
        call.write(create(ReportReceiptSchema, { epoch: batch.epoch, sequence: batch.sequence }));
      }
      call.end();
    } catch (cause) {
      if (!call.cancelled) this.options.log.error({ err: cause }, 'report stream failed');
    }
  }

  /** False when the stream was ended because the batch is to be sent again. */
  private async apply(batch: ReportBatch, call: ServerDuplexStream<ReportBatch, ReportReceipt>): Promise<boolean> {
    try {
      await this.options.applyReport(batch);
      return true;
    } catch (cause) {
      this.options.log.error({ err: cause, node: batch.nodeId, sequence: Number(batch.sequence) }, 'report could not be applied');
      call.emit('error', { code: status.UNAVAILABLE, details: 'reports cannot be applied now' });
      return false;
    }
  }

  private isAuthorized(metadata: Metadata): boolean {
    const [value] = metadata.get('authorization');
    const [, token] = /^Bearer (.+)$/.exec(String(value ?? '')) ?? [];
    return token !== undefined && timingSafeEqual(digestOf(token), this.tokenDigest);
  }
}

function refuseToken(call: ServerDuplexStream<unknown, unknown>): void {
  call.emit('error', { code: status.UNAUTHENTICATED, details: 'the node token is wrong (GATEHOUSE_NODE_TOKEN)' });
}

// Digests have one length, so that comparing them tells nothing about the token's.
const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}
