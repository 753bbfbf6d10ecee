/** A request was served by one of the workers, nobody knows which: all are asked. */
import type { ExplainQuestion, ExplainReply } from '@gatehouse/engine-control-link';
import type { FromWorker } from './ipc.js';
import type { WorkerProcess } from './worker-processes.js';

interface Asked {
  readonly process: WorkerProcess;
  readonly reply: PromiseWithResolvers<ExplainReply | null>;
}

export class WorkerExplanations {
  private readonly asked = new Map<number, Asked>();
  private lastId = 0;

  /** Rejects when no worker answers. What a worker that ended remembered is lost with it. */
  async ask(processes: readonly WorkerProcess[], question: ExplainQuestion): Promise<ExplainReply> {
    const replies = await Promise.all(processes.map((process) => this.askOne(process, question)));
    const answered = replies.filter((reply) => reply !== null);
    const reply = answered.find(({ explanation }) => explanation !== null) ?? answered[0];
    if (reply === undefined) throw new Error('no worker of the node answers');
    return reply;
  }

  answered({ id, reply }: Extract<FromWorker, { kind: 'explained' }>): void {
    this.asked.get(id)?.reply.resolve(reply);
    this.asked.delete(id);
  }

  ended(process: WorkerProcess): void {
    for (const [id, asked] of this.asked) {
      if (asked.process !== process) continue;
      this.asked.delete(id);
      asked.reply.resolve(null);
    }
  }

  private askOne(process: WorkerProcess, question: ExplainQuestion): Promise<ExplainReply | null> {
    const id = ++this.lastId;
    const reply = Promise.withResolvers<ExplainReply | null>();
    this.asked.set(id, { process, reply });
    process.send({ kind: 'explain', id, question });
    return reply.promise;
  }
}
