export { makeCertificates, makeServerCertificate, type Certificate, type Certificates } from './certificates.js';
export { freePort, freePorts } from './free-ports.js';
export { endingWithUs, installFromDebian, onPath } from './programs.js';
export { startPostgres, type TestPostgres } from './postgres.js';
export { startRedis, type TestRedis } from './redis.js';
export {
  startRedisCluster,
  startRedisSentinels,
  untilReplicated,
  type TestRedisCluster,
  type TestRedisSentinels,
} from './redis-groups.js';
export { askRedis, type RedisProcess } from './redis-process.js';
export { callOnce, RawCaller, startCall, type CallerRequest, type CallerResponse } from './caller.js';
export {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  HEADERS,
  headers,
  hpack,
  PADDED,
  PING,
  PREFACE,
  PRIORITY,
  RawHttp2Caller,
  RST_STREAM,
  SETTINGS,
  uint32,
  WINDOW_UPDATE,
  type Frame,
} from './raw-http2-caller.js';
export { ScriptedUpstream, type UpstreamCall } from './upstream.js';
export { RawUpstream, type RawScript, type RawUpstreamCall, type RawUpstreamOptions } from './raw-upstream.js';
export { ReleaseFilter } from './release-filter.js';
export { NodeSha256 } from './node-sha256.js';
export { routeSnapshot, stageSnapshot } from './snapshots.js';
export {
  answered,
  createMockApi,
  packageOf,
  refusalOf,
  sendSigned,
  startControlPlaneHouse,
  TEST_REGION,
  type ControlPlaneHouse,
  type ControlPlaneParts,
  type RawRequest,
  type TestConfig,
  type TestCredentials,
  type TestTenant,
} from './control-plane.js';
