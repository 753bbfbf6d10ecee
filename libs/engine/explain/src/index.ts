export { RequestMemory, type ExplainOptions } from './request-memory.js';
