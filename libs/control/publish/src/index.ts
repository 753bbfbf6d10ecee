export { placementOf, placeTenant, poolOfApi } from './placement.js';
export {
  diagnoseStage,
  functionEntryId,
  holdForPublishing,
  publishApiKey,
  publishFunction,
  publishStage,
  publishUsagePlan,
  republishTenant,
  stageEntryId,
  unpublishApi,
  unpublishFunction,
  unpublishStage,
  unpublishUsagePlan,
  vpcLinksFor,
  type KnownOfStage,
} from './publish.js';
export { diagnoseDomainNames, publishCertificate, publishDomainName, unpublishDomainName } from './publish-domain-names.js';
export { publishServiceAccess } from './publish-service-access.js';
export { publishAccessKeys, publishSession, refreshAccessKeys, unpublishAccessKey } from './publish-access-keys.js';
