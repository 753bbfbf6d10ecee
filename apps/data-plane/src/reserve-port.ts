import { createServer, type AddressInfo } from 'node:net';

const TRIES = 20;
const TRY_AGAIN_MS = 100;

/**
 * Finds out whether several processes can listen on this port, and on nobody else's; 0 finds a free one. Without this a second
 * node of the same user would share the port unnoticed. For a moment the port may still be that of workers whose supervisor
 * died, so it is tried for two seconds. Rejects with EADDRINUSE, or with what the platform lacks.
 */
export async function reservePort(port: number, host: string): Promise<number> {
  const free = await tryOften(() => probe({ port, host }));
  try {
    return await probe({ port: free, host, reusePort: true });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE') throw cause;
    throw new Error('Several processes cannot listen on one port on this system (SO_REUSEPORT). Set GATEHOUSE_WORKERS to 1.', {
      cause,
    });
  }
}

async function tryOften<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE' || tries === TRIES) throw cause;
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
    }
  }
}

function probe(options: { readonly port: number; readonly host: string; readonly reusePort?: boolean }): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(options, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
