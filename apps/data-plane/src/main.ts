import { systemClock } from '@gatehouse/kernel';
import { pino } from 'pino';
import { readDataPlaneConfig } from './config.js';
import { startDataPlane } from './data-plane.js';

const config = readDataPlaneConfig(process.env);
// The standard output is the access log's when it has no file.
const log = pino({ base: { app: 'data-plane' } }, pino.destination({ dest: config.accessLog === '-' ? 2 : 1, sync: true }));
log.info({ ...config }, 'starting');
const dataPlane = await startDataPlane(config, { clock: systemClock, log });
log.info({ port: dataPlane.port, adminPort: dataPlane.adminPort }, 'listening');

let isStopping = false;
async function stop(reason: string): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  log.info({ reason }, 'stopping');
  await dataPlane.close();
  process.exit(0);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(signal));
// Started by the launcher: when that is gone, so are we.
process.on('disconnect', () => void stop('launcher is gone'));
