// A minimal proxy: node:http in front, an undici pool behind. Arguments: port to listen on, port of the upstream.
import http from 'node:http';
import { Pool } from 'undici';

const [port, upstreamPort] = process.argv.slice(2).map(Number);
const upstream = new Pool(`http://127.0.0.1:${upstreamPort}`, { connections: 64, pipelining: 1 });
/** Of one connection only (RFC 9110 §7.6.1); never forwarded. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']);

function endToEnd(headers) {
  const kept = {};
  for (const name in headers) if (!HOP_BY_HOP.has(name)) kept[name] = headers[name];
  return kept;
}

http
  .createServer({ keepAliveTimeout: 3_600_000 }, (request, response) => {
    const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
    const call = {
      path: request.url,
      method: request.method,
      headers: endToEnd(request.headers),
      body: hasBody ? request : null,
    };
    upstream
      .stream(call, ({ statusCode, headers }) => response.writeHead(statusCode, endToEnd(headers)))
      .catch(() => {
        if (response.headersSent) response.destroy();
        else response.writeHead(502).end();
      });
  })
  .listen(port, '127.0.0.1');
