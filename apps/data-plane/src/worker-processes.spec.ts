import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { FromWorker, ToWorker } from './ipc.js';
import { WorkerProcesses, type WorkerProcess } from './worker-processes.js';

/** A process that does what it is told. */
class FakeChild extends EventEmitter {
  static lastPid = 0;
  readonly pid = ++FakeChild.lastPid;
  connected = true;
  readonly sent: ToWorker[] = [];
  signal: string | null = null;

  send(message: ToWorker): void {
    this.sent.push(message);
  }
  kill(signal: string): void {
    this.signal = signal;
    this.die(signal);
  }
  say(message: FromWorker): void {
    this.emit('message', message);
  }
  die(signal: string | null = null, code: number | null = null): void {
    this.emit('exit', code, signal);
    this.connected = false;
    this.emit('disconnect');
  }
}

let children: FakeChild[];
let events: string[];
let processes: WorkerProcesses;
const logged: object[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
  children = [];
  events = [];
  logged.length = 0;
  const note = (what: string) => (worker: WorkerProcess) => void events.push(`${what} ${worker.worker}`);
  processes = new WorkerProcesses({
    count: 2,
    fork: () => {
      const child = new FakeChild();
      children.push(child);
      return child as unknown as ChildProcess;
    },
    handlers: {
      joined: note('joined'),
      said: (worker, { kind }) => void events.push(`${kind} ${worker.worker}`),
      ended: note('ended'),
    },
    log: { info: () => undefined, warn: () => undefined, error: (fields: object) => void logged.push(fields) },
  });
  processes.start();
});
afterEach(() => {
  processes.kill();
  vi.useRealTimers();
});

test('a dead worker is started again under a new number, and why it died is logged', () => {
  children[0]!.say({ kind: 'hello' });
  children[0]!.say({ kind: 'failed', reason: 'no room on the disk' });
  children[0]!.die(null, 1);
  expect(processes.all().map(({ worker }) => worker)).toEqual([2]);
  vi.advanceTimersByTime(100);
  children[2]!.say({ kind: 'hello' });
  expect(events).toEqual(['joined 1', 'failed 1', 'ended 1', 'joined 3']);
  expect(logged).toMatchObject([{ worker: 1, reason: 'no room on the disk', pauseMs: 100 }]);
  children[1]!.die('SIGKILL');
  expect(logged[1]).toMatchObject({ worker: 2, reason: 'SIGKILL' });
});

test('one that dies again and again is started ever later, up to 5 s, and soon again after it lived for 10 s', () => {
  const pauses: number[] = [];
  for (let deaths = 0; deaths < 8; deaths++) {
    children.at(-1)!.die('SIGSEGV');
    pauses.push((logged.at(-1) as { pauseMs: number }).pauseMs);
    vi.advanceTimersByTime(5_000);
  }
  expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  vi.advanceTimersByTime(10_000);
  children.at(-1)!.die('SIGSEGV');
  expect(logged.at(-1)).toMatchObject({ pauseMs: 100 });
});

test('it is gone only when everything it said was heard', () => {
  children[0]!.emit('exit', null, 'SIGKILL');
  expect(events).toEqual([]);
  children[0]!.say({ kind: 'serving' });
  children[0]!.emit('disconnect');
  expect(events).toEqual(['serving 1', 'ended 1']);
});

test('a process that cannot be started counts as one that died', () => {
  const child = children[0]!;
  Object.defineProperty(child, 'pid', { value: undefined });
  child.emit('error', new Error('spawn EAGAIN'));
  expect(events).toEqual(['ended 1']);
  vi.advanceTimersByTime(100);
  expect(children).toHaveLength(3);
});

test('told to stop, it tells all of them, starts none again and is done when they are gone', async () => {
  children[1]!.die('SIGKILL'); // its successor is due, and does not come
  const stopped = processes.stop(1_000);
  expect(children[0]!.sent).toEqual([{ kind: 'stop' }]);
  vi.advanceTimersByTime(900);
  expect(children).toHaveLength(2);
  children[0]!.die(null, 0);
  await stopped;
  vi.advanceTimersByTime(60_000);
  expect(children).toHaveLength(2);
});

test('what has not ended at the deadline is killed', async () => {
  const stopped = processes.stop(1_000);
  children[0]!.die(null, 0);
  vi.advanceTimersByTime(1_000);
  await stopped;
  expect(children[1]!.signal).toBe('SIGKILL');
});

test('a worker that answers no ping for half a minute is stuck: it is killed and replaced; one that is busy but answers is not', () => {
  for (const child of children) child.say({ kind: 'hello' });
  for (let round = 0; round < 8; round++) {
    vi.advanceTimersByTime(5_000);
    children[1]!.say({ kind: 'pong' });
  }
  expect(children.slice(0, 2).map(({ signal }) => signal)).toEqual(['SIGKILL', null]);
  expect(children[0]!.sent).toHaveLength(6);
  expect(logged).toMatchObject([{ worker: 1, reason: 'it was stuck and was killed' }]);
  expect(children).toHaveLength(3);
});
