import net from 'node:net';
import { expect, test } from 'vitest';
import { startRedis } from './redis.js';

test(
  'a real Redis answers, and not any more after it was killed, and again after a restart, empty',
  { timeout: 200_000 },
  async () => {
    const redis = await startRedis({ own: true });
    try {
      expect(await say(redis.url, 'SET a 1')).toMatch(/^\+OK/);
      expect(await say(redis.url, 'GET a')).toMatch(/^\$1/);
      await redis.kill();
      await expect(say(redis.url, 'PING')).rejects.toThrow('ECONNREFUSED');
      await redis.restart();
      expect(await say(redis.url, 'GET a')).toMatch(/^\$-1/);
    } finally {
      await redis.stop();
    }
  },
);

function say(url: string, command: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), hostname, () => socket.write(`${command}\r\n`));
    socket.once('error', reject).once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
  });
}
