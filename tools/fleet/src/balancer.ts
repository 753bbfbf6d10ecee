/** HAProxy before the nodes, with `deploy/haproxy.cfg` made to fit this machine: what is deployed is what is tested. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import net from 'node:net';
import { endingWithUs, installFromDebian, onPath } from '@gatehouse/testkit';
import { ROOT } from './part.js';
import { eventually } from './wait.js';

interface Member {
  readonly port: number;
  readonly adminPort: number;
}

/** The path of HAProxy; `null` when it is neither here nor to be had. */
export async function findHaproxy(): Promise<string | null> {
  return onPath('haproxy') ?? ((await installFromDebian('haproxy')) ? onPath('haproxy') : null);
}

/** Addresses and ports of this machine in the deployed text. Throws when that is not the text this knows. */
export function balancerConfig(deployed: string, port: number, nodes: readonly Member[], statsSocket: string): string {
  const replaced = (text: string, from: RegExp, to: string): string => {
    if (!from.test(text)) throw new Error(`deploy/haproxy.cfg has no ${from}`);
    return text.replace(from, to);
  };
  let text = replaced(deployed, /^ {2}bind :8080$/m, `  bind 127.0.0.1:${port}`);
  text = replaced(text, /^global$/m, `global\n  stats socket ${statsSocket} level user`);
  // As many need more descriptors than a test may have.
  text = replaced(text, /^ {2}maxconn 20000$/m, '  maxconn 2000');
  // The nodes of this fleet have no certificates: what passes TLS through is left out.
  for (const section of ['resolvers docker', 'frontend domain-names', 'backend nodes-tls'])
    text = replaced(text, new RegExp(`^${section}\\n(?: {2}.*\\n)+`, 'm'), '');
  text = replaced(text, / check port 8081 (.*) resolvers docker init-addr none$/m, ' check $1');
  nodes.forEach((node, index) => {
    const name = `node-${index + 1}`;
    const line = new RegExp(`^ {2}server ${name} ${name}:8080$`, 'm');
    text = replaced(text, line, `  server ${name} 127.0.0.1:${node.port} port ${node.adminPort}`);
  });
  return text;
}

export class Balancer {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
    private readonly statsSocket: string,
  ) {}

  static async start(program: string, folder: string, port: number, nodes: readonly Member[]): Promise<Balancer> {
    const file = path.join(folder, 'haproxy.cfg');
    const statsSocket = path.join(folder, 'haproxy.sock');
    writeFileSync(file, balancerConfig(readFileSync(path.join(ROOT, 'deploy/haproxy.cfg'), 'utf8'), port, nodes, statsSocket));
    const [command, args] = endingWithUs([program, ['-db', '-f', file]]);
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output = `${output}${chunk}`.slice(-4_000)));
    const balancer = new Balancer(child, port, statsSocket);
    await eventually(`HAProxy answers (${output})`, 10_000, async () => {
      if (child.exitCode !== null) throw new Error(output);
      return (await balancer.stats()).length > 0;
    });
    return balancer;
  }

  /** Servers that get requests now. */
  async upCount(): Promise<number> {
    return (await this.stats()).filter(({ type, status }) => type === '2' && status!.startsWith('UP')).length;
  }

  /** Requests it sent to a node a second time. */
  async retryCount(): Promise<number> {
    return (await this.stats()).filter(({ type }) => type === '2').reduce((sum, { wretr }) => sum + Number(wretr), 0);
  }

  killNow(): void {
    this.child.kill('SIGKILL');
  }

  private async stats(): Promise<Record<string, string>[]> {
    const text = await new Promise<string>((resolve, reject) => {
      const socket = net.connect(this.statsSocket, () => socket.write('show stat\n'));
      let read = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => (read += chunk));
      socket.on('error', reject).on('end', () => resolve(read));
    });
    const [head, ...lines] = text.trim().split('\n');
    const names = head!.replace(/^# /, '').split(',');
    return lines.map((line) => Object.fromEntries(line.split(',').map((value, index) => [names[index]!, value])));
  }
}
