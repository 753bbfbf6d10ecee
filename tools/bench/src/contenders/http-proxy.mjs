import path from 'node:path';

/** The proxy library most Node gateways were built on (its last release is from 2020). */
export const httpProxy = {
  name: 'http-proxy',
  title: 'http-proxy 1.18.1',
  start({ servers, core, port, upstreamPort }) {
    const file = path.join(import.meta.dirname, 'http-proxy-server.mjs');
    return servers.start(core, [process.execPath, file, String(port), String(upstreamPort)]);
  },
};
