import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export const LUA_MODULES = ['ndk_http_module', 'ngx_http_lua_module'];

/** Writes a configuration with one worker that keeps connections for ever; returns its file. */
export function nginxConfig(folder, name, { modules = [], connections, http }) {
  const own = path.join(folder, name);
  mkdirSync(own);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const file = path.join(own, 'nginx.conf');
  writeFileSync(
    file,
    `${modules.map((module) => `load_module /usr/lib/nginx/modules/${module}.so;\n`).join('')}daemon off;
worker_processes 1;
pid ${own}/nginx.pid;
error_log ${own}/error.log warn;
events { worker_connections ${connections}; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  ${temporary.map((kind) => `${kind}_temp_path ${own}/${kind};`).join('\n  ')}
  ${http}
}
`,
  );
  return file;
}

export function itemUpstream(port) {
  return `upstream item {
    server 127.0.0.1:${port};
    keepalive 64;
    keepalive_requests 1000000000;
  }`;
}

export const PROXY_PASS = `proxy_pass http://item;
      proxy_http_version 1.1;
      proxy_set_header Connection "";`;

/** The yardstick: proxy_pass with a pool of upstream connections and no access log. Large bodies pass through, not by way of a file. */
export const nginx = {
  name: 'nginx',
  title: 'nginx proxy_pass',
  needs: ['nginx'],
  versionFlag: '-v',
  start({ servers, programs, folder, core, port, tlsPort, certificate, connections, upstreamPort }) {
    const tls = `listen 127.0.0.1:${tlsPort} ssl http2 backlog=1024;
    ssl_certificate ${certificate?.crt};
    ssl_certificate_key ${certificate?.key};`;
    const file = nginxConfig(folder, 'nginx', {
      connections,
      http: `${itemUpstream(upstreamPort)}
  server {
    listen 127.0.0.1:${port} backlog=1024;
    ${certificate === null ? '' : tls}
    client_max_body_size 0;
    location / {
      ${PROXY_PASS}
    }
    location = /upload {
      ${PROXY_PASS}
      proxy_request_buffering off;
      client_body_buffer_size 64k;
    }
    location = /download {
      ${PROXY_PASS}
      proxy_max_temp_file_size 0;
      proxy_buffer_size 64k;
      proxy_buffers 16 64k;
      proxy_busy_buffers_size 128k;
    }
  }`,
    });
    return servers.start(core, [programs.nginx, '-c', file]);
  },
};
