import { expect, test } from 'vitest';
import { parseRedisUrl } from './redis-url.js';

const plain = { usesTls: false, username: null, password: null, masterName: null, sentinelPassword: null, database: 0 };

for (const [url, address] of [
  ['redis://localhost', { ...plain, kind: 'single', servers: [{ host: 'localhost', port: 6379 }] }],
  [
    'rediss://me:p%40ss:word@[::1]:7000/3',
    {
      ...plain,
      kind: 'single',
      usesTls: true,
      username: 'me',
      password: 'p@ss:word',
      database: 3,
      servers: [{ host: '::1', port: 7000 }],
    },
  ],
  ['redis://:secret@h', { ...plain, kind: 'single', password: 'secret', servers: [{ host: 'h', port: 6379 }] }],
  [
    'redis+sentinel://a,b:26380/gatehouse/2?sentinelPassword=s',
    {
      ...plain,
      kind: 'sentinel',
      masterName: 'gatehouse',
      database: 2,
      sentinelPassword: 's',
      servers: [
        { host: 'a', port: 26379 },
        { host: 'b', port: 26380 },
      ],
    },
  ],
  [
    'redis+cluster://a:1,b:2',
    {
      ...plain,
      kind: 'cluster',
      servers: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
    },
  ],
] as const) {
  test(`${url} is read`, () => expect(parseRedisUrl(url)).toEqual(address));
}

for (const [url, problem] of [
  ['http://localhost', 'expected redis://'],
  ['redis://', 'expected redis://'],
  ['redis://a,b', 'several hosts'],
  ['redis://a:70000', 'not a host'],
  ['redis://a/x', 'database number'],
  ['redis+sentinel://a', 'name of the group'],
  ['redis+cluster://a/1', 'only database 0'],
  ['redis://a?pool=1', 'unknown option "pool"'],
] as const) {
  test(`${url} is refused: ${problem}`, () => expect(() => parseRedisUrl(url)).toThrow(problem));
}

test('a refusal does not repeat the password', () => {
  try {
    parseRedisUrl('redis://me:hunter2@a:99999');
    expect.unreachable();
  } catch (error) {
    expect((error as Error).message).not.toContain('hunter2');
  }
});
