/**
 * The implementations of the HTTP engine. Every spec of this project runs against each of them; one more is one more entry.
 *
 * `deviations` are what an implementation is known to do otherwise. Their tests run and must fail: a deviation that is gone has to
 * leave the list. `lacks` are whole features; their tests are not run, and every run says so.
 */
import { HttpConnector, type HttpConnectorOptions } from '@gatehouse/engine-connectors';
import type { Connector } from '@gatehouse/engine-exchange';
import { HttpListener, type HttpListenerOptions } from '@gatehouse/engine-http';
import type { NameService, UpstreamSettingsOverrides } from '@gatehouse/engine-upstream';
import { REFERENCE_DEVIATIONS } from './reference-deviations.js';

export interface Listener {
  readonly port: number;
  readonly inFlightCount: number;
  listen(port: number, host: string): Promise<void>;
  close(options: { readonly deadlineMs: number }): Promise<void>;
}

export interface UpstreamClient extends Connector {
  close(): Promise<void>;
}

/** Lines of `faults.md`; `cases` are titles of tests, or the part of them in front of ` (file:line)`. */
export interface Deviation {
  readonly fault: number;
  readonly cases: readonly string[];
  readonly why: string;
}

/** Features that not every implementation has, with the options that ask for them; `null`: it lacks the feature. */
export interface Extras {
  /** A caller that has ended its side still gets its answer. */
  readonly halfClosed: (() => object) | null;
  /** Fault 57: at most so many connections in all, and from one address. */
  readonly connectionLimits: ((inAll: number, perAddress: number) => object) | null;
  /** Fault 57: true while the process has no memory to spare; new work is refused. */
  readonly shedding: ((isShort: () => boolean) => object) | null;
  /** Faults 36 and 37: who resolves names, and when an upstream is left alone. Options of the connector. */
  readonly upstream: ((names: NameService, settings: UpstreamSettingsOverrides) => object) | null;
}

export interface Engine {
  readonly name: string;
  listener(options: HttpListenerOptions): Listener;
  connector(options: HttpConnectorOptions): UpstreamClient;
  /** Whether pipelined requests of one caller are worked on at the same time. Answers come in order either way. */
  readonly pipelines: 'in parallel' | 'in turn';
  readonly extras: Extras;
  readonly deviations: readonly Deviation[];
}

const REFERENCE: Engine = {
  name: 'reference (node:http, undici)',
  listener: (options) => new HttpListener(options),
  connector: (options) => new HttpConnector(options),
  pipelines: 'in parallel',
  extras: { halfClosed: null, connectionLimits: null, shedding: null, upstream: null },
  deviations: REFERENCE_DEVIATIONS,
};

const ALL: readonly Engine[] = [REFERENCE];

/** `GATEHOUSE_ENGINE=plain` runs those whose name holds the word. */
const wanted = process.env['GATEHOUSE_ENGINE'] ?? '';
export const ENGINES: readonly Engine[] = ALL.filter(({ name }) => name.includes(wanted));
