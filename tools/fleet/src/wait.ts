export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves once `holds`, with the milliseconds it took; rejects with `what` and the last reason after the deadline. */
export async function eventually(what: string, deadlineMs: number, holds: () => boolean | Promise<boolean>): Promise<number> {
  const startMs = performance.now();
  let reason = '';
  for (;;) {
    try {
      if (await holds()) return Math.round(performance.now() - startMs);
      reason = '';
    } catch (error) {
      reason = `: ${(error as Error).message}`;
    }
    if (performance.now() - startMs > deadlineMs) throw new Error(`not within ${deadlineMs / 1_000} s: ${what}${reason}`);
    await sleep(25);
  }
}
