import type { Explanation } from '@gatehouse/contracts';
import { expect, test } from 'vitest';
import type { ToWorker } from './ipc.js';
import { WorkerExplanations } from './worker-explanations.js';
import type { WorkerProcess } from './worker-processes.js';

const question = { tenant: '123456789012', requestId: 'r' };
const nothing = { explanation: null, keepMinutes: 5, sampleEvery: 10 };
const something = { ...nothing, explanation: { requestId: 'r' } as Explanation };

/** A worker that only hears. */
function fakeWorker() {
  const heard: ToWorker[] = [];
  const process = { send: (message: ToWorker) => heard.push(message) } as unknown as WorkerProcess;
  return { process, heard };
}

test('all workers are asked, and the one that remembers answers for the node', async () => {
  const workers = [fakeWorker(), fakeWorker()];
  const explanations = new WorkerExplanations();
  const told = explanations.ask(
    workers.map(({ process }) => process),
    question,
  );
  expect(workers.map(({ heard }) => heard)).toEqual([1, 2].map((id) => [{ kind: 'explain', id, question }]));
  explanations.answered({ kind: 'explained', id: 1, reply: nothing });
  explanations.answered({ kind: 'explained', id: 2, reply: something });
  expect(await told).toBe(something);
});

test('a worker that ends holds nobody up; a node whose workers all did says so', async () => {
  const [dying, living] = [fakeWorker(), fakeWorker()];
  const explanations = new WorkerExplanations();
  const told = explanations.ask([dying.process, living.process], question);
  explanations.ended(dying.process);
  explanations.answered({ kind: 'explained', id: 2, reply: nothing });
  expect(await told).toBe(nothing);
  const lost = explanations.ask([living.process], question);
  explanations.ended(living.process);
  await expect(lost).rejects.toThrow('no worker of the node answers');
});
