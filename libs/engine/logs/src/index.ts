export { compileAccessFormat, type AccessFormat } from './access-format.js';
export type { FileLimits } from './file-sink.js';
export { LogGroups, type LogGroupsOptions, type LogPlace } from './log-groups.js';
export { StageLogs } from './stage-logs.js';
