/**
 * The implementations of the HTTP engine. Every spec of this project runs against each of them; one more is one more entry.
 *
 * `deviations` are what an implementation is known to do otherwise. Their tests run and must fail: a deviation that is gone has to
 * leave the list. `extras` are whole features; without one its tests are not run, and every run says so.
 */
import { AddressRules, HttpConnector, type AddressRulesOptions } from '@gatehouse/engine-connectors';
import type { Connector } from '@gatehouse/engine-exchange';
import { HttpListener, type HttpListenerOptions } from '@gatehouse/engine-http';
import { Http1Connector, Http1Listener, MemoryWatch } from '@gatehouse/engine-http1';
import { openDestinations, type NameService, type UpstreamSettingsOverrides } from '@gatehouse/engine-upstream';
import { PLAIN_DEVIATIONS, REFERENCE_DEVIATIONS } from './deviations.js';

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
  /** Faults 36 and 37: it can be told who resolves names, and when an upstream is left alone. */
  readonly destinations: true | null;
}

/** What every upstream client can be asked for; `names` and `settings` mean something to those that have `destinations`. */
export interface ConnectorOptions {
  readonly rules: AddressRulesOptions;
  readonly skipsVerification?: boolean;
  readonly idleConnectionMs?: number;
  readonly connectTimeoutMs?: number;
  readonly names?: NameService;
  readonly settings?: UpstreamSettingsOverrides;
}

export interface Engine {
  readonly name: string;
  listener(options: HttpListenerOptions): Listener;
  connector(options: ConnectorOptions): UpstreamClient;
  /** Whether pipelined requests of one caller are worked on at the same time. Answers come in order either way. */
  readonly pipelines: 'in parallel' | 'in turn';
  /** Takes nothing that nginx or Node's parser refuses. */
  readonly isStrict: boolean;
  readonly extras: Extras;
  readonly deviations: readonly Deviation[];
}

const REFERENCE: Engine = {
  name: 'reference (node:http, undici)',
  listener: (options) => new HttpListener(options),
  connector: ({ rules, ...options }) => new HttpConnector({ ...options, addressRules: new AddressRules(rules) }),
  pipelines: 'in parallel',
  isStrict: false, // what llhttp takes: see its deviations
  extras: { halfClosed: null, connectionLimits: null, shedding: null, destinations: null },
  deviations: REFERENCE_DEVIATIONS,
};

export const PLAIN: Engine = {
  name: 'plain sockets',
  listener: (options) => new Http1Listener(options),
  connector: ({ rules, names, settings, ...options }) => {
    const addressRules = new AddressRules(rules);
    // Without a breaker unless a test asks for one: most of them break upstreams all the time.
    const all = { breaker: null, ...settings };
    return new Http1Connector({
      ...options,
      destinations: openDestinations({ rules: { rulesFor: () => addressRules }, names, settings: all }),
    });
  },
  pipelines: 'in turn',
  isStrict: true,
  extras: {
    halfClosed: () => ({ allowsHalfClosed: true }),
    connectionLimits: (connectionsMax, connectionsPerAddressMax) => ({ connectionsMax, connectionsPerAddressMax }),
    shedding: (isShort) => ({ memory: new MemoryWatch({ usedShare: () => (isShort() ? 1 : 0) }) }),
    destinations: true,
  },
  deviations: PLAIN_DEVIATIONS,
};

const ALL: readonly Engine[] = [REFERENCE, PLAIN];

/** `GATEHOUSE_ENGINE=plain` runs those whose name holds the word. */
const wanted = process.env['GATEHOUSE_ENGINE'] ?? '';
export const ENGINES: readonly Engine[] = ALL.filter(({ name }) => name.includes(wanted));
