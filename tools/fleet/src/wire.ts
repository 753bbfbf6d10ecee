/** TCP between two parts, to be slowed, held, swallowed or cut; knows nothing of what is in it. */
import net from 'node:net';
import { once } from 'node:events';

interface Pair {
  readonly near: net.Socket;
  readonly far: net.Socket;
}

export class Wire {
  private readonly pairs = new Set<Pair>();
  /** `held`: bytes wait where they are, as before a process that hangs. `swallowed`: they are read and lost, as behind a dead router. */
  private state: 'open' | 'held' | 'swallowed' | 'refusing' = 'open';
  private cutAfterBytes = Number.POSITIVE_INFINITY;
  /** Of what comes back from the far side. */
  delayMs = 0;

  private constructor(
    private readonly server: net.Server,
    readonly port: number,
    private farPort: number,
    private readonly farHost: string,
  ) {
    server.on('connection', (near) => this.connected(near));
  }

  static async open(farPort: number, farHost = '127.0.0.1'): Promise<Wire> {
    const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Wire(server, (server.address() as net.AddressInfo).port, farPort, farHost);
  }

  /** New connections go there. */
  leadTo(farPort: number): void {
    this.farPort = farPort;
  }

  hold(): void {
    this.state = 'held';
    for (const { near, far } of this.pairs) for (const socket of [near, far]) socket.pause();
  }

  swallow(): void {
    this.state = 'swallowed';
  }

  /** New connections are closed at once, present ones cut. */
  refuse(): void {
    this.state = 'refusing';
    this.cut();
  }

  /** As before; what was held goes on. */
  release(): void {
    this.state = 'open';
    this.cutAfterBytes = Number.POSITIVE_INFINITY;
    for (const { near, far } of this.pairs) for (const socket of [near, far]) socket.resume();
  }

  cut(): void {
    for (const { near, far } of this.pairs) for (const socket of [near, far]) socket.resetAndDestroy();
  }

  /** Cuts once so many more bytes came back from the far side: in the middle of whatever they are. */
  cutAfter(bytes: number): void {
    this.cutAfterBytes = bytes;
  }

  close(): void {
    this.server.close();
    this.cut();
  }

  private connected(near: net.Socket): void {
    if (this.state === 'refusing') return void near.resetAndDestroy();
    const far = net.connect({ port: this.farPort, host: this.farHost, allowHalfOpen: true });
    const pair = { near, far };
    this.pairs.add(pair);
    near.setNoDelay(true);
    far.setNoDelay(true);
    this.carry(near, far, () => 0, false);
    this.carry(far, near, () => this.delayMs, true);
    const over = (): void => {
      this.pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) socket.on('error', over).on('close', over);
    if (this.state === 'held') for (const socket of [near, far]) socket.pause();
  }

  /** Never overtakes itself: each piece waits for the one before. */
  private carry(from: net.Socket, to: net.Socket, delayMs: () => number, isCounted: boolean): void {
    const queue: { readonly dueMs: number; readonly act: () => void }[] = [];
    const next = (): void => {
      for (let first = queue[0]; first !== undefined; first = queue[0]) {
        const waitMs = first.dueMs - performance.now();
        if (waitMs > 0) return void setTimeout(next, waitMs);
        queue.shift();
        first.act();
      }
    };
    const later = (act: () => void): void => {
      const ms = delayMs();
      if (ms === 0 && queue.length === 0) return act();
      queue.push({ dueMs: performance.now() + ms, act });
      if (queue.length === 1) next();
    };
    from.on('data', (bytes: Buffer) => {
      if (this.state === 'swallowed') return;
      let passed = bytes;
      if (isCounted && this.cutAfterBytes !== Number.POSITIVE_INFINITY) {
        passed = bytes.subarray(0, this.cutAfterBytes);
        this.cutAfterBytes -= passed.length;
        if (this.cutAfterBytes <= 0) {
          this.cutAfterBytes = Number.POSITIVE_INFINITY;
          to.write(passed, () => to.destroy());
          return;
        }
      }
      later(() => to.writable && to.write(passed));
    });
    from.on('end', () => later(() => to.end()));
  }
}
