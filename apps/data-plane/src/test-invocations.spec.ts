import { expect, test } from 'vitest';
import type { ToWorker } from './ipc.js';
import { TestInvocations } from './test-invocations.js';
import type { WorkerProcess } from './worker-processes.js';

const request = {
  snapshot: new Uint8Array(),
  httpMethod: 'GET',
  pathWithQuery: '/',
  headers: [],
  body: new Uint8Array(),
  authorizerId: '',
};
const answer = { status: 200, headers: [], body: new Uint8Array(), authorizerId: '', latencyMs: 1, log: '' };

/** A worker that only hears. */
function fakeWorker() {
  const heard: ToWorker[] = [];
  const process = { send: (message: ToWorker) => heard.push(message) } as unknown as WorkerProcess;
  return { process, heard };
}

test('each draft gets the answer of its own run, and the reason when there is none', async () => {
  const { process, heard } = fakeWorker();
  const invocations = new TestInvocations();
  const runs = [invocations.run(process, request), invocations.run(process, request)];
  expect(heard).toEqual([1, 2].map((id) => ({ kind: 'test', id, request })));
  invocations.answered({ kind: 'tested', id: 2, answer: null, failure: 'a bug' });
  invocations.answered({ kind: 'tested', id: 1, answer, failure: '' });
  expect(await runs[0]).toBe(answer);
  await expect(runs[1]).rejects.toThrow('a bug');
  invocations.answered({ kind: 'tested', id: 2, answer, failure: '' }); // nobody waits for it
});

test('the drafts of a worker that ends have no answer; those of others wait on', async () => {
  const [dying, living] = [fakeWorker(), fakeWorker()];
  const invocations = new TestInvocations();
  const lost = invocations.run(dying.process, request);
  const kept = invocations.run(living.process, request);
  invocations.ended(dying.process);
  await expect(lost).rejects.toThrow('the worker that ran the draft ended');
  invocations.answered({ kind: 'tested', id: 2, answer, failure: '' });
  expect(await kept).toBe(answer);
});
