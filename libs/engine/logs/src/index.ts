export { compileAccessFormat, type AccessFormat } from './access-format.js';
export { ExecutionLog, shownUriOf, type ExecutionLogOptions } from './execution-log.js';
export type { FileLimits } from './file-sink.js';
export { LogGroups, type LogGroupsOptions, type LogPlace } from './log-groups.js';
export { masked } from './masked.js';
export { StageLogs } from './stage-logs.js';
