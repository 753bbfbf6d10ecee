import 'reflect-metadata';
import { systemClock } from '@gatehouse/kernel';
import { pino } from 'pino';
import { readControlPlaneConfig } from './config.js';
import { startControlPlane } from './control-plane.js';

const log = pino({ base: { app: 'control-plane' } });
const config = readControlPlaneConfig(process.env);
log.info({ ...config, databaseUrl: '[redacted]', redisUrl: config.redisUrl === '' ? '' : '[redacted]' }, 'starting');
const controlPlane = await startControlPlane(config, { clock: systemClock, log });
log.info({ adminPort: controlPlane.adminPort, grpcPort: controlPlane.grpcPort }, 'listening');

let isStopping = false;
async function stop(reason: string): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  log.info({ reason }, 'stopping');
  await controlPlane.close();
  process.exit(0);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(signal));
// Started by the launcher: when that is gone, so are we.
process.on('disconnect', () => void stop('launcher is gone'));
