/** Descriptors are the process's own and few: who runs out of them has not met an upstream that failed. */
import type { Socket } from 'node:net';

/** Connections to upstreams that a process may have at once, over all its connectors and tenants. Beyond it calls are refused. */
export class ConnectionBudget {
  private openCount = 0;

  constructor(readonly connectionsMax: number) {}

  get isSpent(): boolean {
    return this.openCount >= this.connectionsMax;
  }

  opened(socket: Socket): void {
    this.openCount++;
    socket.once('close', () => this.openCount--);
  }
}

/** When a call that found no descriptor may try again. */
export const SHORTAGE_RETRY_MS = 1_000;

const SHORTAGES: Readonly<Record<string, string>> = {
  EMFILE: 'this node has no file descriptor left',
  ENFILE: 'this machine has no file descriptor left',
  ENOBUFS: 'this machine has no memory left for sockets',
  ENOMEM: 'this machine has no memory left for sockets',
};

/** In words, if a connection could not be made for a reason of our own; else `null`. What Node says is the error's `cause`. */
export function namedShortage(cause: Error): Error | null {
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  const words = SHORTAGES[code];
  return words === undefined ? null : new Error(`${words} (${code})`, { cause });
}
