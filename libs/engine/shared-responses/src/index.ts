export { RedisResponses, type RedisResponsesOptions } from './redis-responses.js';
export { Sealer } from './sealer.js';
