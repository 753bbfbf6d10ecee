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
