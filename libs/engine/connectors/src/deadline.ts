/** Why a call was cut by us. */
export class DeadlineExceeded extends Error {
  constructor(timeoutMs: number) {
    super(`no complete answer within ${timeoutMs} ms`);
    this.name = 'DeadlineExceeded';
  }
}

/** One signal out of two reasons to stop: the caller left, or the time is up. `clear` forgets both. */
export class Deadline {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly onAbort = (): void => this.controller.abort(this.outer.reason);
  isTimeUp = false;

  constructor(
    private readonly outer: AbortSignal,
    timeoutMs: number,
  ) {
    if (outer.aborted) this.controller.abort(outer.reason);
    else outer.addEventListener('abort', this.onAbort, { once: true });
    this.timer = setTimeout(() => {
      this.isTimeUp = true;
      this.controller.abort(new DeadlineExceeded(timeoutMs));
    }, timeoutMs);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  clear(): void {
    clearTimeout(this.timer);
    this.outer.removeEventListener('abort', this.onAbort);
  }
}
