export { MemoryFiles } from './memory-files.js';
