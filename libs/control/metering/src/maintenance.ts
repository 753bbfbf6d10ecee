/**
 * Background work of the control plane, on BullMQ: its PostgreSQL backend by default, Redis when there is one. Each job
 * is scheduled once however many workers there are (a scheduler is an upsert by name), runs on one of them, and may run
 * twice without harm.
 */
import type { Store } from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';
import { createPostgresBackend, Queue, Worker, type Job, type RedisOptions } from 'bullmq';
import type { MeteringLogger } from './log.js';

export interface MaintenanceOptions {
  /** PostgreSQL; BullMQ keeps its tables in a schema of its own, made at the first start. */
  readonly databaseUrl: string;
  /** When given, the queue lives there instead. */
  readonly redisUrl?: string;
  readonly store: Pick<Store, 'metering' | 'manifest' | 'nodes'>;
  readonly clock: Clock;
  readonly log: MeteringLogger;
  readonly retention?: Partial<Retention>;
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

export type JobName = 'roll-up-metrics' | 'clean-manifest' | 'forget-nodes';

export const MAINTENANCE_QUEUE = 'gatehouse-maintenance';

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
};
const JOB_NAMES = Object.keys(JOBS) as JobName[];

const isJobName = (name: string): name is JobName => Object.hasOwn(JOBS, name);

/** Starts a worker and sees to the schedules. Rejects when the queue's database cannot be reached. */
export async function startMaintenance(options: MaintenanceOptions): Promise<Maintenance> {
  const { log } = options;
  const retention = { ...RETENTION, ...options.retention };
  const process = async (job: Job): Promise<void> => {
    if (!isJobName(job.name)) {
      log.warn({ job: job.name }, 'maintenance job of another software version skipped');
      return;
    }
    const done = await JOBS[job.name].work(options, retention);
    if (Object.values(done).some((count) => count > 0)) log.info({ job: job.name, ...done }, 'maintenance done');
  };
  const { queue, worker } = connect(options, process);
  queue.on('error', (error) => log.error({ err: error }, 'maintenance queue failed'));
  worker.on('error', (error) => log.error({ err: error }, 'maintenance worker failed'));
  worker.on('failed', (job, error) => log.error({ err: error, job: job?.name }, 'maintenance job failed'));
  const jobOptions = { removeOnComplete: 100, removeOnFail: 100 };
  const close = async () => {
    await worker.close();
    await queue.close();
  };
  try {
    await worker.waitUntilReady();
    for (const name of JOB_NAMES) {
      await queue.upsertJobScheduler(name, { every: JOBS[name].everyMs }, { name, opts: jobOptions });
    }
    for (const { key } of await queue.getJobSchedulers()) if (!isJobName(key)) await queue.removeJobScheduler(key);
  } catch (cause) {
    await close().catch(() => undefined);
    throw cause;
  }
  return {
    run: async (name) => {
      await queue.add(name, {}, jobOptions);
    },
    close,
  };
}

function connect({ databaseUrl, redisUrl }: MaintenanceOptions, process: (job: Job) => Promise<void>) {
  if (redisUrl !== undefined) {
    const connection: RedisOptions & { url: string } = { url: redisUrl, maxRetriesPerRequest: null };
    return {
      queue: new Queue(MAINTENANCE_QUEUE, { connection }),
      worker: new Worker(MAINTENANCE_QUEUE, process, { connection }),
    };
  }
  const connection = { connectionString: databaseUrl, schema: 'bullmq', migrate: true, max: 4 };
  return {
    queue: new Queue(MAINTENANCE_QUEUE, { connection }, createPostgresBackend),
    worker: new Worker(MAINTENANCE_QUEUE, process, { connection }, createPostgresBackend),
  };
}
