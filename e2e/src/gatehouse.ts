import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { once } from 'node:events';

const PORT_VARIABLES = [
  'GATEHOUSE_PORT',
  'GATEHOUSE_ADMIN_PORT',
  'GATEHOUSE_GRPC_PORT',
  'GATEHOUSE_NODE_ADMIN_PORT',
  'GATEHOUSE_RUNNER_PORT',
  'GATEHOUSE_POSTGRES_PORT',
  'GATEHOUSE_DEMO_PORT',
] as const;

/** Ports nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = net.createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** One installation: a state folder and ports of its own; started and stopped like a user does it. */
export class Gatehouse {
  readonly home = mkdtempSync(path.join(tmpdir(), 'gatehouse-home-'));
  readonly environment: Record<string, string>;
  output = '';
  private launcher: ChildProcess | undefined;

  private constructor(
    readonly checkout: string,
    ports: readonly number[],
  ) {
    this.environment = { GATEHOUSE_HOME: this.home };
    PORT_VARIABLES.forEach((name, index) => (this.environment[name] = String(ports[index])));
  }

  static async prepare(checkout: string): Promise<Gatehouse> {
    return new Gatehouse(checkout, await freePorts(PORT_VARIABLES.length));
  }

  url(variable: (typeof PORT_VARIABLES)[number]): string {
    return `http://127.0.0.1:${this.environment[variable]}`;
  }

  /** `npm start`; resolves when the banner is there, rejects with everything printed when it ends before. */
  async start(extra: Record<string, string> = {}): Promise<void> {
    this.output = '';
    const launcher = spawn('npm', ['start'], {
      cwd: this.checkout,
      env: { ...process.env, NODE_OPTIONS: '', ...this.environment, ...extra },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.launcher = launcher;
    await new Promise<void>((resolve, reject) => {
      const collect = (chunk: Buffer): void => {
        this.output += chunk.toString();
        if (this.output.includes('Ctrl-C stops everything.')) resolve();
      };
      launcher.stdout?.on('data', collect);
      launcher.stderr?.on('data', collect);
      launcher.once('exit', () => reject(new Error(`npm start ended:\n${this.output}\n${this.logs()}`)));
    });
  }

  /** The process `npm start` runs, not npm itself. */
  launcherPid(): number {
    return Number(readFileSync(path.join(this.home, 'launcher.pid'), 'utf8'));
  }

  /** Process id of one of its parts. */
  pid(name: 'control-plane' | 'data-plane' | 'function-runner'): number {
    const list = JSON.parse(readFileSync(path.join(this.home, 'processes.json'), 'utf8')) as { pid: number; main: string }[];
    const found = list.find(({ main }) => main.includes(`apps/${name}/`));
    if (found === undefined) throw new Error(`${name} is not running`);
    return found.pid;
  }

  /** What Ctrl-C in a terminal does. Resolves with the exit code once npm has ended. */
  async stop(signal: 'SIGINT' | 'SIGTERM' = 'SIGTERM'): Promise<number | null> {
    const launcher = this.launcher;
    if (launcher === undefined || launcher.exitCode !== null || launcher.signalCode !== null) return null;
    const ended = once(launcher, 'exit');
    process.kill(this.launcherPid(), signal);
    const [code] = (await ended) as [number | null];
    return code;
  }

  /** `kill -9` of the launcher alone. */
  async kill(): Promise<void> {
    const ended = once(this.launcher as ChildProcess, 'exit');
    process.kill(this.launcherPid(), 'SIGKILL');
    await ended;
  }

  /** Variables of `.gatehouse/env`, read as a shell does. */
  env(): Record<string, string> {
    const lines = readFileSync(path.join(this.home, 'env'), 'utf8').trim().split('\n');
    return Object.fromEntries(lines.map((line) => /^export (\w+)=(.*)$/.exec(line)?.slice(1) as [string, string]));
  }

  sdk(): { endpoint: string; region: string; credentials: { accessKeyId: string; secretAccessKey: string } } {
    const env = this.env();
    return {
      endpoint: env['AWS_ENDPOINT_URL'] as string,
      region: env['AWS_REGION'] as string,
      credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID'] as string, secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] as string },
    };
  }

  logs(): string {
    return ['control-plane', 'data-plane', 'function-runner']
      .map((name) => {
        try {
          return `--- ${name}\n${readFileSync(path.join(this.home, 'logs', `${name}.log`), 'utf8').slice(-4_000)}`;
        } catch {
          return `--- ${name}: no log`;
        }
      })
      .join('\n');
  }

  async discard(): Promise<void> {
    await this.stop();
    rmSync(this.home, { recursive: true, force: true });
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Resolves once `condition` holds; rejects with `what` after `deadlineMs`. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>, deadlineMs = 30_000): Promise<void> {
  const endMs = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
