/** Drafts that a worker runs for the supervisor, which has no connectors itself. */
import type { TestInvokeAnswer, TestInvokeRequest } from '@gatehouse/engine-control-link';
import type { FromWorker } from './ipc.js';
import type { WorkerProcess } from './worker-processes.js';

interface Running {
  readonly process: WorkerProcess;
  readonly answer: PromiseWithResolvers<TestInvokeAnswer>;
}

export class TestInvocations {
  private readonly running = new Map<number, Running>();
  private lastId = 0;

  /** Rejects when the worker cannot answer. */
  run(process: WorkerProcess, request: TestInvokeRequest): Promise<TestInvokeAnswer> {
    const id = ++this.lastId;
    const answer = Promise.withResolvers<TestInvokeAnswer>();
    this.running.set(id, { process, answer });
    process.send({ kind: 'test', id, request });
    return answer.promise;
  }

  answered({ id, answer, failure }: Extract<FromWorker, { kind: 'tested' }>): void {
    const running = this.running.get(id);
    this.running.delete(id);
    if (answer === null) running?.answer.reject(new Error(failure));
    else running?.answer.resolve(answer);
  }

  ended(process: WorkerProcess): void {
    for (const [id, running] of this.running) {
      if (running.process !== process) continue;
      this.running.delete(id);
      running.answer.reject(new Error('the worker that ran the draft ended'));
    }
  }
}
