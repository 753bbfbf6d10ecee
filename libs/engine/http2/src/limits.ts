/** What a caller may ask of one HTTP/2 connection. README.md says which flood each of these stops. */
import type { ServerSessionOptions } from 'node:http2';

export interface Http2Limits {
  /** Streams a caller may have open at once on a connection. */
  readonly streamsMax: number;
  /** Names and values of a request's head, each field counted with 32 bytes more (RFC 9113 §6.5.2). */
  readonly headBytesMax: number;
  /** Fields of a head, pseudo fields included. */
  readonly headerCountMax: number;
  /** Bytes of a body a caller may send ahead of whoever reads it, per stream. */
  readonly streamWindowBytes: number;
  /** Memory of one connection in MiB: streams, header tables, answers that wait. New streams are refused beyond it. */
  readonly sessionMemoryMib: number;
  /** Streams that a caller opens and breaks before their answer is out, per `windowMs`. */
  readonly resetsMax: number;
  /** PING and SETTINGS frames per `windowMs`. */
  readonly controlFramesMax: number;
  /** Frames that make no sense and empty DATA frames, in the life of a connection. */
  readonly invalidFramesMax: number;
  readonly windowMs: number;
  /** For the caller's acknowledgement of our SETTINGS: until then it is not held to the number of streams. */
  readonly settingsTimeoutMs: number;
  /** For a request's body; time in which we did not read does not count. */
  readonly requestTimeoutMs: number;
  /** A connection without a request is closed after this (data-plane reference §10.9: 310 s). */
  readonly keepAliveMs: number;
  /** A caller that takes nothing of an answer for so long loses it: no window, or nothing read. */
  readonly stalledCallerMs: number;
  readonly sessionsMax: number;
}

export const DEFAULT_HTTP2_LIMITS: Http2Limits = {
  streamsMax: 128,
  headBytesMax: 20_480,
  headerCountMax: 200,
  streamWindowBytes: 65_535,
  sessionMemoryMib: 10,
  resetsMax: 200,
  controlFramesMax: 500,
  invalidFramesMax: 1_000,
  windowMs: 10_000,
  settingsTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveMs: 310_000,
  stalledCallerMs: 60_000,
  sessionsMax: 65_536,
};

export function sessionOptions(limits: Http2Limits): ServerSessionOptions {
  return {
    settings: {
      maxConcurrentStreams: limits.streamsMax,
      maxHeaderListSize: limits.headBytesMax,
      initialWindowSize: limits.streamWindowBytes,
    },
    maxHeaderListPairs: limits.headerCountMax,
    maxSessionMemory: limits.sessionMemoryMib,
    maxSessionInvalidFrames: limits.invalidFramesMax,
    // Behind our own count, which knows a stream that was answered from one that was broken.
    streamResetBurst: Math.max(1_000, 2 * limits.resetsMax),
    // What Node refuses although nghttp2 allows it: streams whose end it has not dealt with yet. No fault of the caller.
    maxSessionRejectedStreams: 1_000_000,
    // An upstream may send what names one value twice; it is passed on as it came.
    strictSingleValueFields: false,
  };
}
