export { openNode, publishBlob, publishInline, startControlPlane, startNode, TextWorld, unpublish } from './harness.js';
