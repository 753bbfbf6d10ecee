import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Writes a configuration with one worker that keeps connections for ever; returns its file. */
export function nginxConfig(folder, name, server) {
  const own = path.join(folder, name);
  mkdirSync(own);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const file = path.join(own, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off;
worker_processes 1;
pid ${own}/nginx.pid;
error_log ${own}/error.log warn;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  ${temporary.map((kind) => `${kind}_temp_path ${own}/${kind};`).join('\n  ')}
  ${server}
}
`,
  );
  return file;
}

/** The yardstick: proxy_pass with a pool of upstream connections and no access log. */
export const nginx = {
  name: 'nginx',
  title: 'nginx proxy_pass',
  needs: 'nginx',
  versionFlag: '-v',
  start({ servers, programs, folder, core, port, upstreamPort }) {
    const file = nginxConfig(
      folder,
      'nginx',
      `upstream item {
    server 127.0.0.1:${upstreamPort};
    keepalive 64;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location / {
      proxy_pass http://item;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }`,
    );
    return servers.start(core, [programs.nginx, '-c', file]);
  },
};
