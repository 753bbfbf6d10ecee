// http-proxy with a keep-alive agent. Arguments: port to listen on, port of the upstream.
import http from 'node:http';
import httpProxy from 'http-proxy';

const [port, upstreamPort] = process.argv.slice(2).map(Number);
const proxy = httpProxy.createProxyServer({
  target: `http://127.0.0.1:${upstreamPort}`,
  agent: new http.Agent({ keepAlive: true, maxSockets: 64 }),
});

http
  .createServer({ keepAliveTimeout: 3_600_000 }, (request, response) =>
    proxy.web(request, response, {}, () => {
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end();
    }),
  )
  .listen(port, '127.0.0.1');
