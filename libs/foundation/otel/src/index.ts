export { traceServer, type ServerSpan } from './trace-server.js';
export { openTelemetry, type OpenedTelemetry, type TelemetryOptions } from './open-telemetry.js';
