// Everybody who is measured, in the order of the tables; and how they are started for one scenario.
import { caddy } from './contenders/caddy.mjs';
import { expressGateway } from './contenders/express-gateway.mjs';
import { fastifyHttpProxy } from './contenders/fastify-http-proxy.mjs';
import { gatehouse, gatehouseKey, gatehouseNodeHttp } from './contenders/gatehouse.mjs';
import { haproxy } from './contenders/haproxy.mjs';
import { httpProxy } from './contenders/http-proxy.mjs';
import { nginx } from './contenders/nginx.mjs';
import { nginxLua } from './contenders/nginx-lua.mjs';
import { nodeUndici } from './contenders/node-undici.mjs';
import { ITEM } from './bodies.mjs';
import { versionOf } from './packages.mjs';
import { answers, freePorts } from './servers.mjs';

const NODE = `Node ${process.versions.node}`;

export const CONTENDERS = [
  nginx,
  haproxy,
  caddy,
  nginxLua,
  nodeUndici,
  httpProxy,
  fastifyHttpProxy,
  expressGateway,
  gatehouseNodeHttp,
  gatehouse,
  gatehouseKey,
];

/** Starts one for a scenario. Does not throw: `problem` says why there is nothing to measure, else it is null. */
export async function startContender(kind, context) {
  const { programs, packages } = context;
  const contender = {
    name: kind.name,
    title: kind.title,
    version:
      kind.needs === undefined || programs[kind.needs[0]] === null ? NODE : versionOf(programs[kind.needs[0]], kind.versionFlag),
    pathPrefix: kind.pathPrefix ?? '',
    problem: null,
  };
  const missing = (kind.needs ?? []).filter((name) => programs[name] === null);
  if (missing.length > 0) return { ...contender, version: '-', problem: `${missing.join(', ')} not installed` };
  if (kind.npm !== undefined && packages[kind.npm.name] === null) return { ...contender, problem: 'npm could not install it' };
  const [port, tlsPort] = await freePorts(2);
  const headers = kind.headersOf?.(context.product) ?? kind.headers ?? {};
  const server = await kind.start({ ...context, port, tlsPort });
  const started = { ...contender, headers, port, tlsPort, server, pid: server.child.pid };
  try {
    const body = await answers(target(started, '/item'), server);
    return body === ITEM ? started : { ...started, problem: `answers something else than the upstream: ${body.slice(0, 80)}` };
  } catch (error) {
    return { ...started, problem: error.message };
  }
}

/** Address and headers to call `path` of the upstream through a contender. */
export function target({ port, tlsPort, pathPrefix, headers }, path, { isTls = false, ...more } = {}) {
  return { url: `${isTls ? 'https' : 'http'}://127.0.0.1:${isTls ? tlsPort : port}${pathPrefix}${path}`, headers, ...more };
}
