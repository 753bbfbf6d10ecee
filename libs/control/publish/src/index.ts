export { poolOfApi } from './placement.js';
export {
  diagnoseStage,
  functionEntryId,
  placeApi,
  publishApiKey,
  publishFunction,
  publishStage,
  publishUsagePlan,
  stageEntryId,
  unpublishApi,
  unpublishFunction,
  unpublishStage,
  unpublishUsagePlan,
} from './publish.js';
