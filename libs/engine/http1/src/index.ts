export { CHUNK_DATA, CHUNKS_END, ChunkedDecoder, type ChunkVerdict } from './chunked-decoder.js';
export { frameRequest, frameResponse, type BodyFraming, type Framing, type RequestFraming } from './framing.js';
export { NEED_MORE } from './head-collector.js';
export {
  DEFAULT_CHUNKED_LIMITS,
  DEFAULT_HEAD_LIMITS,
  HEAD_BYTES_CEILING,
  type ChunkedLimits,
  type HeadLimits,
} from './head-limits.js';
export type { RawHeaders } from './header-lines.js';
export { refuse, Refusal, REFUSALS, type Peer, type RefusalReason } from './refusals.js';
export { RequestHeadParser, type RequestHead, type TargetForm } from './request-head.js';
export { ResponseHeadParser, type ResponseHead } from './response-head.js';
export { ChunkedEncoder, writeRequestHead, writeResponseHead } from './write.js';
export { DEFAULT_LISTENER_LIMITS, type ListenerLimits, type UpgradeRequest } from './listener/listener-core.js';
export { Http1Listener, type Http1ListenerOptions } from './listener/http1-listener.js';
export { MemoryWatch, type MemoryWatchOptions } from './listener/memory-watch.js';
export type { ConnectionRefusal } from './listener/connection-refusals.js';
export { ConnectionBudget } from './upstream/descriptors.js';
export type { ClientCertificate } from './upstream/upstream-tls.js';
export { Http1Connector, type Http1ConnectorOptions } from './upstream/http1-connector.js';
