/**
 * The half of a node that answers requests: World, limits, connectors, listeners, access log. What it is told and what it
 * counts comes from and goes to the other half (control stream, disk store, reports), in this process or in the supervisor.
 */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Writable } from 'node:stream';
import type {
  ExplainQuestion,
  ExplainReply,
  GetBlob,
  ManifestChange,
  Refusal,
  TestInvokeAnswer,
  TestInvokeRequest,
} from '@gatehouse/engine-control-link';
import { clientCertificateEntryId } from '@gatehouse/contracts';
import type { BucketRegistry, QuotaLedger, RateLeases, UsageJournal } from '@gatehouse/engine-limits';
import { WorldKeeper } from '@gatehouse/engine-link';
import { LogGroups, StageLogs } from '@gatehouse/engine-logs';
import { RequestMemory } from '@gatehouse/engine-explain';
import type { RedisResponses } from '@gatehouse/engine-shared-responses';
import { TestRuns } from '@gatehouse/engine-test-invoke';
import { AccessLog, RequestRecorder, TracingRecorder } from '@gatehouse/engine-record';
import { steadyClock, type Clock } from '@gatehouse/kernel';
import type { MetricsRegistry, Tracing } from '@gatehouse/telemetry';
import type { Logger } from 'pino';
import type { Config } from './config.js';
import { closeConnectors, openConnectors, type Connectors } from './connectors.js';
import { openResponseCache, type OpenResponseCache } from './response-cache.js';
import { openListeners, type Listeners } from './listeners.js';
import { logPlace } from './log-place.js';
import { addressTest } from './vpc-endpoints.js';
import { WorldCertificates } from './world-certificates.js';

/** In traces and pushed metrics; the variable OTEL_SERVICE_NAME replaces it. */
export const SERVICE_NAME = 'gatehouse-data-plane';
/** Token buckets kept; see BucketRegistry for what happens beyond. */
export const BUCKETS_MAX = 200_000;
/** For requests under way when the node stops: the integration timeout of those whose quota is AWS's. Longer ones, and streams, are cut. */
export const DRAIN_MS = 30_000;
/** Shares of throttles are renewed, and leases that rest given back, this often. */
export const LEASE_TICK_MS = 1_000;
/** For leases given back at the end to leave; one that does not is free after the next start. */
export const LAST_WORDS_MS = 50;
/** For the last reports' receipts. */
export const LAST_REPORT_MS = 3_000;
/** For log lines that still wait. */
const LAST_LINES_MS = 3_000;

export interface ServingOptions {
  readonly config: Config;
  readonly adminPort: number;
  readonly sharesPort: boolean;
  /** Of a worker; its files are its own. */
  readonly slot?: number;
  readonly quotas: Pick<QuotaLedger, 'left' | 'spend' | 'whenAnswered'>;
  readonly rates: RateLeases;
  readonly buckets: Pick<BucketRegistry, 'bucket'>;
  readonly metrics: MetricsRegistry;
  /** Of several nodes; absent where nothing is shared. */
  readonly sharedResponses?: RedisResponses | null;
  /** `null` on a node that does not trace. */
  readonly tracing: Tracing | null;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Serving {
  private readonly connectors: Connectors;
  private readonly keeper: WorldKeeper;
  private readonly logGroups: LogGroups;
  private readonly worldCertificates: WorldCertificates;
  private readonly testRuns: TestRuns;
  /** `null` on a node that keeps no responses. */
  private readonly responses: OpenResponseCache | null;
  /** Programs are linked before the journal is open, and first run when the listeners are. */
  private journal: UsageJournal | null = null;
  private accessLog: AccessLog | null = null;
  /** `null` on a node that was told to remember nothing. */
  private readonly memory: RequestMemory | null;
  private listeners: Listeners | null = null;

  constructor(private readonly options: ServingOptions) {
    const { config, adminPort, quotas, rates, buckets, metrics, clock, log } = options;
    this.memory = memoryOf(config, clock, metrics);
    this.connectors = openConnectors(config, adminPort, log, (tenant, id) =>
      this.keeper.current.clientCertificates.get(clientCertificateEntryId(tenant, id)),
    );
    const { http, insecureHttp, functions } = this.connectors;
    const usage: Pick<UsageJournal, 'count' | 'settle'> = {
      count: (tenant, planId, keyId, nowMs) => this.journal!.countSoon(tenant, planId, keyId, nowMs),
      settle: (countedAtMs) => this.journal!.settle(countedAtMs),
    };
    const limits = { buckets, quotas, rates, usage, clock, steadyClock };
    this.logGroups = new LogGroups({
      place: logPlace(config, options.slot ?? null),
      http,
      counters: {
        delivered: metrics.counter('gatehouse_logs_delivered_lines_total', 'Lines of log groups that were taken by their sinks'),
        dropped: metrics.counter('gatehouse_logs_dropped_lines_total', 'Lines of log groups thrown away: sink too slow, or gone'),
      },
      onFileFailure: (file, cause) => log.warn({ file, reason: (cause as Error).message }, 'log group could not be written'),
    });
    metrics.gauge(
      'gatehouse_logs_waiting_characters',
      'Of lines of log groups that wait for their sinks',
      () => this.logGroups.waitingChars,
    );
    const logs = new StageLogs(this.logGroups, clock, config.explainRedact);
    this.responses = openResponseCache(config, metrics, options.sharedResponses ?? null);
    this.keeper = new WorldKeeper({
      bindings: {
        http,
        insecureHttp,
        functions,
        ...(config.vpcEndpoints.length > 0 && { vpcEndpoints: addressTest(config.vpcEndpoints) }),
        limits,
        metrics,
        logs,
        ...(this.responses !== null && { responses: this.responses.cache }),
      },
      onRefusal: (stage, reason) => log.error({ ...stage, reason }, 'stage could not be linked'),
      onRefusedRoute: (stage, route, reason) =>
        log.warn({ ...stage, route, reason }, 'route answers 500: it could not be linked'),
      onDomainNames: () => this.worldCertificates.onChange?.(),
    });
    const world = () => this.keeper.current;
    this.testRuns = new TestRuns({
      bindings: { http, insecureHttp, functions, limits },
      world,
      clock,
      onBug: (bug) => log.error({ err: bug }, 'bug in a test run of a draft'),
    });
    this.worldCertificates = new WorldCertificates(this.keeper, `.${config.baseDomain.toLowerCase()}`);
    metrics.gauge('gatehouse_node_linked_stages', 'Stages whose programs are in memory', () => this.keeper.linkedCount, {
      isPerProcess: true,
    });
  }

  adopt(change: ManifestChange, getBlob: GetBlob): Promise<readonly Refusal[]> {
    return this.keeper.adopt(change, getBlob);
  }

  /** Beside what is served; a caller of the node has no way here. */
  testInvoke(request: TestInvokeRequest): Promise<TestInvokeAnswer> {
    return this.testRuns.run(request);
  }

  /** What this process remembers of a request. */
  explain({ tenant, requestId }: ExplainQuestion): ExplainReply {
    const { explainMinutes: keepMinutes, explainSampleEvery: sampleEvery } = this.options.config;
    return { explanation: this.memory?.explain(tenant, requestId) ?? null, keepMinutes, sampleEvery };
  }

  /** Takes requests from here on and counts them in `journal`; returns the port. Rejects when it is in use. */
  async open(journal: UsageJournal, port: number): Promise<number> {
    const { config, sharesPort, metrics, tracing, clock, log } = this.options;
    for (const problem of journal.problems) log.error({ problem }, 'usage journal');
    this.journal = journal;
    const dropped = metrics.counter(
      'gatehouse_record_dropped_lines_total',
      'Access log lines thrown away because their sink was too slow',
    );
    if (config.accessLog !== 'off') this.accessLog = new AccessLog(await openLog(config.accessLog), { dropped });
    const bugs = metrics.counter('gatehouse_engine_bugs_total', 'Requests that ended in a bug of the node');
    const noteBug = (bug: unknown, doing: string) => {
      bugs.add(1);
      log.error({ err: bug, doing }, 'bug');
    };
    const requests = new RequestRecorder({
      clock,
      accessLog: this.accessLog,
      keep: this.memory === null ? null : this.memory.keep,
      onBug: (x) => noteBug(x.faultCause, x.faultDoing),
    });
    const recorder = tracing === null ? requests : new TracingRecorder(requests, tracing);
    const journalKeeper = this.memory === null ? null : this.memory.open;
    const onBug = (bug: unknown) => log.error({ err: bug }, 'a request could not be served');
    const { keeper: worlds, worldCertificates } = this;
    const dependencies = { worlds, worldCertificates, recorder, journalKeeper, clock, metrics, tracing, log, onBug, sharesPort };
    this.listeners = await openListeners({ ...config, port }, dependencies);
    return this.listeners.port;
  }

  get isOpen(): boolean {
    return this.listeners !== null;
  }

  /**
   * Goes on for `lingerMs` with answers that end their connections, so that whoever has not seen yet that the node is not ready loses
   * nothing; then takes no new requests, and resolves when those under way are answered and counted, or cut at the deadline.
   */
  async drain(): Promise<void> {
    this.listeners?.leave();
    await new Promise((resolve) => setTimeout(resolve, this.options.config.lingerMs));
    await this.listeners?.close({ deadlineMs: DRAIN_MS });
  }

  /** After `drain`. */
  async close(): Promise<void> {
    this.responses?.close();
    this.journal?.close();
    await this.accessLog?.flush();
    await Promise.race([this.logGroups.flush(), new Promise((resolve) => setTimeout(resolve, LAST_LINES_MS).unref())]);
    await closeConnectors(this.connectors);
  }
}

function memoryOf(config: Config, clock: Clock, metrics: MetricsRegistry): RequestMemory | null {
  if (config.explainMebibytes === 0) return null;
  const memory = new RequestMemory({
    clock,
    bytesMax: config.explainMebibytes * 1_048_576,
    keepMs: config.explainMinutes * 60_000,
    sampleEvery: config.explainSampleEvery,
    secretNames: config.explainRedact,
  });
  metrics.gauge('gatehouse_explain_bytes', 'Memory that requests are remembered in', () => memory.bytes);
  return memory;
}

/**
 * The file is opened before the first request, so that a path that cannot be written is an error at the start. Several processes
 * append to it whole lines at a time.
 */
async function openLog(file: string): Promise<Writable> {
  if (file === '-') return process.stdout;
  await mkdir(path.dirname(file), { recursive: true });
  const stream = createWriteStream(file, { flags: 'a', mode: 0o600 });
  await once(stream, 'open');
  return stream;
}
