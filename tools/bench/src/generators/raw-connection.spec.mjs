import { once } from 'node:events';
import net from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { RawConnection, requestBytes } from './raw-connection.mjs';

const servers = [];
afterEach(() => servers.splice(0).forEach((server) => server.close()));

/** A server that writes `pieces` one after the other, each a packet of its own, whatever it is asked. */
async function scripted(pieces, { ends = false } = {}) {
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', async () => {
      for (const piece of pieces) {
        socket.write(piece);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      if (ends) socket.end();
    });
  });
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return server.address().port;
}

const REQUEST = requestBytes({ url: 'http://127.0.0.1:1/item' });
const ask = (connection) => new Promise((resolve) => connection.send(REQUEST, resolve));

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello';

for (const [what, pieces, isGood] of [
  ['in one piece', [ANSWER], true],
  ['cut within the head', [ANSWER.slice(0, 20), ANSWER.slice(20)], true],
  ['cut within the blank line', [ANSWER.slice(0, -7), ANSWER.slice(-7)], true],
  ['cut within the body', [ANSWER.slice(0, -2), ANSWER.slice(-2)], true],
  ['without a body', ['HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'], true],
  ['refused', ['HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n'], false],
  ['without a length', ['HTTP/1.1 200 OK\r\n\r\nhello'], false],
]) {
  test(`an answer counts when all of it is there: ${what}`, async () => {
    const connection = new RawConnection(await scripted(pieces), 4096);
    expect(await ask(connection)).toBe(isGood);
    if (isGood) expect(await ask(connection)).toBe(true);
    connection.socket.destroy();
  });
}

test('a body larger than the read buffer counts to its last byte', async () => {
  const port = await scripted([`HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n${'x'.repeat(100_000)}`]);
  const connection = new RawConnection(port, 1000);
  expect(await ask(connection)).toBe(true);
  connection.socket.destroy();
});

test('an answer that ends early is an error, and so is every request after it', async () => {
  const connection = new RawConnection(await scripted([ANSWER.slice(0, -2)], { ends: true }), 4096);
  expect(await ask(connection)).toBe(false);
  expect(connection.isOpen).toBe(false);
  expect(await ask(connection)).toBe(false);
});

test('a request carries the headers of its target and the length of its body', () => {
  const target = { url: 'http://127.0.0.1:1/upload', headers: { Host: 'api', 'x-api-key': 'k' } };
  expect(requestBytes(target, Buffer.from('hello')).toString('latin1')).toBe(
    'POST /upload HTTP/1.1\r\nHost: api\r\nx-api-key: k\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello',
  );
});
