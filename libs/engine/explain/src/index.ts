export { ExplainRecorder, type ExplainOptions, type Explains } from './explain-recorder.js';
