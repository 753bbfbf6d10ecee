import path from 'node:path';

/** The least a proxy out of Node's listener and undici can do: no routes, no checks, no log. */
export const nodeUndici = {
  name: 'node-undici',
  title: 'node:http + undici, 30 lines',
  start({ servers, core, port, upstreamPort }) {
    return servers.start(core, [
      process.execPath,
      path.join(import.meta.dirname, 'node-undici-proxy.mjs'),
      String(port),
      String(upstreamPort),
    ]);
  },
};
