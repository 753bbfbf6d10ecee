/**
 * Keeps what `GET /admin/v1/requests/{id}` tells. Of every request the small facts (`facts.ts`); what went in and out (`detail.ts`) of all
 * that fail and of one successful request in so many, each within a bound per second, so that neither a flood of faults nor a lucky
 * sample costs the node more than it says.
 */
import type { Explanation } from '@gatehouse/contracts';
import { RequestJournal, type Exchange } from '@gatehouse/engine-exchange';
import { type Clock, SecretNames } from '@gatehouse/kernel';
import { DETAIL_BYTES_MAX, encodeDetail, redactionOf } from './detail.js';
import { Facts } from './facts.js';
import { RequestRing } from './request-ring.js';

export interface ExplainOptions {
  readonly clock: Clock;
  /** Of one process; not used before there are requests. */
  readonly bytesMax: number;
  readonly keepMs: number;
  /** One successful request in so many is recorded whole; 0 for none. */
  readonly sampleEvery: number;
  /** Names of headers, parameters and JSON members that are hidden as well. */
  readonly secretNames: readonly string[];
}

/** Requests recorded whole, per second: of those that fail, and of the sample. */
const FAULTS_PER_SECOND = 50;
const SAMPLES_PER_SECOND = 10;
/** Twice what the largest record has: a page that cannot take it is closed half empty at worst. */
const PAGE_BYTES = 2 * DETAIL_BYTES_MAX;

export class RequestMemory {
  private readonly ring: RequestRing;
  private readonly facts: Facts;
  private readonly names: SecretNames;
  private readonly namesOfStages = new WeakMap<object, SecretNames>();
  private readonly faults: PerSecond;
  private readonly samples: PerSecond;
  private untilSample: number;

  constructor(private readonly options: ExplainOptions) {
    const { clock, bytesMax, keepMs, sampleEvery } = options;
    this.ring = new RequestRing({ pageBytes: PAGE_BYTES, pagesMax: Math.max(1, Math.floor(bytesMax / PAGE_BYTES)), keepMs });
    this.facts = new Facts(this.ring);
    this.names = new SecretNames(options.secretNames);
    this.faults = new PerSecond(FAULTS_PER_SECOND, clock);
    this.samples = new PerSecond(SAMPLES_PER_SECOND, clock);
    this.untilSample = sampleEvery;
  }

  /** Held by the ring now. */
  get bytes(): number {
    return this.ring.bytes;
  }

  /** A JournalKeeper: of the sample alone. */
  readonly open = (x: Exchange): RequestJournal | null => {
    const every = x.stage!.snapshot.explain?.sampleEvery ?? this.options.sampleEvery;
    if (every === 0 || (every > 1 && --this.untilSample > 0)) return null;
    this.untilSample = every;
    return this.samples.take() ? new SampledJournal(this.options.clock) : null;
  };

  /** A RequestRecorder's: at the end of the request. */
  readonly keep = (x: Exchange, latencyMs: number): void => {
    if (x.stage === null) return; // nobody's: nobody could ask
    const isFault = x.fault !== null;
    const isSampled = x.journal !== null && x.journal instanceof SampledJournal;
    const redaction = isFault || isSampled ? redactionOf(x, this.namesOf(x.stage.snapshot)) : null;
    const isWhole = redaction !== null && (isSampled || this.faults.take());
    const detail = isWhole ? encodeDetail(x, isFault ? 'fault' : 'sampled', redaction) : null;
    if (!this.facts.write(x, latencyMs, redaction, detail) && isWhole) this.facts.write(x, latencyMs, redaction, null);
  };

  explain(tenant: string, requestId: string): Explanation | null {
    return this.facts.find(tenant, requestId, this.options.clock.nowMs(), this.options.keepMs);
  }

  private namesOf(stage: { readonly explain?: { readonly secretNames?: readonly string[] } }): SecretNames {
    const own = stage.explain?.secretNames;
    if (own === undefined) return this.names;
    let names = this.namesOfStages.get(stage);
    if (names === undefined) {
      names = new SecretNames([...this.options.secretNames, ...own]);
      this.namesOfStages.set(stage, names);
    }
    return names;
  }
}

/** Ours: others keep journals of other requests, for logs. */
class SampledJournal extends RequestJournal {}

/** At most so many in a second of the clock. */
class PerSecond {
  private second = -1;
  private count = 0;

  constructor(
    private readonly max: number,
    private readonly clock: Clock,
  ) {}

  take(): boolean {
    const second = Math.floor(this.clock.nowMs() / 1_000);
    if (second !== this.second) {
      this.second = second;
      this.count = 0;
    }
    return ++this.count <= this.max;
  }
}
