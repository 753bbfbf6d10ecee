// Our node, each form a process of its own that joined the running product. All forms have the same two APIs; they differ in the API that
// is called, and in these settings.
import path from 'node:path';
import { NODE_OPTIONS } from '../node-options.mjs';
import { freePorts } from '../servers.mjs';

const MAIN = path.resolve(import.meta.dirname, '../../../../apps/data-plane/dist/main.js');

function gatehouseNode({ name, title, api, settings, accessLog }) {
  return {
    name,
    title,
    needsProduct: true,
    pathPrefix: '/bench',
    headersOf: (product) => product[api],
    async start({ servers, folder, core, port, tlsPort, certificate, product, workers = 1, settings: more = {} }) {
      const [adminPort] = await freePorts(1);
      const environment = {
        ...product.environment,
        GATEHOUSE_PORT: String(port),
        GATEHOUSE_NODE_ADMIN_PORT: String(adminPort),
        GATEHOUSE_DATA_DIR: path.join(folder, name),
        GATEHOUSE_ACCESS_LOG: accessLog === 'off' ? 'off' : path.join(folder, `${name}-${accessLog}`),
        GATEHOUSE_WORKERS: String(workers),
        ...(certificate === null ? {} : { GATEHOUSE_TLS_PORT: String(tlsPort), GATEHOUSE_TLS_DIR: certificate.folder }),
        ...settings,
        ...more,
      };
      return servers.start(core, [process.execPath, ...NODE_OPTIONS, MAIN], environment, folder);
    },
  };
}

/** As little as our node can do for a route: like the others it writes no access log. */
export const gatehouse = gatehouseNode({
  name: 'gatehouse',
  title: 'Gatehouse, HTTP proxy route',
  api: 'plain',
  settings: {},
  accessLog: 'off',
});

export const gatehouseKey = gatehouseNode({
  name: 'gatehouse-key',
  title: 'Gatehouse: key, throttle, quota, metrics, metering, JSON access log',
  api: 'keyed',
  settings: {},
  accessLog: 'access.log',
});

export const gatehouseNodeHttp = gatehouseNode({
  name: 'gatehouse-node-http',
  title: 'Gatehouse on its reference engine, node:http + undici',
  api: 'plain',
  settings: { GATEHOUSE_ENGINE: 'node-http' },
  accessLog: 'off',
});
