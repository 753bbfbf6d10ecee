export { deploymentOperations, type DeploymentDependencies, type DeploymentOperations } from './deployments.operations.js';
export {
  StageAdmin,
  type DiffView,
  type HistoryView,
  type PeriodView,
  type RepointedView,
  type StageView,
} from './stages.admin.js';
