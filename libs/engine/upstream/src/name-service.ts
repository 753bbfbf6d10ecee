/** Where addresses of a name come from: DNS, the hosts file. */
export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
  /** Of its own; absent: the destination's. */
  readonly port?: number;
}

export interface NameAnswer {
  /** At least one. */
  readonly addresses: readonly ResolvedAddress[];
  /** How long the answer holds, by its own word; `null` when it does not say. */
  readonly ttlMs: number | null;
}

export interface NameService {
  /**
   * Rejects with an Error whose `code` says why (`ENOTFOUND`, `ETIMEOUT`, ...). The caller stops waiting when the signal is
   * raised; what comes later is ignored.
   */
  lookUp(host: string, signal: AbortSignal): Promise<NameAnswer>;
}
