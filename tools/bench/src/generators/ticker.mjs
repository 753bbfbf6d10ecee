// Node's timers know whole milliseconds only. A second thread sleeps in Atomics.wait, which knows microseconds, and wakes this one.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const TICK_MS = 0.2;

if (!isMainThread && workerData?.ticks instanceof SharedArrayBuffer) tick(new Int32Array(workerData.ticks));

/** Calls `onTick` every TICK_MS for as long as the process lives, and never twice in one turn of it. */
export function everyTick(onTick) {
  const isPending = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(import.meta.filename, { workerData: { ticks: isPending.buffer } });
  worker.on('message', () => {
    Atomics.store(isPending, 0, 0);
    onTick();
  });
}

function tick(isPending) {
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    Atomics.wait(never, 0, 0, TICK_MS);
    if (Atomics.exchange(isPending, 0, 1) === 0) parentPort.postMessage(null);
  }
}
