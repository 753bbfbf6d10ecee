export {
  openNode,
  publishBlob,
  publishInline,
  startControlPlane,
  startNode,
  testFolder,
  TextWorld,
  TOKEN,
  unpublish,
} from './harness.js';
export { startProcess, type NodeProcess } from './node-process.js';
export { startRunnerProcess } from './runner-process.js';
