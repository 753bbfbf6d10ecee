/**
 * A node whose requests are served by several processes. The supervisor is the node to everybody else: one control stream, one
 * disk store, one admin port, one reporter. It serves no request itself.
 *
 *   control stream <-> supervisor --changes, leases--------> worker 1..n (fork, one channel each)  <- one port, SO_REUSEPORT
 *                                 <--reports, questions----
 *
 *   start   port is free -> admin port (not ready) -> workers -> world from disk, in every worker -> listeners -> control stream
 *   stop    not ready -> workers drain and report -> control stream closes
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { UsagePlanEntry } from '@gatehouse/contracts';
import {
  serveSnapshots,
  type ControlLink,
  type ExplainQuestion,
  type ExplainReply,
  type GetBlob,
  type LeaseBookState,
  type LinkEntry,
  type ManifestChange,
  type Report,
  type TestInvokeAnswer,
  type TestInvokeRequest,
} from '@gatehouse/engine-control-link';
import {
  BOTH_AVAILABLE,
  QuotaShares,
  RateShares,
  UsageJournal,
  type CountedUsage,
  type PlanQuota,
  type UsageBatch,
} from '@gatehouse/engine-limits';
import { steadyClock, type Clock } from '@gatehouse/kernel';
import { openTelemetry, type OpenedTelemetry } from '@gatehouse/otel';
import { MetricsRegistry, watchProcess } from '@gatehouse/telemetry';
import type { Logger } from 'pino';
import { startAdminServer, type AdminServer } from './admin-server.js';
import type { Config } from './config.js';
import { isDrained, onPort, openLink, refusalDetails, usageFolder, watchNode } from './control-half.js';
import type { DataPlane } from './data-plane.js';
import type { FromWorker } from './ipc.js';
import { ManifestSpread, type Taker } from './manifest-spread.js';
import { NodeMetrics } from './node-metrics.js';
import { Reporter } from './reporter.js';
import { reservePort } from './reserve-port.js';
import { DRAIN_MS, LAST_REPORT_MS, LAST_WORDS_MS, LEASE_TICK_MS, SERVICE_NAME } from './serving.js';
import { TestInvocations } from './test-invocations.js';
import { WorkerExplanations } from './worker-explanations.js';
import { WorkerFolders } from './worker-folders.js';
import { WorkerProcesses, type WorkerProcess } from './worker-processes.js';

/** What a worker may take to end beyond draining and its last report. */
const STOP_GRACE_MS = 1_000;
/** For receipts when the workers are gone: they waited for theirs themselves, so this is about those that were killed. */
const LAST_RECEIPTS_MS = 500;
const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));

export async function startSupervisor(
  config: Config,
  dependencies: { readonly clock: Clock; readonly log: Logger },
): Promise<DataPlane> {
  const port = await onPort('GATEHOUSE_PORT', () => reservePort(config.port, config.bind));
  const supervisor = new Supervisor(config, port, dependencies.clock, dependencies.log);
  try {
    await supervisor.start();
  } catch (cause) {
    supervisor.abandon();
    throw cause;
  }
  return supervisor;
}

/** What is there once the disk store is open. */
interface NodeParts {
  readonly link: ControlLink;
  readonly journal: UsageJournal;
  readonly folders: WorkerFolders;
  readonly reporter: Reporter;
}

class Supervisor implements DataPlane {
  private readonly metrics = new MetricsRegistry();
  private readonly stopWatching = watchProcess(this.metrics);
  private readonly restarts = this.metrics.counter('gatehouse_node_worker_restarts_total', 'Worker processes started again');
  private readonly processes: WorkerProcesses;
  private readonly nodeMetrics = new NodeMetrics(this.metrics, () => this.processes.all());
  private readonly spread: ManifestSpread;
  private readonly quotas: QuotaShares;
  private readonly rates: RateShares;
  private readonly takers = new Map<WorkerProcess, Taker & { readonly process: WorkerProcess }>();
  private readonly planQuotas = new WeakMap<LinkEntry, { readonly quota: PlanQuota | null }>();
  private readonly firstServing = Promise.withResolvers<void>();
  /** Reports on their way. */
  private readonly relaying = new Set<Promise<void>>();
  private readonly testInvocations = new TestInvocations();
  private readonly explanations = new WorkerExplanations();
  private parts: NodeParts | null = null;
  private telemetry: OpenedTelemetry | null = null;
  private admin: AdminServer | null = null;
  private getBlob: GetBlob = () => Promise.resolve(null);
  private leaseTimer: NodeJS.Timeout | null = null;
  private books: LeaseBookState = BOTH_AVAILABLE;
  private isStopping = false;

  constructor(
    private readonly config: Config,
    readonly port: number,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {
    const workerCount = config.workers;
    this.spread = new ManifestSpread({ workerCount, onCurrent: (taker) => this.serveIfReady(taker), log });
    this.quotas = new QuotaShares({
      workerCount,
      quotaOf: (usagePlanId) => this.quotaOf(usagePlanId),
      requestMore: (question) => void this.parts?.link.requestQuota(question),
      answer: (worker, answer) => this.process(worker)?.send({ kind: 'grant', answer }),
      recall: (worker, recall) => this.process(worker)?.send({ kind: 'recall', recall }),
      nowMs: () => clock.nowMs(),
    });
    this.rates = new RateShares({
      request: (questions) => void this.parts?.link.requestRates(questions),
      answer: (worker, answers) => this.process(worker)?.send({ kind: 'rates', answers }),
      nowMs: () => steadyClock.nowMs(),
    });
    this.processes = new WorkerProcesses({
      count: workerCount,
      fork: (slot) => this.fork(slot),
      handlers: {
        joined: (worker) => this.joined(worker),
        said: (worker, message) => this.said(worker, message),
        ended: (worker, isMissed) => this.ended(worker, isMissed),
      },
      log,
    });
    this.firstServing.promise.catch(() => undefined); // `start` awaits it, later than it may fail
  }

  get adminPort(): number {
    return this.admin!.port;
  }

  async start(): Promise<void> {
    const { config, clock, log, metrics } = this;
    // Of this process alone: each worker sends what it counted itself.
    this.telemetry = await openTelemetry({ serviceName: SERVICE_NAME, registry: metrics, environment: process.env });
    this.admin = await onPort('GATEHOUSE_NODE_ADMIN_PORT', () =>
      startAdminServer({
        bind: config.bind,
        port: config.adminPort,
        metrics: () => this.nodeMetrics.text(),
        notReady: () => this.notReady(),
        snapshot: serveSnapshots(() => this.parts?.link.snapshot() ?? null, config.nodeToken, log),
        details: () => ({
          ...refusalDetails(this.parts?.link ?? null),
          workers: { serving: this.processes.servingCount, configured: config.workers },
        }),
      }),
    );
    this.processes.start();
    const opening = openLink(config, this.admin.port, {
      isDiskShared: true,
      apply: (change, getBlob) => {
        this.getBlob = getBlob;
        return this.spread.apply(change);
      },
      onQuotaGrant: (grant) => this.quotas.granted(grant),
      onRateLeases: (leases) => this.rates.granted(leases),
      onLeaseBookState: (state) => this.bookState(state),
      onConnected: () => this.connected(),
      testInvoke: (request) => this.testInvoke(request),
      ...(config.explainMebibytes > 0 && { explain: (question: ExplainQuestion) => this.explain(question) }),
      onDisconnected: () => this.disconnected(),
      clock,
      log,
    });
    const link = await Promise.race([opening, this.firstServing.promise.then(() => opening)]);
    const journal = new UsageJournal(usageFolder(config), link.epoch);
    for (const problem of journal.problems) log.error({ problem }, 'usage journal');
    const folders = new WorkerFolders({ folder: usageFolder(config), journal, log });
    const reporter = new Reporter({ link, journal, quotas: this.quotas, metrics, epoch: link.epoch, clock: steadyClock });
    this.parts = { link, journal, folders, reporter };
    watchNode(metrics, link, journal);
    metrics.gauge('gatehouse_node_workers', 'Worker processes that take requests', () => this.processes.servingCount);
    for (const taker of this.takers.values()) this.serveIfReady(taker);
    await this.firstServing.promise;
    link.connect();
    reporter.start();
    folders.watch((batch) => this.relay(batch, [], () => undefined));
    this.leaseTimer = setInterval(() => {
      this.quotas.tick(clock.nowMs());
      this.rates.tick(steadyClock.nowMs());
      if (isDrained(journal, folders)) link.journalDrained(); // again and again: see data-plane.ts
    }, LEASE_TICK_MS);
  }

  async close(): Promise<void> {
    this.isStopping = true;
    if (this.leaseTimer !== null) clearInterval(this.leaseTimer);
    await this.processes.stop(this.config.lingerMs + DRAIN_MS + LAST_REPORT_MS + STOP_GRACE_MS);
    if (this.parts !== null) {
      const { link, journal, folders, reporter } = this.parts;
      folders.close();
      const reported = Promise.all([...this.relaying, reporter.flush()]);
      // What has no receipt by then stays on disk and is sent by the next start.
      await Promise.race([reported, new Promise((resolve) => setTimeout(resolve, LAST_RECEIPTS_MS).unref())]);
      this.quotas.close();
      if (link.status.connected) await new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS)); // the stream is cancelled, not ended
      await link.close();
      journal.close();
    }
    await this.admin?.close();
    this.stopWatching();
    await this.telemetry?.close();
  }

  abandon(): void {
    this.processes.kill();
  }

  private notReady(): string[] {
    return [
      ...(this.parts?.link.status.complete ? [] : ['manifest']),
      ...(this.processes.servingCount > 0 ? [] : ['worker']),
      ...(this.isStopping ? ['stopping'] : []),
    ];
  }

  private fork(slot: number) {
    const places = [slot, this.config.workers, this.admin!.port].map(String);
    return fork(WORKER, places, { serialization: 'advanced' });
  }

  private process(worker: number): WorkerProcess | undefined {
    return this.processes.all().find((candidate) => candidate.worker === worker);
  }

  private joined(process: WorkerProcess): void {
    const { worker } = process;
    this.quotas.started(worker);
    process.send({ kind: 'connected', isConnected: this.parts?.link.status.connected ?? false });
    process.send({ kind: 'books', state: this.books });
    const taker = {
      worker,
      process,
      sendChange: (id: number, change: ManifestChange) => process.send({ kind: 'change', id, change }),
    };
    this.takers.set(process, taker);
    this.spread.joined(taker);
  }

  /** It serves what the node serves; the epoch is known once the disk store is open. */
  private serveIfReady(current: Taker): void {
    const taker = [...this.takers.values()].find((candidate) => candidate === current);
    if (taker === undefined || this.parts === null || !this.spread.isCurrent(current) || this.isStopping) return;
    const { process } = taker;
    const { link, folders } = this.parts;
    const folder = folders.make(process.worker, process.child.pid!);
    process.send({ kind: 'serve', port: this.port, epoch: link.epoch, folder });
  }

  private said(process: WorkerProcess, message: FromWorker): void {
    switch (message.kind) {
      case 'applied':
        this.spread.applied(this.takers.get(process)!, message.id, message.refusals);
        return;
      case 'serving':
        process.isServing = true;
        this.log.info({ worker: process.slot, pid: process.child.pid }, 'worker serves');
        this.firstServing.resolve();
        return;
      case 'failed':
        // Before anything was ever served this is how the node starts: not at all. Later it is a worker's bad day.
        this.firstServing.reject(new Error(`A worker cannot start: ${message.reason}`));
        return;
      case 'wantBlob':
        void this.getBlob(message.digest).then(
          (bytes) => process.send({ kind: 'blob', digest: message.digest, isOnDisk: bytes !== null }),
          () => process.send({ kind: 'blob', digest: message.digest, isOnDisk: false }),
        );
        return;
      case 'question':
        this.quotas.asked(process.worker, message.question);
        return;
      case 'rateQuestions':
        this.rates.asked(process.worker, message.questions);
        return;
      case 'recalled':
        this.quotas.recalled(process.worker, message.recall, message.left);
        return;
      case 'report':
        this.takeReport(process, message.report);
        return;
      case 'explained':
        this.explanations.answered(message);
        return;
      case 'tested':
        this.testInvocations.answered(message);
        return;
      case 'page':
        this.nodeMetrics.received(process, message.id, message.part);
        return;
      case 'hello': // both are heard by WorkerProcesses alone
      case 'pong':
    }
  }

  private takeReport(process: WorkerProcess, report: Report): void {
    const { folders, journal } = this.parts!;
    const counts = countsOf(report);
    let batch: UsageBatch;
    try {
      batch = (counts.length > 0 ? folders.takeOver(process.worker, report.sequence, counts) : null) ?? journal.rotate();
    } catch (cause) {
      // It stays in the worker's folder, which is emptied when the worker is gone.
      this.log.error({ err: cause, worker: process.slot }, 'usage of a worker cannot be taken over');
      return;
    }
    for (const count of batch.counts) this.quotas.counted(process.worker, count);
    this.relay(batch, report.metrics, () => process.send({ kind: 'receipt', sequence: report.sequence }));
  }

  private relay(batch: UsageBatch, metrics: Report['metrics'], onReceipt: () => void): void {
    const sent = this.parts!.reporter.relay(batch, metrics).then((isReported) => {
      this.relaying.delete(sent);
      if (isReported) onReceipt();
    });
    this.relaying.add(sent);
  }

  private ended(process: WorkerProcess, isMissed: boolean): void {
    if (isMissed) this.restarts.add(1);
    const { worker } = process;
    const taker = this.takers.get(process);
    this.takers.delete(process);
    if (taker !== undefined) this.spread.left(taker);
    this.nodeMetrics.ended(process);
    this.testInvocations.ended(process);
    this.explanations.ended(process);
    this.rates.ended(worker);
    this.quotas.ended(worker);
    const left = this.parts?.folders.ended(worker);
    for (const batch of left?.batches ?? []) {
      for (const count of batch.counts) this.quotas.counted(worker, count);
      this.relay(batch, [], () => undefined);
    }
    // What it counted is not known: what it was lent stays unused until the next process of the node has read it.
    if (left?.isWhole !== false) this.quotas.settled(worker);
  }

  private async testInvoke(request: TestInvokeRequest): Promise<TestInvokeAnswer> {
    const process = this.processes.all().find(({ isServing }) => isServing);
    if (process === undefined) throw new Error('no worker of the node serves');
    return this.testInvocations.run(process, request);
  }

  private explain(question: ExplainQuestion): Promise<ExplainReply> {
    return this.explanations.ask(
      this.processes.all().filter(({ isServing }) => isServing),
      question,
    );
  }

  private connected(): void {
    this.books = BOTH_AVAILABLE; // the session says so when they are not
    this.quotas.connected();
    for (const process of this.processes.all()) process.send({ kind: 'connected', isConnected: true });
    this.spread.retry();
  }

  /** Workers hear of it before what it makes of their leases. */
  private disconnected(): void {
    for (const process of this.processes.all()) process.send({ kind: 'connected', isConnected: false });
    this.quotas.disconnected();
  }

  private bookState(state: LeaseBookState): void {
    this.books = state;
    for (const process of this.processes.all()) process.send({ kind: 'books', state });
    this.quotas.bookState(state);
  }

  private quotaOf(usagePlanId: string): PlanQuota | null {
    const entry = this.spread.entry({ kind: 'USAGE_PLAN', id: usagePlanId });
    if (entry === undefined) return null;
    let known = this.planQuotas.get(entry);
    if (known === undefined) {
      // Workers have read it and found it sound.
      const { quota, limits } = JSON.parse(entry.inline) as UsagePlanEntry;
      known = { quota: quota === null ? null : { ...quota, ...(limits !== undefined && { limits }) } };
      this.planQuotas.set(entry, known);
    }
    return known.quota;
  }
}

const countsOf = ({ usage }: Report): CountedUsage[] =>
  (usage ?? []).map(({ tenant = '', usagePlanId = '', apiKeyId = '', day = '', count = 0n }) => ({
    tenant,
    usagePlanId,
    apiKeyId,
    day,
    count: Number(count),
  }));
