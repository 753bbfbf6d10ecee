export type { SessionEnd } from './caller-session.js';
export { Http2Sessions, type Http2SessionsOptions } from './http2-sessions.js';
export { DEFAULT_HTTP2_LIMITS, type Http2Limits } from './limits.js';
export { Http2Upstream, type Http2Failure, type Http2UpstreamOptions } from './upstream/http2-upstream.js';
export type { CallSink } from './upstream/upstream-call.js';
