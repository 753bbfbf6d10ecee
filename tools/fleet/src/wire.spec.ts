import { once } from 'node:events';
import net from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Wire } from './wire.js';

const closing: (() => void)[] = [];
afterEach(() => closing.splice(0).forEach((close) => close()));

/** An echo behind a wire, and a caller before it. */
async function open() {
  const echo = net.createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const wire = await Wire.open((echo.address() as net.AddressInfo).port);
  const caller = net.connect(wire.port, '127.0.0.1');
  let read = '';
  caller.on('data', (bytes) => (read += String(bytes))).on('error', () => undefined);
  closing.push(() => (caller.destroy(), wire.close(), echo.close()));
  const reads = async (text: string) => {
    while (read !== text) await once(caller, 'data');
  };
  return { wire, caller, reads, read: () => read };
}

test('what is held arrives when it is released, and nothing before', async () => {
  const { wire, caller, reads, read } = await open();
  caller.write('one');
  await reads('one');
  wire.hold();
  caller.write(' two');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(read()).toBe('one');
  wire.release();
  await reads('one two');
});

test('what is swallowed never arrives', async () => {
  const { wire, caller, reads } = await open();
  caller.write('one');
  await reads('one');
  wire.swallow();
  caller.write(' lost');
  await new Promise((resolve) => setTimeout(resolve, 50));
  wire.release();
  caller.write(' two');
  await reads('one two');
});

test('a cut falls into the middle of a message', async () => {
  const { wire, caller, read } = await open();
  wire.cutAfter(3);
  caller.write('abcdef');
  await once(caller, 'close');
  expect(read()).toBe('abc');
});

test('delayed pieces keep their order, also when the delay shrinks', async () => {
  const { wire, caller, reads } = await open();
  wire.delayMs = 60;
  caller.write('a');
  await new Promise((resolve) => setTimeout(resolve, 20));
  wire.delayMs = 0;
  caller.write('b');
  await reads('ab');
});
