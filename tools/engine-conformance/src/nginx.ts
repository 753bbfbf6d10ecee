/**
 * nginx as a second opinion. The one of the machine, or Debian's unpacked into a folder of ours: no root is needed and the system
 * stays as it is (the same way as e2e/src/aws-cli.ts). `null` where there is neither.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';

export class Nginx {
  private constructor(
    private readonly folder: string,
    private readonly child: ChildProcess,
    readonly version: string,
  ) {}

  /** One front per upstream port, all in one process. */
  static async start(upstreamPorts: readonly number[]): Promise<Nginx | null> {
    const program = findNginx();
    if (program === null) return null;
    const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-nginx-'));
    writeFileSync(path.join(folder, 'nginx.conf'), config(folder, upstreamPorts));
    const child = spawn(program, ['-p', folder, '-e', 'stderr', '-c', path.join(folder, 'nginx.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let complaint = '';
    child.stderr!.on('data', (text: Buffer) => (complaint += text.toString()));
    const nginx = new Nginx(folder, child, versionOf(program));
    for (let i = 0; i < 200; i++) {
      if (child.exitCode !== null) throw new Error(`nginx did not start: ${complaint}`);
      if (await nginx.accepts()) return nginx;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await nginx.close();
    throw new Error(`nginx did not listen: ${complaint}`);
  }

  connect(front: number): Socket {
    return connect(path.join(this.folder, `${front}.sock`));
  }

  async close(): Promise<void> {
    if (this.child.exitCode === null) {
      const exited = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill('SIGKILL');
      await exited;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  private accepts(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = this.connect(0);
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('close', () => socket.destroy());
      socket.once('connect', () => socket.destroy());
    });
  }
}

/** Bodies are taken whole before they are forwarded: what is malformed reaches no upstream. */
function config(folder: string, upstreamPorts: readonly number[]): string {
  const servers = upstreamPorts.map(
    (port, front) => `server {
      listen unix:${folder}/${front}.sock;
      location / { proxy_pass http://127.0.0.1:${port}; }
    }`,
  );
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`);
  return `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr emerg;
  events { worker_connections 1024; }
  http {
    access_log off; ${temporary.join(' ')}
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    proxy_next_upstream off; client_max_body_size 10m;
    ${servers.join('\n')}
  }`;
}

const versionOf = (program: string): string =>
  /nginx\/(\S+)/.exec(spawnSync(program, ['-v'], { encoding: 'utf8' }).stderr)?.[1] ?? 'of unknown version';

function findNginx(): string | null {
  const folder = path.join(homedir(), '.cache/gatehouse/nginx');
  const unpacked = path.join(folder, 'usr/sbin/nginx');
  for (const file of ['/usr/sbin/nginx', unpacked]) if (existsSync(file)) return file;
  try {
    unpackInto(folder);
    execFileSync(unpacked, ['-v'], { stdio: 'ignore' });
    return unpacked;
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true });
    console.warn(`Debian's nginx could not be fetched (${(cause as Error).message.split('\n')[0]})`);
    return null;
  }
}

function unpackInto(folder: string): void {
  const work = `${folder}.new`;
  rmSync(work, { recursive: true, force: true });
  for (const name of ['state/lists/partial', 'cache/archives/partial', 'root'])
    mkdirSync(path.join(work, name), { recursive: true });
  const own = [
    ...['-o', `Dir::State=${work}/state`, '-o', 'Dir::State::status=/var/lib/dpkg/status', '-o', `Dir::Cache=${work}/cache`],
    ...['-o', 'APT::Sandbox::User=', '-qq'],
  ];
  const apt = (...args: string[]): void => void execFileSync('apt-get', [...own, ...args], { cwd: work, stdio: 'pipe' });
  try {
    apt('update');
    apt('download', 'nginx');
    const file = readdirSync(work).find((name) => name.endsWith('.deb'))!;
    execFileSync('dpkg', ['-x', path.join(work, file), path.join(work, 'root')]);
    mkdirSync(path.dirname(folder), { recursive: true });
    renameSync(path.join(work, 'root'), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
