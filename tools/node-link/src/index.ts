export { openNode, publishBlob, publishInline, startControlPlane, startNode, TextWorld, TOKEN, unpublish } from './harness.js';
