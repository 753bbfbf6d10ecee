import { PLANE_MESSAGE_BYTES_MAX, type PlaneChannel } from '@gatehouse/domain';
import type pg from 'pg';
import type { Listener } from './listener.js';

export const PLANES_CHANNEL = 'gatehouse_planes';

export class PostgresPlaneChannel implements PlaneChannel {
  constructor(
    private readonly pool: pg.Pool,
    private readonly listener: Listener,
  ) {}

  async send(message: string): Promise<void> {
    if (Buffer.byteLength(message) > PLANE_MESSAGE_BYTES_MAX) throw new Error('the message is too long');
    await this.pool.query('SELECT pg_notify($1, $2)', [PLANES_CHANNEL, message]);
  }

  subscribe(onMessage: (message: string) => void): Promise<() => Promise<void>> {
    return this.listener.subscribe((text) => {
      if (text !== '') onMessage(text); // else something may have been missed: whoever waits for it has a deadline
    });
  }
}
