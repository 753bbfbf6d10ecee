// The upstream every contender calls: one small JSON document, as cheap as it gets.
import path from 'node:path';
import { writeFileSync } from 'node:fs';
import { nginxConfig } from './contenders/nginx.mjs';

const BODY = '{"id":1,"name":"Rex","type":"dog","price":249.99}';

/** Starts the upstream on the core of the load; says what it is. */
export function startUpstream(servers, { programs, folder, core, port }) {
  if (programs.nginx === null) {
    const script = `import http from 'node:http';
http.createServer({ keepAliveTimeout: 3_600_000 }, (request, response) => response.writeHead(200, { 'content-type': 'application/json', 'content-length': ${BODY.length} }).end('${BODY}')).listen(${port}, '127.0.0.1');`;
    const file = path.join(folder, 'upstream.mjs');
    writeFileSync(file, script);
    return { kind: 'node:http', server: servers.start(core, [process.execPath, file]) };
  }
  const file = nginxConfig(
    folder,
    'upstream',
    `server {
    listen 127.0.0.1:${port} backlog=1024;
    default_type application/json;
    location / { return 200 '${BODY}'; }
  }`,
  );
  return { kind: 'nginx, "return 200"', server: servers.start(core, [programs.nginx, '-c', file]) };
}
