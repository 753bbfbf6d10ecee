/** Drafts that one node runs for us, and who waits for them. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { TestInvokeResult, TestInvokeSchema } from '@gatehouse/contracts';
import type { NoTestOutcome, TestInvocation, TestOutcome } from '@gatehouse/domain';
import { Questions } from './questions.js';

/** Of one node at once; what comes beyond is told to come again. */
const RUNNING_MAX = 32;

export class TestInvocations {
  private readonly questions = new Questions<TestOutcome>(RUNNING_MAX);

  constructor(private readonly send: (message: MessageInitShape<typeof TestInvokeSchema>) => void) {}

  get count(): number {
    return this.questions.count;
  }

  run(invocation: TestInvocation, timeoutMs: number): Promise<TestOutcome | NoTestOutcome> {
    const { snapshot, httpMethod, pathWithQuery, headers, body, authorizerId } = invocation;
    return this.questions.ask((id) => {
      this.send({ id, snapshot, httpMethod, pathWithQuery, headers: [...headers], body, authorizerId: authorizerId ?? '' });
    }, timeoutMs);
  }

  answered({ id, status, headers, body, latencyMs, log, failure }: TestInvokeResult): void {
    this.questions.settle(id, failure === '' ? { status, headers, body, latencyMs, log } : 'FAILED');
  }

  /** The node is gone: nothing comes any more. */
  end(): void {
    this.questions.end();
  }
}
