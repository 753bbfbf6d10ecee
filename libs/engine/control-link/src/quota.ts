/** QuotaRequest of node_link.proto in plain numbers. */
export interface QuotaRequest {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  /** First UTC day of the period, `YYYY-MM-DD`. */
  readonly periodStart: string;
  /** How many more requests the node would like to admit; 0 only says what it holds. */
  readonly wanted: number;
  /** What this epoch has counted in this period, reported or not. */
  readonly counted: number;
  /** `allowedTotal` of the newest grant; 0 for none. */
  readonly held: number;
  /** The part of `counted` whose batches have their receipts. */
  readonly reported: number;
  /** Counts what the epoch gave back; absent: 0. */
  readonly generation?: number;
  /** The epoch counts nothing more. */
  readonly final?: boolean;
}

/** "In this period, this epoch may count up to `allowedTotal` in all." May arrive late, twice, or never. */
export interface QuotaGrant {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly periodStart: string;
  readonly allowedTotal: number;
  /** Nothing is left for anybody in this period. */
  readonly exhausted: boolean;
  /** Of the question. */
  readonly generation: number;
}

/** RateDemand of node_link.proto in plain numbers. */
export interface RateDemand {
  readonly bucket: string;
  readonly question: number;
  readonly ratePerSecond: number;
  readonly burst: number;
  readonly demandedPerSecond: number;
  readonly strict: boolean;
  readonly wantedTokens: number;
}

/** RateLease of node_link.proto in plain numbers. */
export interface RateLease {
  readonly bucket: string;
  readonly question: number;
  readonly share: number;
  readonly tokens: number;
}

/** What the control plane can answer. */
export interface LeaseBookState {
  readonly fastAvailable: boolean;
  readonly strictAvailable: boolean;
}
