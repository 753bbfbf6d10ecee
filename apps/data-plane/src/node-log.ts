import { pino, type Logger } from 'pino';
import type { Config } from './config.js';

/** Lines of the node's own log; on the standard output unless that is the access log's. */
export function openNodeLog(config: Config, fields: object = {}): Logger {
  return pino(
    { base: { app: 'data-plane', ...fields } },
    pino.destination({ dest: config.accessLog === '-' ? 2 : 1, sync: true }),
  );
}
