export { LinkedCertificate, LinkedDomainName } from './domain-names.js';
export { linkStage, type LinkBindings, type LinkResult, type MetricLabels } from './link-stage.js';
export { readSnapshot, type SnapshotName } from './read-snapshot.js';
export { World } from './world.js';
export {
  WorldKeeper,
  type NoStage,
  type SnapshotSource,
  type WorldChange,
  type WorldEntry,
  type WorldEntryName,
  type WorldKeeperOptions,
  type WorldRefusal,
} from './world-keeper.js';
