export { FleetExplainer, type FleetExplainerOptions } from './fleet-explainer.js';
export type { NodesLog } from './log.js';
export { createNodeAdmin, type NodeAdmin, type NodeProgress, type RolloutReport } from './node-admin.js';
export { NodeLinkServer, type NodeLinkServerOptions } from './node-link-server.js';
export type { Leases, NodeName } from './node-session.js';
export type { NodeLinkCounts, SessionCall } from './node-session.js';
export { SealSigner } from './seal-signer.js';
export type { FinishedPush } from './pushes.js';
