export { exportOperations, type ExportDependencies, type ExportOperations } from './exports.operations.js';
export { Exports, type Download, type ExportRequest } from './exports.service.js';
