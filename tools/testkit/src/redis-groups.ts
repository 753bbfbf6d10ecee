/**
 * Real groups of Redis servers, always of the test's own: `redis-server` or `valkey-server`, found or installed as by `startRedis`.
 * There is no substitute from npm: without such a program a test that needs one fails.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from './free-ports.js';
import { askRedis, startRedisProcess, type RedisProcess } from './redis-process.js';
import { findRedisProgram, sayEngine } from './redis.js';

export interface TestRedisGroup {
  readonly url: string;
  /** All of it, Sentinels too. */
  readonly processes: readonly RedisProcess[];
  readonly stop: () => Promise<void>;
}

export interface TestRedisSentinels extends TestRedisGroup {
  /** The first is the primary at the start, the second its replica. */
  readonly servers: readonly RedisProcess[];
  readonly sentinels: readonly RedisProcess[];
}

export interface TestRedisCluster extends TestRedisGroup {
  /** Three share the slots. The fourth is the replica of the second, which has the slot of `{gatehouse}`. */
  readonly servers: readonly RedisProcess[];
}

const GROUP = 'gatehouse';
const READY_MS = 30_000;
/** How long a server is silent until the others call it dead. More than a pause of a busy machine. */
const DEAD_MS = 1_500;
const SLOTS = 16_384;

/** A primary, a replica and three Sentinels, two of which decide. */
export function startRedisSentinels(): Promise<TestRedisSentinels> {
  return startGroup(async (start, folder) => {
    const [primaryPort, replicaPort, ...sentinelPorts] = (await freePorts(5)) as [number, number, ...number[]];
    const primary = await start(primaryPort, serverOptions);
    const replica = await start(replicaPort, [...serverOptions, '--replicaof', `127.0.0.1 ${primaryPort}`]);
    await until(async () => (await askRedis(replicaPort, 'INFO replication')).includes('master_link_status:up'));
    // What Sentinels find out about one another in their first seconds, and then write into this file themselves.
    const id = (port: number) => String(port).padStart(40, '0');
    const sentinels = await Promise.all(
      sentinelPorts.map(async (port) => {
        const file = path.join(folder, `sentinel-${port}.conf`);
        const others = sentinelPorts.filter((other) => other !== port);
        await writeFile(
          file,
          [
            `sentinel myid ${id(port)}`,
            `sentinel monitor ${GROUP} 127.0.0.1 ${primaryPort} 2`,
            `sentinel down-after-milliseconds ${GROUP} ${DEAD_MS}`,
            `sentinel failover-timeout ${GROUP} 6000`,
            `sentinel known-replica ${GROUP} 127.0.0.1 ${replicaPort}`,
            ...others.map((other) => `sentinel known-sentinel ${GROUP} 127.0.0.1 ${other} ${id(other)}`),
            '',
          ].join('\n'),
        );
        return start(port, ['--sentinel'], file);
      }),
    );
    for (const port of sentinelPorts)
      await until(async () => (await askRedis(port, `SENTINEL CKQUORUM ${GROUP}`)).startsWith('+OK 3'));
    return {
      url: `redis+sentinel://${sentinelPorts.map((port) => `127.0.0.1:${port}`).join(',')}/${GROUP}`,
      servers: [primary, replica],
      sentinels,
    };
  });
}

export function startRedisCluster(): Promise<TestRedisCluster> {
  return startGroup(async (start) => {
    const ports = (await freePorts(8)) as [number, number, number, number, ...number[]];
    const [first, second, third, replica, ...busPorts] = ports;
    const serverPorts = [first, second, third, replica];
    const masters = [first, second, third];
    const servers = await Promise.all(
      serverPorts.map((port, index) =>
        start(port, [
          ...serverOptions,
          ...[
            '--cluster-enabled',
            'yes',
            '--cluster-config-file',
            `nodes-${port}.conf`,
            '--cluster-port',
            String(busPorts[index]),
          ],
          ...['--cluster-node-timeout', String(DEAD_MS), '--cluster-replica-validity-factor', '0'],
        ]),
      ),
    );
    const tell = async (port: number, command: string) => {
      const answer = await askRedis(port, command);
      if (answer !== '+OK') throw new Error(`${command} on port ${port}: ${answer}`);
    };
    for (const [index, port] of masters.entries()) {
      const from = Math.ceil((SLOTS * index) / masters.length);
      await tell(port, `CLUSTER ADDSLOTSRANGE ${from} ${Math.ceil((SLOTS * (index + 1)) / masters.length) - 1}`);
      await tell(port, `CLUSTER SET-CONFIG-EPOCH ${index + 1}`);
    }
    for (const [index, port] of serverPorts.entries())
      if (index > 0) await tell(first, `CLUSTER MEET 127.0.0.1 ${port} ${busPorts[index]}`);
    const secondId = await askRedis(second, 'CLUSTER MYID');
    await until(async () => (await askRedis(replica, `CLUSTER REPLICATE ${secondId}`)) === '+OK');
    await until(async () => (await askRedis(replica, 'INFO replication')).includes('master_link_status:up'));
    for (const port of serverPorts)
      await until(async () => {
        const [info, nodes] = await Promise.all([askRedis(port, 'CLUSTER INFO'), askRedis(port, 'CLUSTER NODES')]);
        return info.includes('cluster_state:ok') && nodes.includes(`slave ${secondId} `);
      });
    return { url: `redis+cluster://${masters.map((port) => `127.0.0.1:${port}`).join(',')}`, servers };
  });
}

/** Resolves when the primary's replica has all that the primary has: a failover then forgets nothing. */
export const untilReplicated = ({ port }: RedisProcess): Promise<void> =>
  until(async () => {
    const info = await askRedis(port, 'INFO replication');
    const offset = /^master_repl_offset:(\d+)/m.exec(info)?.[1];
    return offset !== undefined && info.includes(`state=online,offset=${offset},`);
  });

const serverOptions = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0'] as const;

type Start = (port: number, options: readonly string[], configFile?: string) => Promise<RedisProcess>;

/** Whatever `build` started ends with the group, also when it fails half way. */
async function startGroup<T>(build: (start: Start, folder: string) => Promise<T>): Promise<T & Omit<TestRedisGroup, 'url'>> {
  const { file, engine } = await findRedisProgram();
  if (file === null) throw new Error('a group of Redis servers needs redis-server or valkey-server on the PATH');
  sayEngine(engine);
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(build, file);
    } catch (cause) {
      // A port that was free may be somebody else's by the time a server asks for it.
      if (attempt === STARTS_MAX || !(cause as Error).message.includes('Address already in use')) throw cause;
    }
  }
}

const STARTS_MAX = 3;

async function startOnce<T>(
  build: (start: Start, folder: string) => Promise<T>,
  file: string,
): Promise<T & Omit<TestRedisGroup, 'url'>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-redis-'));
  const started: RedisProcess[] = [];
  const stop = async () => {
    await Promise.all(started.map((server) => server.kill()));
    await rm(folder, { recursive: true, force: true });
  };
  const start: Start = async (port, options, configFile) => {
    const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
    const server = await startRedisProcess(
      [file, [...(configFile === undefined ? [] : [configFile]), ...place, ...options]],
      port,
    );
    started.push(server);
    return server;
  };
  try {
    return { ...(await build(start, folder)), processes: started, stop };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + READY_MS; !(await holds().catch(() => false));) {
    if (Date.now() > deadline) throw new Error(`not within ${READY_MS} ms: ${holds}`);
    await delay(50);
  }
}
