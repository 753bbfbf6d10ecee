export { startPostgres, type TestPostgres } from './postgres.js';
export { callOnce, RawCaller, startCall, type CallerRequest, type CallerResponse } from './caller.js';
export { ScriptedUpstream, type UpstreamCall } from './upstream.js';
export { routeSnapshot, stageSnapshot } from './snapshots.js';
