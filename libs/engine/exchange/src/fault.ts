/** One way a request can fail at the gateway; the table of all of them is in engine/faults. */
export interface FaultKind {
  /** Unique; goes to logs and metrics. */
  readonly name: string;
  /** Which customised gateway response applies, e.g. `THROTTLED`. */
  readonly responseType: string;
  /** The status unless the stage's owner set another. */
  readonly status: number;
  /** `x-amzn-ErrorType`. */
  readonly errorType: string;
  /** `$context.error.message` unless the failing step gives a better one. */
  readonly message: string | null;
  /** Who has to act. */
  readonly source: 'caller' | 'gateway' | 'owner' | 'upstream';
  /** Whether the same request may succeed later. */
  readonly retry: boolean;
}
