import { systemClock } from '@gatehouse/kernel';
import { readDataPlaneConfig } from './config.js';
import { startDataPlane } from './data-plane.js';
import { openNodeLog } from './node-log.js';
import { startSupervisor } from './supervisor.js';

const config = readDataPlaneConfig(process.env);
const log = openNodeLog(config);
log.info({ ...config }, 'starting');
const start = config.workers === 1 ? startDataPlane : startSupervisor;
const dataPlane = await start(config, { clock: systemClock, log });
log.info({ port: dataPlane.port, adminPort: dataPlane.adminPort }, 'listening');

let isStopping = false;
async function stop(reason: string): Promise<void> {
  if (isStopping) {
    log.warn({ reason }, 'told again: ending at once');
    dataPlane.abandon();
    process.exit(1);
  }
  isStopping = true;
  log.info({ reason }, 'stopping');
  await dataPlane.close();
  process.exit(0);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(signal));
// Started by the launcher: when that is gone, so are we.
process.on('disconnect', () => void (isStopping || stop('launcher is gone')));
