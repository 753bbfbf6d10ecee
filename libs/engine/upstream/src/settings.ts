/** All thresholds of this project, with units. The README's table says why each default is what it is. */
export interface ResolverSettings {
  /** A record's TTL counts as at least this: TTL 0 would mean a lookup per call. */
  readonly ttlMinMs: number;
  readonly ttlMaxMs: number;
  /** For answers without TTL: hosts file, search domains. */
  readonly ttlDefaultMs: number;
  /** Share of the TTL before its end in which a call starts the next lookup without waiting for it. */
  readonly refreshAheadShare: number;
  /** A lookup that takes longer has failed. */
  readonly lookupTimeoutMs: number;
  /** Kept of one answer. */
  readonly addressesMax: number;
  /** Age up to which the last good answer is served while lookups fail. */
  readonly staleMs: number;
  /** Between lookups of a name that has no usable answer; calls fail at once meanwhile. */
  readonly negativeMs: number;
  /** Between lookups while an old answer is served: doubled from min to max. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** Names remembered; the one not looked up for longest is dropped. */
  readonly namesMax: number;
}

export interface EjectionSettings {
  /** Failures in a row after which an address is left out. */
  readonly consecutiveFailuresMax: number;
  /** First time out; doubled with each further one up to max. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** Each time out is shortened by a random part of up to this share, so that nodes do not come back together. */
  readonly jitterShare: number;
  /** At most this share of an origin's addresses (rounded down) is out at once, and never all. */
  readonly shareMax: number;
}

export interface BreakerSettings {
  /** Calls that ended within this time are judged. */
  readonly windowMs: number;
  /** With fewer calls in the window nothing is concluded. */
  readonly volumeMin: number;
  /** Opens when at least this share of them failed. */
  readonly failureShare: number;
  /** Refuses calls for this long, then lets one through. */
  readonly openMs: number;
  /** A probe that has not reported by then is given up, and another call may try. */
  readonly probeTimeoutMs: number;
}

export interface UpstreamSettings {
  readonly resolver: ResolverSettings;
  readonly ejection: EjectionSettings;
  /** `null`: no breaker. */
  readonly breaker: BreakerSettings | null;
  /** Destinations remembered, in all and of one tenant; the least recently used one is dropped. */
  readonly destinationsMax: number;
  readonly destinationsPerTenantMax: number;
}

export interface UpstreamSettingsOverrides {
  readonly resolver?: Partial<ResolverSettings>;
  readonly ejection?: Partial<EjectionSettings>;
  readonly breaker?: Partial<BreakerSettings> | null;
  readonly destinationsMax?: number;
  readonly destinationsPerTenantMax?: number;
}

const RESOLVER: ResolverSettings = {
  ttlMinMs: 1_000,
  ttlMaxMs: 300_000,
  ttlDefaultMs: 30_000,
  refreshAheadShare: 0.2,
  lookupTimeoutMs: 2_000,
  addressesMax: 16,
  staleMs: 3_600_000,
  negativeMs: 2_000,
  retryMinMs: 1_000,
  retryMaxMs: 30_000,
  namesMax: 10_000,
};
const EJECTION: EjectionSettings = {
  consecutiveFailuresMax: 5,
  baseMs: 10_000,
  maxMs: 300_000,
  jitterShare: 0.2,
  shareMax: 0.5,
};
const BREAKER: BreakerSettings = {
  windowMs: 10_000,
  volumeMin: 20,
  failureShare: 0.5,
  openMs: 5_000,
  probeTimeoutMs: 30_000,
};

/** The defaults with what the operator says; throws with all mistakes together. */
export function upstreamSettings(overrides: UpstreamSettingsOverrides = {}): UpstreamSettings {
  const settings: UpstreamSettings = {
    resolver: { ...RESOLVER, ...overrides.resolver },
    ejection: { ...EJECTION, ...overrides.ejection },
    breaker: overrides.breaker === null ? null : { ...BREAKER, ...overrides.breaker },
    destinationsMax: overrides.destinationsMax ?? 10_000,
    destinationsPerTenantMax: overrides.destinationsPerTenantMax ?? 1_000,
  };
  const problems = problemsOf(settings);
  if (problems.length > 0) throw new RangeError(`Invalid upstream settings: ${problems.join('; ')}`);
  return settings;
}

function problemsOf({ resolver, ejection, breaker, ...registry }: UpstreamSettings): string[] {
  const problems: string[] = [];
  const check = (group: string, values: object): void => {
    for (const [name, value] of Object.entries(values) as [string, number][]) {
      const [valid, expected] = rangeOf(name);
      if (!valid(value)) problems.push(`${group}${name}: expected ${expected}, got ${value}`);
    }
  };
  check('resolver.', resolver);
  check('ejection.', ejection);
  if (breaker !== null) check('breaker.', breaker);
  check('', registry);
  if (resolver.ttlMinMs > resolver.ttlMaxMs) problems.push('resolver.ttlMinMs: larger than ttlMaxMs');
  if (resolver.retryMinMs > resolver.retryMaxMs) problems.push('resolver.retryMinMs: larger than retryMaxMs');
  if (ejection.baseMs > ejection.maxMs) problems.push('ejection.baseMs: larger than maxMs');
  return problems;
}

/** The unit is the last word of a name: shares are 0 to 1, durations and counts are positive whole numbers. */
function rangeOf(name: string): [valid: (value: number) => boolean, expected: string] {
  if (name === 'failureShare') return [(value) => value > 0 && value <= 1, 'a share above 0, up to 1'];
  if (/share/i.test(name)) return [(value) => value >= 0 && value <= 1, 'a share from 0 to 1'];
  return [(value) => Number.isInteger(value) && value >= 1, 'a whole number of at least 1'];
}
