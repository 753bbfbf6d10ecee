import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** It wants two files per connection it may have; without `strict-limits` it makes do with what it may open. */
export const haproxy = {
  name: 'haproxy',
  title: 'HAProxy',
  needs: ['haproxy'],
  versionFlag: '-v',
  start({ servers, programs, folder, core, port, tlsPort, certificate, connections, upstreamPort }) {
    const file = path.join(folder, 'haproxy.cfg');
    const tls = certificate === null ? '' : `bind 127.0.0.1:${tlsPort} ssl crt ${certificate.pem} alpn h2,http/1.1`;
    writeFileSync(
      file,
      `global
  nbthread 1
  maxconn ${connections}
  no strict-limits
defaults
  mode http
  http-reuse always
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend callers
  bind 127.0.0.1:${port}
  ${tls}
  default_backend item
backend item
  server item 127.0.0.1:${upstreamPort}
`,
    );
    return servers.start(core, [programs.haproxy, '-db', '-f', file]);
  },
};
