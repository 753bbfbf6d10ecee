/**
 * Background work of the control plane, on BullMQ: its PostgreSQL backend by default, Redis when there is one. Each job
 * is scheduled once however many workers there are (a scheduler is an upsert by name), runs on one of them, and may run
 * twice without harm.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Store } from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';
import { createPostgresBackend, Queue, Worker, type ConnectionOptions, type Job } from 'bullmq';
import type { MeteringLogger } from './log.js';

export interface MaintenanceOptions {
  /** PostgreSQL; BullMQ keeps its tables in a schema of its own, made at the first start. Needed without `redis`. */
  readonly databaseUrl?: string;
  /** When given, the queue lives there instead. */
  readonly redis?: QueueRedis;
  readonly store: Pick<Store, 'metering' | 'manifest' | 'nodes' | 'leases'>;
  readonly clock: Clock;
  readonly log: MeteringLogger;
  /** Gives nodes the signing keys of the days to come; resolves to how many tenants it concerned. Absent: nobody signs. */
  readonly refreshAccessKeys?: (nowMs: number) => Promise<number>;
  readonly retention?: Partial<Retention>;
  /** Told of every job when it is over; must not throw. Nothing is measured without it. */
  readonly onJob?: (job: FinishedJob) => void;
}

/** One run of a job; a job that failed may run again. */
export interface FinishedJob {
  readonly name: JobName;
  /** Of the queue. */
  readonly id: string;
  readonly startMs: number;
  readonly endMs: number;
  /** What was done; `null` when it failed. */
  readonly done: Readonly<Record<string, number>> | null;
}

export interface QueueRedis {
  /** A new ioredis client whose commands wait for a connection. Called once per queue and worker, closed with them. */
  readonly connect: () => QueueConnection;
  /** Of all keys; in braces, so that a Cluster keeps them in one slot. */
  readonly prefix: string;
}

/** What this needs of the client besides what BullMQ does with it. */
export interface QueueConnection {
  disconnect(): void;
}

export interface Retention {
  /** Metric minutes; hours and days stay. CloudWatch keeps minutes for 15 days. */
  readonly minutesMs: number;
  /** Removed manifest entries and blobs nothing refers to; a node away for longer gets the full manifest. */
  readonly removalsMs: number;
  /** Nodes that were not seen. */
  readonly nodesMs: number;
}

export interface Maintenance {
  /** Runs a job now, besides its schedule; resolves when it is queued. */
  run(name: JobName): Promise<void>;
  /** Waits for running jobs. */
  close(): Promise<void>;
}

export type JobName = 'roll-up-metrics' | 'clean-manifest' | 'forget-nodes' | 'clean-leases' | 'refresh-access-keys';

export const MAINTENANCE_QUEUE = 'gatehouse-maintenance';

/** For running jobs, when Redis may be away. */
const CLOSE_MS = 5_000;
/** A Redis that is there and refuses. */
const RETRY_MS = 2_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const RETENTION: Retention = { minutesMs: 15 * DAY_MS, removalsMs: DAY_MS, nodesMs: DAY_MS };

interface JobSpec {
  readonly everyMs: number;
  /** What was done, for the log. */
  readonly work: (options: MaintenanceOptions, retention: Retention) => Promise<Readonly<Record<string, number>>>;
}

const JOBS: Record<JobName, JobSpec> = {
  'roll-up-metrics': {
    everyMs: 5 * MINUTE_MS,
    work: ({ store, clock }, { minutesMs }) => store.metering.rollUp(clock.nowMs(), minutesMs),
  },
  'clean-manifest': {
    everyMs: HOUR_MS,
    work: ({ store, clock }, { removalsMs }) => store.manifest.clean(clock.nowMs() - removalsMs),
  },
  'forget-nodes': {
    everyMs: HOUR_MS,
    work: async ({ store, clock }, { nodesMs }) => ({ nodes: await store.nodes.forget(clock.nowMs() - nodesMs) }),
  },
  'clean-leases': {
    everyMs: HOUR_MS,
    work: async ({ store }) => ({ quotaPages: await store.leases.clean() }),
  },
  'refresh-access-keys': {
    everyMs: HOUR_MS,
    work: async ({ refreshAccessKeys, clock }) => ({ tenants: (await refreshAccessKeys?.(clock.nowMs())) ?? 0 }),
  },
};
const JOB_NAMES = Object.keys(JOBS) as JobName[];

const isJobName = (name: string): name is JobName => Object.hasOwn(JOBS, name);

/** Starts a worker and sees to the schedules. Rejects when the queue's database cannot be reached; waits for a Redis in the background. */
export async function startMaintenance(options: MaintenanceOptions): Promise<Maintenance> {
  const { log } = options;
  const retention = { ...RETENTION, ...options.retention };
  const { onJob, clock } = options;
  const measured = async (name: JobName, id: string, work: () => ReturnType<JobSpec['work']>) => {
    if (onJob === undefined) return work();
    const startMs = clock.nowMs();
    let done: FinishedJob['done'] = null;
    try {
      return (done = await work());
    } finally {
      onJob({ name, id, startMs, endMs: clock.nowMs(), done });
    }
  };
  const process = async (job: Job): Promise<void> => {
    const { name } = job;
    if (!isJobName(name)) {
      log.warn({ job: name }, 'maintenance job of another software version skipped');
      return;
    }
    const done = await measured(name, job.id ?? '', () => JOBS[name].work(options, retention));
    if (Object.values(done).some((count) => count > 0)) log.info({ job: name, ...done }, 'maintenance done');
  };
  const { queue, worker, disconnect } = connect(options, process);
  queue.on('error', (error) => log.error({ err: error }, 'maintenance queue failed'));
  worker.on('error', (error) => log.error({ err: error }, 'maintenance worker failed'));
  worker.on('failed', (job, error) => log.error({ err: error, job: job?.name }, 'maintenance job failed'));
  const jobOptions = { removeOnComplete: 100, removeOnFail: 100 };
  let isClosed = false;
  const close = async () => {
    isClosed = true;
    const closing = worker.close().then(() => queue.close());
    // Without a Redis both would wait for one.
    await (options.redis === undefined
      ? closing
      : Promise.race([closing.catch(() => undefined), delay(CLOSE_MS, undefined, { ref: false })]));
    disconnect();
  };
  const schedule = async () => {
    await worker.waitUntilReady();
    for (const name of JOB_NAMES) {
      await queue.upsertJobScheduler(name, { every: JOBS[name].everyMs }, { name, opts: jobOptions });
    }
    for (const { key } of await queue.getJobSchedulers()) if (!isJobName(key)) await queue.removeJobScheduler(key);
  };
  if (options.redis !== undefined) {
    // A control plane serves without Redis; its jobs begin when there is one, and it takes writes.
    void untilDone(
      schedule,
      () => isClosed,
      (cause) => log.error({ err: cause }, 'maintenance could not be scheduled'),
    );
  } else {
    try {
      await schedule();
    } catch (cause) {
      await close().catch(() => undefined);
      throw cause;
    }
  }
  return {
    run: async (name) => {
      await queue.add(name, {}, jobOptions);
    },
    close,
  };
}

async function untilDone(work: () => Promise<void>, isOver: () => boolean, onFailure: (cause: unknown) => void): Promise<void> {
  while (!isOver()) {
    try {
      return await work();
    } catch (cause) {
      if (!isOver()) onFailure(cause);
    }
    await delay(RETRY_MS, undefined, { ref: false });
  }
}

function connect({ databaseUrl, redis }: MaintenanceOptions, process: (job: Job) => Promise<void>) {
  if (redis !== undefined) {
    // BullMQ leaves clients it was given open.
    const clients = [redis.connect(), redis.connect()] as const;
    const [queueClient, workerClient] = clients as readonly ConnectionOptions[];
    const { prefix } = redis;
    return {
      queue: new Queue(MAINTENANCE_QUEUE, { connection: queueClient!, prefix }),
      worker: new Worker(MAINTENANCE_QUEUE, process, { connection: workerClient!, prefix }),
      disconnect: () => clients.forEach((client) => client.disconnect()),
    };
  }
  if (databaseUrl === undefined) throw new TypeError('the maintenance queue needs a database or a Redis');
  const connection = { connectionString: databaseUrl, schema: 'bullmq', migrate: true, max: 4 };
  return {
    queue: new Queue(MAINTENANCE_QUEUE, { connection }, createPostgresBackend),
    worker: new Worker(MAINTENANCE_QUEUE, process, { connection }, createPostgresBackend),
    disconnect: () => {},
  };
}
