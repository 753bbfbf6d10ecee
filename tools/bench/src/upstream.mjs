// The upstream every contender calls, as cheap as it gets:
//   /item      one small JSON document        /download  10 MB
//   /echo      what was sent                  /upload    reads it all, answers how many bytes it was
import path from 'node:path';
import { writeFileSync } from 'node:fs';
import { ITEM, STREAMED_BYTES } from './bodies.mjs';
import { LUA_MODULES, nginxConfig } from './contenders/nginx.mjs';

/** Starts the upstream on the core of the load; says what it is. */
export function startUpstream(servers, { programs, folder, core, port }) {
  if (programs.nginx === null || programs.nginxLua === null) {
    const script = path.join(import.meta.dirname, 'upstream-server.mjs');
    return { kind: 'node:http', server: servers.start(core, [process.execPath, script, String(port)]) };
  }
  writeFileSync(path.join(folder, 'download'), 'x'.repeat(STREAMED_BYTES));
  const file = nginxConfig(folder, 'upstream', {
    modules: LUA_MODULES,
    connections: 4096,
    http: `server {
    listen 127.0.0.1:${port} backlog=1024;
    default_type application/json;
    client_max_body_size 0;
    client_body_buffer_size ${STREAMED_BYTES + 1024};
    location / { return 200 '${ITEM}'; }
    location = /echo { content_by_lua_block {
      ngx.req.read_body()
      local body = ngx.req.get_body_data() or ''
      ngx.header['Content-Length'] = #body
      ngx.print(body)
    } }
    location = /download { default_type text/plain; root ${folder}; sendfile on; }
    location = /upload { default_type text/plain; content_by_lua_block {
      ngx.req.read_body()
      local length = tostring(#(ngx.req.get_body_data() or ''))
      ngx.header['Content-Length'] = #length
      ngx.print(length)
    } }
  }`,
  });
  return { kind: 'nginx, "return 200"', server: servers.start(core, [programs.nginx, '-c', file]) };
}
