import path from 'node:path';

export const fastifyHttpProxy = {
  name: 'fastify-http-proxy',
  title: '@fastify/http-proxy 11.6.3',
  start({ servers, core, port, upstreamPort }) {
    const file = path.join(import.meta.dirname, 'fastify-http-proxy-server.mjs');
    return servers.start(core, [process.execPath, file, String(port), String(upstreamPort)]);
  },
};
