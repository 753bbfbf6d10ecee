import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PersistentStream } from './persistent-stream.js';
import type { StreamCall } from './transport.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A peer whose streams do as told; counts them. */
function streamTo(behave: (call: EventEmitter) => void) {
  let opened = 0;
  const connect = () => {
    opened++;
    const call = Object.assign(new EventEmitter(), { write: () => true, cancel: () => {} });
    setTimeout(() => behave(call), 1);
    return call as unknown as StreamCall<string, string>;
  };
  const handlers = { opened: () => {}, received: () => {}, closed: () => {}, isWaiting: () => true };
  const settings = { backOff: { minMs: 100, maxMs: 5_000 }, silenceMs: 15_000, answerMs: 5_000, random: () => 0.99 };
  const stream = new PersistentStream<string, string>(connect, handlers, settings);
  stream.start();
  return { stream, opened: () => opened };
}

test('a peer that greets and ends the stream, again and again, is left in peace for longer and longer', () => {
  const { stream, opened } = streamTo((call) => {
    call.emit('data', 'welcome');
    call.emit('error', new Error('not now'));
  });
  vi.advanceTimersByTime(60_000);
  // 0.1, 0.2, 0.4, 0.8, 1.6, 3.2 and then 5 s between them.
  expect(opened()).toBeLessThan(20);
  stream.close();
});

test('after a stream that lasted, the next one is tried at once', () => {
  let call: EventEmitter | null = null;
  const { stream, opened } = streamTo((current) => {
    call = current;
    if (opened() < 6) current.emit('error', new Error('not now'));
    else current.emit('data', 'welcome');
  });
  vi.advanceTimersByTime(10_000);
  expect(opened()).toBeGreaterThanOrEqual(6);
  const before = opened();
  call!.emit('data', 'heartbeat');
  call!.emit('error', new Error('gone'));
  vi.advanceTimersByTime(110);
  expect(opened()).toBe(before + 1);
  stream.close();
});
