/** What callers connect to. */
import { HttpListener } from '@gatehouse/engine-http';
import type { WorldKeeper } from '@gatehouse/engine-link';
import type { Recorder } from '@gatehouse/engine-record';
import type { Clock } from '@gatehouse/kernel';
import type { Config } from './config.js';

export interface Listeners {
  readonly port: number;
  /** Takes no new connections and lets requests finish; what is left at the deadline is cut. */
  close(options: { readonly deadlineMs: number }): Promise<void>;
}

export interface ListenerDependencies {
  readonly worlds: WorldKeeper;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly onBug: (bug: unknown) => void;
  /** Other processes listen on the same port; the kernel spreads connections over them. */
  readonly sharesPort: boolean;
}

/** Resolves when requests are taken; rejects when the port is in use. */
export async function openListeners(config: Config, dependencies: ListenerDependencies): Promise<Listeners> {
  const { sharesPort, ...rest } = dependencies;
  const listener = new HttpListener({ ...rest, baseDomain: config.baseDomain });
  await listener.listen(config.port, config.bind, { reusePort: sharesPort });
  return listener;
}
