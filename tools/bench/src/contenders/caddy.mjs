import { writeFileSync } from 'node:fs';
import path from 'node:path';

export const caddy = {
  name: 'caddy',
  title: 'Caddy reverse_proxy',
  needs: ['caddy'],
  versionFlag: 'version',
  start({ servers, programs, folder, core, port, tlsPort, certificate, upstreamPort }) {
    const file = path.join(folder, 'Caddyfile');
    const proxy = `bind 127.0.0.1
  reverse_proxy 127.0.0.1:${upstreamPort} {
    transport http {
      keepalive_idle_conns_per_host 128
    }
  }`;
    const tls = `https://:${tlsPort} {
  tls ${certificate?.crt} ${certificate?.key}
  ${proxy}
}`;
    writeFileSync(
      file,
      `{
  admin off
  auto_https off
}
http://:${port} {
  ${proxy}
}
${certificate === null ? '' : tls}
`,
    );
    const own = { GOMAXPROCS: '1', XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
    return servers.start(core, [programs.caddy, 'run', '--config', file, '--adapter', 'caddyfile'], own);
  },
};
