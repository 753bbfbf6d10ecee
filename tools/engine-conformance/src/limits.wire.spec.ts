// Fault 57: connections and memory have limits, and what is beyond them is refused before it costs anything.
import type { RawCaller } from '@gatehouse/testkit';
import { expect } from 'vitest';
import { conform, eventually, extra, forEveryEngine, within } from './conform.js';
import { HOST } from './gate.js';

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Whether the connection serves a request; one that is turned away may say so with a 503 or just end. */
async function isServed(caller: RawCaller): Promise<boolean> {
  caller.send(get('/dev/x'));
  const text = await within(3_000, 'an answer, or the end of the connection,', caller.until('\r\n\r\n'));
  expect(text.slice(0, 12)).toMatch(/^$|^HTTP\/1\.1 (200|503)$/);
  return text.startsWith('HTTP/1.1 200');
}

forEveryEngine((engine) => {
  conform(engine, 57, '300 connections at once are all served, and all can end at once', async (house) => {
    const { gate } = await house.behind((call) => call.send(OK));
    const callers = await Promise.all(Array.from({ length: 300 }, () => house.caller(gate)));
    expect(await Promise.all(callers.map(isServed))).toEqual(callers.map(() => true));
    for (const caller of callers) caller.close();
    expect(await isServed(await house.caller(gate))).toBe(true);
    expect([gate.listener.inFlightCount, gate.bugs]).toEqual([0, []]);
  });

  const connectionLimits = extra(engine, 'connectionLimits', 57);
  if (connectionLimits !== null) {
    for (const [what, inAll, perAddress] of [
      ['in all', 5, 1_000],
      ['of one address', 1_000, 5],
    ] as const) {
      conform(
        engine,
        57,
        `connections ${what} beyond the limit are turned away; the others are served, and one that ends makes room`,
        async (house) => {
          const { gate, up } = await house.behind((call) => call.send(OK), { listener: connectionLimits(inAll, perAddress) });
          const callers: RawCaller[] = [];
          for (let i = 0; i < 5; i++) callers.push(await house.caller(gate));
          for (const caller of callers) expect(await isServed(caller)).toBe(true);
          for (let i = 0; i < 20; i++) expect(await isServed(await house.caller(gate))).toBe(false);
          expect(up.calls.length).toBe(5);
          callers[0]!.close();
          let served = false;
          for (let i = 0; i < 50 && !served; i++) served = await isServed(await house.caller(gate));
          expect(served).toBe(true);
          expect(await isServed(callers[1]!)).toBe(true);
        },
      );
    }

    conform(engine, 57, 'a flood of connections is turned away without a trace', async (house) => {
      const { gate } = await house.behind((call) => call.send(OK), { listener: connectionLimits(3, 3) });
      const served = await house.caller(gate);
      expect(await isServed(served)).toBe(true);
      const flood = await Promise.all(Array.from({ length: 200 }, () => house.caller(gate)));
      await eventually(
        'the end of all but the first two',
        () => flood.filter(({ socket }) => !socket.readableEnded && !socket.destroyed).length <= 2,
      );
      for (const caller of flood) caller.close();
      await eventually('room', () => gate.listener.inFlightCount === 0);
      expect(await isServed(served)).toBe(true);
      expect(gate.bugs).toEqual([]);
    });
  }

  const shedding = extra(engine, 'shedding', 57);
  if (shedding !== null) {
    conform(
      engine,
      57,
      'while memory is short requests are 503, those under way end well, and afterwards all is as before',
      async (house) => {
        let isShort = false;
        const { gate, up } = await house.behind(() => undefined, {
          listener: { ...shedding(() => isShort), headTimeoutMs: 400 },
        });
        const running = await house.caller(gate);
        running.send(get('/dev/x'));
        const call = await within(3_000, 'the call', up.called(1));
        isShort = true;
        const shed = async (): Promise<number> => (await gate.call('/dev')).status;
        await eventuallyAsync('a 503', async () => (await shed()) === 503);
        expect(up.calls.length).toBe(1);
        call.send(OK);
        await within(3_000, 'the answer of the request under way', running.until('\r\n\r\nok'));
        isShort = false;
        await eventuallyAsync('service as before', async () => (await shed()) === 200);
      },
    );
  }
});

async function eventuallyAsync(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 150; i++) {
    if (await isTrue()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${what} did not come`);
}
