/** A node as a process of its own (`dist/main.js`), with stages on its disk and no control plane: for what only a process can show. */
import type { StageSnapshot } from '@gatehouse/contracts';
import { canonicalJson, sha256Hex } from '@gatehouse/kernel';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

const MAIN = path.join(import.meta.dirname, '../../dist/main.js');
const CHANGE_LOG_FORMAT = 'gatehouse manifest log 2';

export interface NodeProcessOptions {
  readonly stages: readonly StageSnapshot[];
  readonly environment?: Readonly<Record<string, string>>;
  /** `ulimit -n`. */
  readonly descriptors?: number;
}

export interface RecordedRequest {
  readonly status: number;
  /** Absent when all went well. */
  readonly fault?: string;
  readonly cause?: string | null;
}

export class NodeProcess {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    /** Of the node's own log, so far. */
    readonly logged: Record<string, unknown>[],
    readonly port: number,
    readonly adminPort: number,
  ) {}

  /** Resolves when it listens. */
  static async start({ stages, environment = {}, descriptors }: NodeProcessOptions): Promise<NodeProcess> {
    const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-node-'));
    writeManifest(path.join(folder, 'data/link'), stages);
    const limit = descriptors === undefined ? '' : `ulimit -n ${descriptors}; `;
    const child = spawn('sh', ['-c', `${limit}exec "$0" "$1"`, process.execPath, MAIN], {
      env: {
        PATH: process.env['PATH'],
        GATEHOUSE_NODE_TOKEN: 'token',
        GATEHOUSE_PORT: '0',
        GATEHOUSE_NODE_ADMIN_PORT: '0',
        GATEHOUSE_DATA_DIR: path.join(folder, 'data'),
        GATEHOUSE_ACCESS_LOG: path.join(folder, 'access.log'),
        GATEHOUSE_CONTROL_ADDRESS: '127.0.0.1:9', // nobody is there
        GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const logged: Record<string, unknown>[] = [];
    let complaints = '';
    child.stderr!.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
    const listening = new Promise<{ port: number; adminPort: number }>((resolve, reject) => {
      createInterface(child.stdout!).on('line', (text) => {
        const line = JSON.parse(text) as Record<string, unknown>;
        logged.push(line);
        if (line['msg'] === 'listening') resolve(line as { port: number; adminPort: number } & typeof line);
      });
      child.once('close', () => reject(new Error(`the node ended: ${complaints}`)));
    });
    try {
      const { port, adminPort } = await listening;
      return new NodeProcess(child, folder, logged, port, adminPort);
    } catch (cause) {
      rmSync(folder, { recursive: true, force: true });
      throw cause;
    }
  }

  get pid(): number {
    return this.child.pid!;
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** The access log so far. */
  get recorded(): RecordedRequest[] {
    const text = readFileSync(path.join(this.folder, 'access.log'), 'utf8');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as RecordedRequest);
  }

  /** User and system, since its start. */
  get cpuMs(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'latin1');
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
      .map(Number) as [number, number];
    return (user + system) * 10; // clock ticks are 10 ms on Linux
  }

  async stop(): Promise<void> {
    if (!this.hasEnded) {
      const ended = once(this.child, 'exit');
      this.child.kill('SIGKILL');
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The disk store of `engine/control-link`, as a control plane's word would have left it. */
function writeManifest(folder: string, stages: readonly StageSnapshot[]): void {
  const entries = stages.map((stage) => {
    const bytes = canonicalJson(stage);
    const digest = sha256Hex(bytes);
    mkdirSync(path.join(folder, 'blobs', digest.slice(0, 2)), { recursive: true });
    writeFileSync(path.join(folder, 'blobs', digest.slice(0, 2), digest), bytes);
    const id = `${stage.apiId}/${stage.stage}`;
    return { kind: 'STAGE', id, tenant: stage.tenant, revision: 1, digest, blobBytes: Buffer.byteLength(bytes), inline: '' };
  });
  const record = canonicalJson({ revision: 1, entries, removed: [], lastGood: [], settled: [], seal: null });
  const checksum = sha256Hex(CHANGE_LOG_FORMAT + record).slice(0, 16);
  writeFileSync(path.join(folder, 'manifest.log'), `${checksum} ${record}\n`);
}
