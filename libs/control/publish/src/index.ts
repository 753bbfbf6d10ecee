export {
  publishApiKey,
  publishStage,
  publishUsagePlan,
  stageEntryId,
  unpublishApi,
  unpublishStage,
  unpublishUsagePlan,
} from './publish.js';
