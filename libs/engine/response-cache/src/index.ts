export { bytesOf, ENTRY_BYTES, MemoryResponses } from './memory-responses.js';
export { ResponseCache, type ResponseCacheOptions } from './response-cache.js';
export { type MayInvalidate, RouteCache, WARNING } from './route-cache.js';
export { STORED_BODY_BYTES_MAX } from './storable.js';
export { PASS, RESPONSE, VARIES, type CacheScope, type ResponseStore, type StoredResponse } from './stored-response.js';
