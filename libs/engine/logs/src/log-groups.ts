/** The log groups of a process. The same group is the same object for everybody who writes to it, as long as somebody does. */
import type { Connector } from '@gatehouse/engine-exchange';
import { FileSink, type FileLimits } from './file-sink.js';
import { HttpSink } from './http-sink.js';
import { jsonLine, logFile, logGroupName, type LogGroupName } from './log-group-name.js';
import { LogGroup, type LineCounters, type LogSink } from './log-group.js';
import { QueueBudget } from './queue-budget.js';

/** Where lines go that have no URL of their own. */
export type LogPlace =
  | { readonly kind: 'FOLDER'; readonly folder: string; readonly limits: FileLimits }
  /** E.g. the standard output; takes whole lines, and does not wait either. */
  | { readonly kind: 'LINES'; write(line: string): void }
  | { readonly kind: 'NOWHERE' };

export interface LogGroupsOptions {
  readonly place: LogPlace;
  /** For groups with a URL: obeys the rules for a tenant's backends. */
  readonly http: Connector;
  readonly counters: LineCounters;
  readonly onFileFailure: (file: string, cause: unknown) => void;
  /** Of all groups; a tenant has at most a quarter of it. */
  readonly waitingCharsMax?: number;
}

export interface LogGroupOptions {
  readonly tenant: string;
  readonly arn: string;
  /** `null`: the node's place. */
  readonly url: string | null;
  /** In a file, lines begin with their time. */
  readonly isStamped: boolean;
}

export class LogGroups {
  private readonly groups = new Map<string, WeakRef<LogGroup>>();
  private readonly budget: QueueBudget;
  private readonly gone = new FinalizationRegistry<string>((key) => {
    if (this.groups.get(key)?.deref() === undefined) this.groups.delete(key);
  });

  constructor(private readonly options: LogGroupsOptions) {
    this.budget = new QueueBudget(options.waitingCharsMax ?? 32 * 1024 * 1024);
  }

  /** `null` where its lines would go nowhere: then nobody need make them. */
  group(of: LogGroupOptions): LogGroup | null {
    const name = logGroupName(of.arn);
    const sink = this.sinkFor(of, name);
    if (sink === null) return null;
    const key = JSON.stringify([of.tenant, name.region, name.name, of.url]);
    const present = this.groups.get(key)?.deref();
    if (present !== undefined) return present;
    const group = new LogGroup(of.tenant, sink, this.budget, this.options.counters);
    this.groups.set(key, new WeakRef(group));
    this.gone.register(group, key);
    return group;
  }

  get waitingChars(): number {
    return this.budget.taken;
  }

  /** What waits, handed over; a sink that fails now has failed. */
  async flush(): Promise<void> {
    await Promise.all([...this.groups.values()].map((group) => group.deref()?.flush()));
  }

  private sinkFor({ tenant, url, isStamped }: LogGroupOptions, name: LogGroupName): LogSink | null {
    const { place, http, onFileFailure } = this.options;
    if (url !== null) return new HttpSink(http, tenant, name, url);
    if (place.kind === 'FOLDER') return new FileSink(logFile(place.folder, tenant, name), place.limits, onFileFailure, isStamped);
    if (place.kind === 'NOWHERE') return null;
    return {
      append: (events) => {
        for (const event of events) place.write(jsonLine(name, event));
        return Promise.resolve('TAKEN');
      },
    };
  }
}
