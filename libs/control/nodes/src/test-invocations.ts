/** Drafts that one node runs for us, and who waits for them. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { TestInvokeResult, TestInvokeSchema } from '@gatehouse/contracts';
import type { NoTestOutcome, TestInvocation, TestOutcome } from '@gatehouse/domain';

/** Of one node at once; what comes beyond is told to come again. */
const RUNNING_MAX = 32;

export class TestInvocations {
  private readonly waiting = new Map<bigint, (outcome: TestOutcome | NoTestOutcome) => void>();
  private lastId = 0n;

  constructor(private readonly send: (message: MessageInitShape<typeof TestInvokeSchema>) => void) {}

  get count(): number {
    return this.waiting.size;
  }

  run(invocation: TestInvocation, timeoutMs: number): Promise<TestOutcome | NoTestOutcome> {
    if (this.waiting.size >= RUNNING_MAX) return Promise.resolve('BUSY');
    const id = ++this.lastId;
    const { snapshot, httpMethod, pathWithQuery, headers, body, authorizerId } = invocation;
    return new Promise((resolve) => {
      const timeout = setTimeout(() => this.settle(id, 'TIMEOUT'), timeoutMs);
      this.waiting.set(id, (outcome) => {
        clearTimeout(timeout);
        resolve(outcome);
      });
      this.send({ id, snapshot, httpMethod, pathWithQuery, headers: [...headers], body, authorizerId: authorizerId ?? '' });
    });
  }

  /** One that nobody waits for any more is dropped. */
  answered({ id, status, headers, body, latencyMs, log, failure }: TestInvokeResult): void {
    this.settle(id, failure === '' ? { status, headers, body, latencyMs, log } : 'FAILED');
  }

  /** The node is gone: nothing comes any more. */
  end(): void {
    for (const id of [...this.waiting.keys()]) this.settle(id, 'FAILED');
  }

  private settle(id: bigint, outcome: TestOutcome | NoTestOutcome): void {
    const tell = this.waiting.get(id);
    this.waiting.delete(id);
    tell?.(outcome);
  }
}
