import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const VERSION = '1.16.11';

/** The gateway that Node people knew (its last release is from 2021): one pipeline with nothing but its proxy policy. */
export const expressGateway = {
  name: 'express-gateway',
  title: `express-gateway ${VERSION}`,
  npm: { name: 'express-gateway', version: VERSION },
  start({ servers, packages, folder, core, port, upstreamPort }) {
    const config = path.join(folder, 'express-gateway');
    const installed = path.join(packages['express-gateway'], 'node_modules/express-gateway');
    mkdirSync(config);
    cpSync(path.join(installed, 'lib/config/models'), path.join(config, 'models'), { recursive: true });
    cpSync(path.join(installed, 'lib/config/system.config.yml'), path.join(config, 'system.config.yml'));
    writeFileSync(
      path.join(config, 'gateway.config.yml'),
      `http: { port: ${port}, hostname: 127.0.0.1 }
apiEndpoints: { item: { host: '*', paths: '/*' } }
serviceEndpoints: { item: { url: 'http://127.0.0.1:${upstreamPort}' } }
policies: [proxy]
pipelines:
  item:
    apiEndpoints: [item]
    policies:
      - proxy: [{ action: { serviceEndpoint: item } }]
`,
    );
    const script = `require(${JSON.stringify(installed)})().load(${JSON.stringify(config)}).run()`;
    return servers.start(core, [process.execPath, '--no-deprecation', '-e', script]);
  },
};
