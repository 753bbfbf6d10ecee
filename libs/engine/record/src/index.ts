export { AccessLog, type AccessLogOptions } from './access-log.js';
export { RequestRecorder, type Recorder, type RequestRecorderOptions } from './recorder.js';
export { TracingRecorder } from './tracing-recorder.js';
