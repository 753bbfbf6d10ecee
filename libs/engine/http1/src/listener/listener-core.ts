import type { Intake } from '@gatehouse/engine-accept';
import type { Exchange } from '@gatehouse/engine-exchange';
import type { Clock } from '@gatehouse/kernel';
import { DEFAULT_CHUNKED_LIMITS, DEFAULT_HEAD_LIMITS, type ChunkedLimits, type HeadLimits } from '../head-limits.js';
import type { Socket } from 'node:net';
import type { DateLine } from './answer-head.js';
import type { CallerConnection } from './caller-connection.js';
import type { ConnectionRefusal } from './connection-refusals.js';

export interface ListenerLimits {
  readonly head: HeadLimits;
  readonly chunked: ChunkedLimits;
  /** For the whole head of a request, and for the first byte on a new connection. */
  readonly headTimeoutMs: number;
  /** For the body behind it; time in which we did not read does not count. */
  readonly requestTimeoutMs: number;
  /** A connection without a request is closed after this (data-plane reference §10.9: 310 s). */
  readonly keepAliveMs: number;
  /** A caller that takes nothing of what is written for so long is cut off. */
  readonly stalledCallerMs: number;
  readonly requestsPerConnectionMax: number;
  readonly connectionsMax: number;
  /** Of one source address; a load balancer in front is one. */
  readonly connectionsPerAddressMax: number;
  /** A caller that has ended its side still gets the answer to a whole request. Off: it counts as gone. */
  readonly allowsHalfClosed: boolean;
}

export const DEFAULT_LISTENER_LIMITS: ListenerLimits = {
  head: DEFAULT_HEAD_LIMITS,
  chunked: DEFAULT_CHUNKED_LIMITS,
  headTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveMs: 310_000,
  stalledCallerMs: 60_000,
  requestsPerConnectionMax: 1_000_000,
  connectionsMax: 65_536,
  connectionsPerAddressMax: 16_384,
  allowsHalfClosed: false,
};

export const HTTP2_NO = 0;
export const HTTP2_MAYBE = 1;
export const HTTP2_YES = 2;

/** A request that asks to speak another protocol on its connection, before anything was made of it. */
export interface UpgradeRequest {
  readonly httpMethod: string;
  readonly target: string;
  readonly host: string;
  /** Name, value, ...; all of them, framing included. */
  readonly headers: readonly string[];
  /** Value of Upgrade. */
  readonly protocol: string;
  readonly socket: Socket;
  /** What came behind the head already; the socket flows once `onUpgrade` has returned. */
  readonly leftover: Buffer;
}

/** The listener as its connections need it. */
export interface ListenerCore {
  readonly limits: ListenerLimits;
  readonly intake: Intake;
  readonly clock: Clock;
  readonly dateLine: DateLine;
  /** No connection outlives its answer any more. */
  readonly isClosing: boolean;
  /** Memory is short: new requests are refused. */
  readonly isShedding: boolean;
  readonly onBug: ((bug: unknown) => void) | undefined;
  /** True: the socket is whoever took it's. */
  readonly onUpgrade: ((request: UpgradeRequest) => boolean) | undefined;
  acquire(): Exchange;
  /** Records and takes back; to be called once per Exchange. */
  finished(x: Exchange): void;
  idleDeadline(): number;
  refused(refusal: ConnectionRefusal): void;
  forget(connection: CallerConnection): void;
  looksLikeHttp2(chunk: Buffer): typeof HTTP2_NO | typeof HTTP2_MAYBE | typeof HTTP2_YES;
  /** The socket is somebody else's now; it counts as a connection until it closes. */
  handedOver(connection: CallerConnection): void;
  acceptHttp2(socket: Socket): void;
}
